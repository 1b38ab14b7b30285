// Correlations of whole inferences, made ahead of time, each used once. docs/store.md has the format and the rules.
//
// A store is one party's: its key, and a pool for each program and peer. Used by any number of processes and threads at
// once; one in a database also by several machines.
#pragma once

#include "runtime/store/Pool.h"

namespace sd {

// Where a store is. `where`: a folder, "dir:FOLDER", or "postgresql://..." (libpq's URLs, without a password).
struct StorePlace {
  std::string where;
  std::string key;                            // file; of a database's store alone, since a folder has its own
  std::chrono::milliseconds patience{15'000}; // with a database that does not answer

  StorePlace(std::string place = {}, std::string keyFile = {}) : where(std::move(place)), key(std::move(keyFile)) {}
  bool isDatabase() const { return where.starts_with("postgresql:") || where.starts_with("postgres:"); }
  // What is wrong with it, before anything is opened.
  Expected<void> check() const;
};

class Store {
public:
  // A store that is there. Errors: there is none, it isn't private to this user, its key is damaged or another store's,
  // the database can't be used.
  static Expected<Store> open(const StorePlace &place);
  // The same; makes one where there is none.
  static Expected<Store> openOrCreate(const StorePlace &place);

  const StoreId &id() const { return key_.id; }
  const StoreKey &key() const { return key_; }
  StoreBackend &backend() const { return *backend_; }

  // The inferences of this program with this peer; made if there never were any.
  Expected<Pool> pool(const EntryBinding &binding) const;
  // The same; an error if there never were any.
  Expected<Pool> existingPool(const EntryBinding &binding) const;

private:
  Store(std::shared_ptr<StoreBackend> backend, StoreKey key) : backend_(std::move(backend)), key_(std::move(key)) {}
  Pool make(std::shared_ptr<PoolBackend> pool, const EntryBinding &binding) const;
  std::shared_ptr<StoreBackend> backend_;
  StoreKey key_;
};

// The pool of one binding: 32 hexadecimal digits.
std::string poolName(const EntryBinding &binding);

} // namespace sd
