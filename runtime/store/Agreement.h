// How the two parties' stores stay in step: what both have is compared when a session begins, and each inference is
// agreed on by name before it is used. On the session's control stream:
//
//   compare once a session                            for each batch of records
//     P0 -> P1  go (P0 has looked)                      P1: spends up to n of its lowest, durably
//     P1 -> P0  list of its inferences                  P1 -> P0  their names
//     P0 -> P1  list of its inferences                  P0: spends those that it has, durably
//     both discard what the other does not have         P0 -> P1  one byte each: 1 has it, 0 has not
//
// Both lists and names are checked. Nothing is used that has not been spent on both sides; what only one side has, or
// finds damaged, is discarded and reported.
//
// When entries are made, P0 makes its usable first and holds it as being worked on until P1 has answered that its own
// is (docs/store.md says why that order, and why P0 looks twice).
#pragma once

#include <functional>

#include "runtime/net/Channel.h"
#include "runtime/store/Pool.h"

namespace sd {

// Told of what is discarded, and of each inference before its use.
struct StoreReport {
  std::function<void(std::string_view)> problem;
  std::function<void(const EntryId &)> used;
};

// Agrees on what to use. `channel`, `plan` and `report` outlive it.
template <class Material>
class StoredBundles {
public:
  StoredBundles(Pool pool, const Plan &plan, Channel &channel, const StoreReport &report)
      : pool_(std::move(pool)), plan_(plan), channel_(channel), report_(report) {}

  // The comparison; P1's fails if fewer than `records` are left. `records`: of the session.
  Expected<void> compare(std::uint64_t records);

  // The next record's; to be called once for each, by both sides.
  Expected<Bundle<Material>> next();

private:
  struct Ready {
    TakenEntry entry;
    Bundle<Material> bundle;
  };
  Expected<void> compareAsService();
  Expected<void> compareAsClient();
  Expected<void> refillAsService();
  Expected<void> refillAsClient();
  Expected<std::vector<Ready>> takeAll(std::span<const EntryId> ids);
  Expected<Pool::Contents> look();
  Expected<void> discard(const Inventory &ids);

  Pool pool_;
  const Plan &plan_;
  Channel &channel_;
  const StoreReport &report_;
  Inventory common_; // P1's, from next_ on untried
  std::size_t next_ = 0;
  std::uint64_t left_ = 0;   // records without a bundle in ready_ or before
  std::vector<Ready> ready_; // agreed on; the next one last
  std::optional<TakenEntry> current_;
};

// The rounds of one prepared inference, after both sides have finish()ed theirs. `previous` is what this side committed
// before it, and is replaced.
Expected<void> commitService(Channel &channel, EntryWriter entry, std::optional<EntryWriter> &previous);
Expected<void> commitClient(Channel &channel, EntryWriter entry);

} // namespace sd
