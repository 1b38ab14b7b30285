// The stored inferences of one program, one role and one peer: a folder of the store. Threads and processes may use a
// pool at once; no two get the same entry.
#pragma once

#include "runtime/store/EntryFile.h"
#include "runtime/store/Inventory.h"

namespace sd {

class Pool {
public:
  explicit Pool(std::shared_ptr<const PoolFolder> folder) : folder_(std::move(folder)) {}

  const EntryBinding &binding() const { return folder_->binding; }

  // `plan` is the program's.
  Expected<EntryWriter> create(const EntryId &id, const Plan &plan) const {
    return EntryWriter::create(folder_, id, plan);
  }

  struct Contents {
    Inventory ready;         // anyone may take them
    Inventory settled;       // those of them that nobody works on
    Inventory all;           // and those that a living process has taken
    std::size_t cleared = 0; // removed: what processes left that died, half-written or taken
  };
  Expected<Contents> contents() const;

  // Those of `ids` that are still there, spent from now on, durably.
  Expected<std::vector<TakenEntry>> take(std::span<const EntryId> ids) const;

  // Removes those of `ids` that are ready and that nobody works on; how many.
  Expected<std::size_t> discard(const Inventory &ids) const;

private:
  std::shared_ptr<const PoolFolder> folder_;
};

} // namespace sd
