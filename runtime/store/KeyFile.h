// The file of a store's key, private to its owner (StoreKey.h has its bytes).
#pragma once

#include "runtime/store/Posix.h"
#include "runtime/store/StoreKey.h"

namespace sd {

// `name` is relative to `folder`, or AT_FDCWD; `shown` is for messages.
bool hasKeyFile(int folder, const std::string &name);
Expected<StoreKey> readKeyFile(int folder, const std::string &name, const std::string &shown);
// Makes a fresh one, whole or not at all, whoever else does the same at the same time; no error if there is one
// already.
Expected<void> makeKeyFile(int folder, const std::string &name, const std::string &shown);
inline constexpr std::string_view kNewKeySuffix = ".new-"; // of one that is being made

} // namespace sd
