// A service's file in TOML (docs/operating.md).
#pragma once

#include "ir/core/Error.h"
#include "runtime/service/Settings.h"

namespace sd::service {

// Names of files in it are relative to its own folder. Errors list everything that is wrong, with lines and columns:
// keys that are unknown, missing, or of the wrong kind.
Expected<Settings> readSettings(const std::string &path);

} // namespace sd::service
