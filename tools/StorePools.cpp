#include "tools/StorePools.h"

namespace sd {

Expected<std::vector<StorePool>> poolsOf(const Store &store) {
  std::vector<StorePool> pools;
  SD_ASSIGN(const std::vector<std::string> names, store.backend().pools());
  for (const std::string &name : names) {
    StorePool pool{name, nullptr, {}, {}};
    SD_ASSIGN(pool.pool, store.backend().pool(name, false));
    if (!pool.pool) continue; // removed meanwhile
    SD_ASSIGN(pool.ready, pool.pool->list());
    for (std::size_t i = 0; i < pool.ready.size() && !pool.binding; ++i) {
      const auto source = pool.pool->look(pool.ready[i].id);
      const auto header = source ? readHeader(**source, store.key()) : tl::unexpected(source.error());
      if (header && poolName(header->binding) == name) pool.binding = header->binding;
    }
    pools.push_back(std::move(pool));
  }
  return pools;
}

Expected<std::string> faultOf(const Store &store, const StorePool &pool, const EntryId &id) {
  SD_ASSIGN(const std::unique_ptr<EntrySource> source, pool.pool->look(id));
  const auto header = readHeader(*source, store.key());
  if (!header && header.error().kind == ErrorKind::Resources) return tl::unexpected(header.error()); // the database
  if (!header) return header.error().message;
  if (header->id != id) return fmt::format("it is inference {} under another name", toString(header->id));
  if (header->store != store.id()) return "it was made for another store";
  if (poolName(header->binding) != pool.name) return "it is in another pool than its own";
  return "";
}

} // namespace sd
