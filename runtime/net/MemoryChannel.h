// Both parties in one process: a pair of connections that copy messages from thread to thread.
#pragma once

#include <memory>
#include <utility>

#include "runtime/net/StreamedConnection.h"

namespace sd {

// The two ends. Each may be used, closed and destroyed by its own thread, in any order.
std::pair<std::unique_ptr<Connection>, std::unique_ptr<Connection>>
makeMemoryConnections(const ConnectionOptions &options = {});

} // namespace sd
