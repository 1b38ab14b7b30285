#include "runtime/store/Store.h"

#include "ir/bytecode/Digest.h"
#include "runtime/store/FolderBackend.h"
#include "runtime/store/Postgres.h"

namespace sd {

namespace {

constexpr std::string_view kPoolName = "sd store pool 1", kFolderPrefix = "dir:";

Expected<OpenedStore> openAny(const StorePlace &place, bool create) {
  SD_TRY(place.check());
  if (place.isDatabase()) return openPostgresStore(place.where, place.key, place.patience, create);
  const bool prefixed = place.where.starts_with(kFolderPrefix);
  return openFolderStore(place.where.substr(prefixed ? kFolderPrefix.size() : 0), create);
}

} // namespace

std::string poolName(const EntryBinding &binding) {
  const auto party = static_cast<std::uint8_t>(binding.party);
  const Bytes domain{reinterpret_cast<const std::uint8_t *>(kPoolName.data()), kPoolName.size()};
  return toHex(sha256({domain, binding.program, {&party, 1}, binding.peer})).substr(0, 32);
}

Expected<void> StorePlace::check() const {
  if (!isDatabase()) {
    if (!key.empty()) return fail("a store in a folder has its key there; a key file goes with a postgresql: store");
    return {};
  }
  SD_TRY(checkPostgresUrl(where));
  if (key.empty())
    return fail(
        "a store in a database needs a key file (--store-key FILE, or store_key in a service's file): the secret "
        "that seals its inferences never goes into the database");
  return {};
}

Expected<Store> Store::open(const StorePlace &place) {
  SD_ASSIGN(OpenedStore opened, openAny(place, false));
  return Store(std::move(opened.backend), std::move(opened.key));
}

Expected<Store> Store::openOrCreate(const StorePlace &place) {
  SD_ASSIGN(OpenedStore opened, openAny(place, true));
  return Store(std::move(opened.backend), std::move(opened.key));
}

Pool Store::make(std::shared_ptr<PoolBackend> pool, const EntryBinding &binding) const {
  return Pool(std::make_shared<const PoolContext>(PoolContext{std::move(pool), key_.id, key_.secret.clone(), binding}));
}

Expected<Pool> Store::pool(const EntryBinding &binding) const {
  SD_ASSIGN(std::shared_ptr<PoolBackend> pool, backend_->pool(poolName(binding), true));
  return make(std::move(pool), binding);
}

Expected<Pool> Store::existingPool(const EntryBinding &binding) const {
  SD_ASSIGN(std::shared_ptr<PoolBackend> pool, backend_->pool(poolName(binding), false));
  if (!pool)
    return fail("no inferences of this program{} were ever prepared with this peer as party {}; run both sides with "
                "--prepare N --store DIR",
                binding.party == 0 ? " with these weights" : "", binding.party);
  return make(std::move(pool), binding);
}

} // namespace sd
