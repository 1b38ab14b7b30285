#include "tools/Serve.h"

#include <atomic>
#include <cerrno>
#include <csignal>
#include <iterator>

#include "tools/Console.h"

namespace sd {
namespace {

std::atomic<Listener *> stoppable = nullptr;
static_assert(std::atomic<Listener *>::is_always_lock_free); // as a signal handler needs it

// But for those that the process was started to ignore, as a script's background job is.
constexpr int kSignals[] = {SIGTERM, SIGINT};
volatile std::sig_atomic_t taken[std::size(kSignals)];

void giveBack() {
  for (std::size_t i = 0; i < std::size(kSignals); ++i)
    if (taken[i]) std::signal(kSignals[i], SIG_DFL);
}

extern "C" void stopGently(int) {
  const int error = errno;
  giveBack();
  if (Listener *listener = stoppable.exchange(nullptr)) listener->stop();
  errno = error;
}

// While it exists, the first signal stops the listener and the second one the process.
class StopOnSignals {
public:
  explicit StopOnSignals(Listener &listener) {
    stoppable = &listener;
    for (std::size_t i = 0; i < std::size(kSignals); ++i) {
      struct sigaction action {
      }, before{};
      sigaction(kSignals[i], nullptr, &before);
      taken[i] = before.sa_handler != SIG_IGN;
      action.sa_handler = stopGently;
      action.sa_flags = SA_RESTART;
      if (taken[i]) sigaction(kSignals[i], &action, nullptr);
    }
  }
  ~StopOnSignals() {
    giveBack();
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
