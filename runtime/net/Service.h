// A service's sessions, several at once.
#pragma once

#include "runtime/net/Connect.h"

namespace sd {

struct ServiceOptions {
  unsigned places = 8;                                    // sessions at once, at most 65535
  std::function<void(std::unique_ptr<Connection>)> serve; // one session, on a thread of its own
  std::function<void(std::string_view)> log;              // of what goes wrong; from any thread
  // Sessions that go on so long after the listener was stopped are cut: `cut` is that of its ConnectionOptions. Without
  // one they have as long as they take.
  std::chrono::milliseconds drain{0};
  std::shared_ptr<const WakeUp> cut{};
};

// Lifts the process's limit of open descriptors to the most that it may have; returns that. A service needs some for
// each connection.
std::uint64_t raiseDescriptorLimit();

// Serves the peers that come, in turn (Listener::acceptInTurn), until the listener is stopped; returns when the
// sessions that go on then have come to their end. A lack of threads or memory ends one session, not the service.
void serveInTurn(Listener &listener, const ServiceOptions &options);

} // namespace sd
