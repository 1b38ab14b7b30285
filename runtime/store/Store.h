// Correlations of whole inferences on disk, made ahead of time, each used once. docs/store.md has the format and the
// rules.
//
// A store is a folder of one user and one party: its key, and a folder for each program and peer. Used by any number of
// processes and threads at once.
#pragma once

#include "runtime/store/Pool.h"

namespace sd {

class Store {
public:
  // A store that is there. Errors: there is none, it isn't private to this user, `path` is a symbolic link, its key is
  // damaged.
  static Expected<Store> open(const std::string &path);
  // The same; makes one where there is none, or an empty folder.
  static Expected<Store> openOrCreate(const std::string &path);

  const StoreId &id() const { return key_.id; }
  const std::string &path() const { return path_; }

  // The inferences of this program with this peer; made if there never were any.
  Expected<Pool> pool(const EntryBinding &binding) const;
  // The same; an error if there never were any.
  Expected<Pool> existingPool(const EntryBinding &binding) const;

private:
  Store(std::string path, FileHandle folder, StoreKey key)
      : path_(std::move(path)), folder_(std::move(folder)), key_(std::move(key)) {}
  Expected<Pool> openPool(const std::string &name, const EntryBinding &binding) const;
  std::string path_;
  FileHandle folder_;
  StoreKey key_;
};

} // namespace sd
