// A service's sessions, several at once.
#pragma once

#include "runtime/net/Connect.h"

namespace sd {

// Serves each peer that comes on a thread, at most `sessions` at once; further peers wait. Returns when the listener
// fails or is stopped and all sessions are over.
Expected<void> serveSessions(Listener &listener, unsigned sessions,
                             const std::function<void(std::unique_ptr<Connection>)> &serve);

} // namespace sd
