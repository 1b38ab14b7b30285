// A service that signals end.
#pragma once

#include "runtime/net/Service.h"

namespace sd {

// Serves each peer that comes on a thread, at most `sessions` at once; further peers wait for their turn, as long as
// they like. SIGTERM and SIGINT end it: no new session begins, those that go on come to their end, and it returns. A
// second signal ends the process at once. Logs to stderr in the name of `tool`, without waiting: `options.log` is not
// used.
void serveSessions(std::string_view tool, Listener &listener, ServiceOptions options);

} // namespace sd
