// A store in a folder of one user. An entry is a file of its pool's folder: ID.part while it is written, ID.ready, then
// ID.taken until its record is done. Whoever works on one holds a shared lock on it; .part or .taken without a lock
// were left by a process that died.
#pragma once

#include "runtime/store/Backend.h"
#include "runtime/store/StoreKey.h"

namespace sd {

struct OpenedStore {
  std::shared_ptr<StoreBackend> backend;
  StoreKey key;
};

// `create`: makes a store where there is none, or an empty folder.
Expected<OpenedStore> openFolderStore(const std::string &path, bool create);

} // namespace sd
