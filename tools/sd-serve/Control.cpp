#include "tools/sd-serve/Control.h"

#include <poll.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <thread>
#include <tuple>

#include "ir/core/Guard.h"
#include "runtime/net/Socket.h"

namespace sd::service {
namespace {

constexpr std::chrono::seconds kWatch{2};

// Which file each name is, and when it was changed: a changed file, or another in its place, looks otherwise.
using Looks = std::vector<std::tuple<dev_t, ino_t, off_t, time_t, long>>;

Looks lookAt(const std::vector<std::string> &files) {
  Looks looks;
  for (const std::string &file : files) {
    struct stat status {};
    ::stat(file.c_str(), &status);
    looks.emplace_back(status.st_dev, status.st_ino, status.st_size, status.st_mtim.tv_sec, status.st_mtim.tv_nsec);
  }
  return looks;
}

} // namespace

struct Control::Impl {
  sigset_t taken{};
  Socket signals;
  WakeUp over;
  ControlOptions options;
  bool stopping = false;
  Looks known, seen;
  std::thread thread;

  explicit Impl(WakeUp wakeUp) : over(std::move(wakeUp)) {}

  void take(int signal) {
    if (signal == SIGHUP) {
      options.reload();
      known = seen = lookAt(options.files());
      return;
    }
    if (!std::exchange(stopping, true)) return options.stop();
    std::signal(signal, SIG_DFL);
    pthread_sigmask(SIG_UNBLOCK, &taken, nullptr);
    ::kill(::getpid(), signal);
  }

  // Files are written in pieces, and several are changed together: they are read once they have come to rest.
  void watchFiles() {
    Looks now = lookAt(options.files());
    if (now != known && now == seen) {
      options.reload();
      known = lookAt(options.files());
      now = known;
    }
    seen = std::move(now);
  }

  void watch() {
    known = seen = lookAt(options.files());
    while (true) {
      pollfd descriptors[] = {{signals.get(), POLLIN, 0}, {over.descriptor(), POLLIN, 0}};
      if (!pollUntil(descriptors, std::chrono::steady_clock::now() + kWatch)) {
        if (!stopping) watchFiles();
        continue;
      }
      if (descriptors[1].revents != 0) return;
      signalfd_siginfo signal{};
      if (::read(signals.get(), &signal, sizeof signal) == sizeof signal) take(static_cast<int>(signal.ssi_signo));
    }
  }
};

Control::Control(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Expected<std::unique_ptr<Control>> Control::start() {
  SD_ASSIGN(WakeUp over, WakeUp::make());
  auto impl = std::make_unique<Impl>(std::move(over));
  sigemptyset(&impl->taken);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP})
    sigaddset(&impl->taken, signal);
  impl->signals = Socket(::signalfd(-1, &impl->taken, SFD_CLOEXEC));
  if (!impl->signals) return fail(ErrorKind::Resources, "no descriptor is left for signals");
  pthread_sigmask(SIG_BLOCK, &impl->taken, nullptr);
  return std::unique_ptr<Control>(new Control(std::move(impl)));
}

void Control::obey(ControlOptions options) {
  impl_->options = std::move(options);
  impl_->thread = std::thread([&impl = *impl_] { impl.watch(); });
}

Control::~Control() { end(); }

void Control::end() {
  impl_->over.wake();
  if (impl_->thread.joinable()) impl_->thread.join();
}

} // namespace sd::service
