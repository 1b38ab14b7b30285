// A service's sessions, several at once.
#pragma once

#include "runtime/net/Connect.h"

namespace sd {

struct ServiceOptions {
  unsigned places = 8;                                    // sessions at once, at most 65535
  std::function<void(std::unique_ptr<Connection>)> serve; // one session, on a thread of its own
  std::function<void(std::string_view)> log;              // of what goes wrong; from any thread
};

// Serves the peers that come, in turn (Listener::acceptInTurn), until the listener is stopped; returns when the
// sessions that go on then have come to their end. A lack of threads or memory ends one session, not the service.
void serveInTurn(Listener &listener, const ServiceOptions &options);

} // namespace sd
