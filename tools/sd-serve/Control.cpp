#include "tools/sd-serve/Control.h"

#include <sys/stat.h>

#include <thread>
#include <tuple>

#include "tools/Signals.h"

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
  Signals signals;
  ControlOptions options;
  bool stopping = false;
  Looks known, seen;
  std::thread thread;

  explicit Impl(Signals taken) : signals(std::move(taken)) {}

  void take(int signal) {
    if (signal == SIGHUP) {
      options.reload();
      known = seen = lookAt(options.files());
      return;
    }
    if (std::exchange(stopping, true)) return signals.die(signal);
    options.stop();
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
    while (const auto signal = signals.next(std::chrono::steady_clock::now() + kWatch)) {
      if (*signal)
        take(*signal);
      else if (!stopping)
        watchFiles();
    }
  }
};

Control::Control(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Expected<std::unique_ptr<Control>> Control::start() {
  SD_ASSIGN(Signals signals, Signals::take({SIGINT, SIGTERM}, {SIGHUP}));
  return std::unique_ptr<Control>(new Control(std::make_unique<Impl>(std::move(signals))));
}

void Control::obey(ControlOptions options) {
  impl_->options = std::move(options);
  impl_->thread = std::thread([&impl = *impl_] { impl.watch(); });
}

Control::~Control() { end(); }

void Control::end() {
  impl_->signals.stop();
  if (impl_->thread.joinable()) impl_->thread.join();
}

} // namespace sd::service
