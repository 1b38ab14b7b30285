// One pool of a store in a folder (FolderBackend.h).
#pragma once

#include "runtime/store/Backend.h"
#include "runtime/store/Posix.h"

namespace sd {

struct PoolFolder {
  FileHandle handle;
  std::string name; // for messages
};

std::shared_ptr<PoolBackend> makeFolderPool(PoolFolder folder);

} // namespace sd
