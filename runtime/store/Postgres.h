// A store in a PostgreSQL database: many services, on many machines, share its pools. PostgreSQL holds the index, the
// claims and the sealed material; the key that seals is a file of each service's. docs/store.md has tables and rules.
#pragma once

#include "runtime/store/FolderBackend.h"

namespace sd {

// Errors: no URL that libpq takes, one with a password, or this build has no libpq.
Expected<void> checkPostgresUrl(const std::string &url);

// `create`: makes the tables where there are none, and the key file where there is neither a key nor a store.
Expected<OpenedStore> openPostgresStore(const std::string &url, const std::string &keyFile,
                                        std::chrono::milliseconds patience, bool create);

} // namespace sd
