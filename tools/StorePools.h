// What the pools of a store hold, for those who look after it.
#pragma once

#include "runtime/store/Store.h"

namespace sd {

// One pool, as it says of itself.
struct StorePool {
  std::string name;
  std::shared_ptr<PoolBackend> pool;
  std::vector<PoolBackend::Listed> ready;
  std::optional<EntryBinding> binding; // by the first of them that is sound
};

Expected<std::vector<StorePool>> poolsOf(const Store &store);

// What is wrong with an inference; empty if nothing is that can be told without its program.
Expected<std::string> faultOf(const Store &store, const StorePool &pool, const EntryId &id);

} // namespace sd
