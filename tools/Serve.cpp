#include "tools/Serve.h"

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "tools/Console.h"

namespace sd {
namespace {

std::atomic<Listener *> stoppable = nullptr;
static_assert(std::atomic<Listener *>::is_always_lock_free); // as a signal handler needs it

extern "C" void stopGently(int) {
  const int error = errno;
  std::signal(SIGTERM, SIG_DFL);
  std::signal(SIGINT, SIG_DFL);
  if (Listener *listener = stoppable.exchange(nullptr)) listener->stop();
  errno = error;
}

// While it exists, the first signal stops the listener and the second one the process.
class StopOnSignals {
public:
  explicit StopOnSignals(Listener &listener) {
    stoppable = &listener;
    struct sigaction action {};
    action.sa_handler = stopGently;
    action.sa_flags = SA_RESTART;
    sigaction(SIGTERM, &action, nullptr);
    sigaction(SIGINT, &action, nullptr);
  }
  ~StopOnSignals() {
    std::signal(SIGTERM, SIG_DFL);
    std::signal(SIGINT, SIG_DFL);
    stoppable = nullptr;
  }
  StopOnSignals(const StopOnSignals &) = delete;
  StopOnSignals &operator=(const StopOnSignals &) = delete;
};

} // namespace

void serveSessions(std::string_view tool, Listener &listener, ServiceOptions options) {
  const StopOnSignals signals(listener);
  options.log = [tool](std::string_view text) { sayWithoutWaiting(tool, text); };
  raiseDescriptorLimit();
  serveInTurn(listener, options);
  options.log("stopped");
}

} // namespace sd
