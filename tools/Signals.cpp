#include "tools/Signals.h"

#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

namespace sd {

Expected<Signals> Signals::take(std::initializer_list<int> ends, std::initializer_list<int> orders) {
  sigset_t taken;
  sigemptyset(&taken);
  for (const int signal : ends) {
    struct sigaction action {};
    sigaction(signal, nullptr, &action);
    if (action.sa_handler != SIG_IGN) sigaddset(&taken, signal);
  }
  for (const int signal : orders)
    sigaddset(&taken, signal);
  SD_ASSIGN(WakeUp over, WakeUp::make());
  Signals signals(std::move(over), taken);
  if (!signals.descriptor_) return fail(ErrorKind::Resources, "no descriptor is left for signals");
  return signals;
}

Signals::Signals(WakeUp over, sigset_t taken)
    : taken_(taken), descriptor_(::signalfd(-1, &taken_, SFD_CLOEXEC)), over_(std::move(over)) {
  if (descriptor_) pthread_sigmask(SIG_BLOCK, &taken_, &before_);
}

Signals::Signals(Signals &&) noexcept = default;

Signals::~Signals() {
  if (descriptor_) pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

std::optional<int> Signals::next(Deadline deadline) const {
  while (true) {
    pollfd descriptors[] = {{descriptor_.get(), POLLIN, 0}, {over_.descriptor(), POLLIN, 0}};
    if (!pollUntil(descriptors, deadline)) return 0;
    if (descriptors[1].revents != 0) return std::nullopt;
    signalfd_siginfo signal{};
    if (::read(descriptor_.get(), &signal, sizeof signal) == sizeof signal) return static_cast<int>(signal.ssi_signo);
  }
}

void Signals::stop() const { over_.wake(); }

void Signals::die(int signal) const {
  std::signal(signal, SIG_DFL);
  pthread_sigmask(SIG_UNBLOCK, &taken_, nullptr);
  ::kill(::getpid(), signal);
}

} // namespace sd
