#include "tools/Interruption.h"

#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <mutex>
#include <thread>

#include "ir/core/Guard.h"
#include "runtime/net/Socket.h"

namespace sd {

struct Interruption::Impl {
  sigset_t taken{}, before{};
  int descriptor = -1;
  WakeUp over;
  std::mutex mutex; // guards:
  std::function<void()> stop;
  int first = 0;
  std::thread thread;

  explicit Impl(WakeUp wakeUp) : over(std::move(wakeUp)) {}

  void take(int signal) {
    const std::lock_guard lock(mutex);
    if (first == 0 && stop) {
      first = signal;
      stop();
      return;
    }
    std::signal(signal, SIG_DFL);
    pthread_sigmask(SIG_UNBLOCK, &taken, nullptr);
    ::kill(::getpid(), signal);
  }

  void watch() {
    while (true) {
      pollfd descriptors[] = {{descriptor, POLLIN, 0}, {over.descriptor(), POLLIN, 0}};
      if (::poll(descriptors, 2, -1) < 0) continue;
      if (descriptors[1].revents != 0) return;
      signalfd_siginfo signal{};
      if (::read(descriptor, &signal, sizeof signal) == sizeof signal) take(static_cast<int>(signal.ssi_signo));
    }
  }
};

Interruption::Interruption(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Expected<std::unique_ptr<Interruption>> Interruption::make() {
  SD_ASSIGN(WakeUp over, WakeUp::make());
  auto impl = std::make_unique<Impl>(std::move(over));
  sigemptyset(&impl->taken);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction action {};
    sigaction(signal, nullptr, &action);
    if (action.sa_handler != SIG_IGN) sigaddset(&impl->taken, signal); // nohup wants it ignored, say
  }
  impl->descriptor = ::signalfd(-1, &impl->taken, SFD_CLOEXEC);
  if (impl->descriptor < 0) return fail(ErrorKind::Resources, "no descriptor is left for signals");
  pthread_sigmask(SIG_BLOCK, &impl->taken, &impl->before);
  std::unique_ptr<Interruption> result(new Interruption(std::move(impl)));
  SD_TRY(guarded([&]() -> Expected<void> {
    result->impl_->thread = std::thread([&impl = *result->impl_] { impl.watch(); });
    return {};
  }));
  return result;
}

Interruption::~Interruption() {
  impl_->over.wake();
  if (impl_->thread.joinable()) impl_->thread.join();
  ::close(impl_->descriptor);
  pthread_sigmask(SIG_SETMASK, &impl_->before, nullptr);
}

int Interruption::signal() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->first;
}

Interruption::Scope::Scope(Interruption &interruption, std::function<void()> stop) : interruption_(interruption) {
  const std::lock_guard lock(interruption_.impl_->mutex);
  interruption_.impl_->stop = std::move(stop);
}

Interruption::Scope::~Scope() {
  const std::lock_guard lock(interruption_.impl_->mutex);
  interruption_.impl_->stop = nullptr;
}

} // namespace sd
