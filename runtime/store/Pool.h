// The stored inferences of one program, one role and one peer. Threads and processes may use a pool at once; no two get
// the same entry.
#pragma once

#include "runtime/store/Entry.h"

namespace sd {

class Pool {
public:
  explicit Pool(std::shared_ptr<const PoolContext> context) : context_(std::move(context)) {}

  const EntryBinding &binding() const { return context_->binding; }

  // `plan` is the program's.
  Expected<EntryWriter> create(const EntryId &id, const Plan &plan) const {
    return EntryWriter::create(context_, id, plan);
  }

  using Contents = PoolContents;
  Expected<Contents> contents() const { return context_->backend->contents(); }

  // Those of `ids` that are still there, spent from now on, durably.
  Expected<std::vector<TakenEntry>> take(std::span<const EntryId> ids) const {
    SD_ASSIGN(std::vector<TakenSource> sources, context_->backend->take(ids));
    std::vector<TakenEntry> taken;
    for (TakenSource &source : sources)
      taken.emplace_back(context_, std::move(source));
    return taken;
  }

  // Removes those of `ids` that are ready and that nobody works on; how many.
  Expected<std::size_t> discard(const Inventory &ids) const { return context_->backend->discard(ids); }

private:
  std::shared_ptr<const PoolContext> context_;
};

} // namespace sd
