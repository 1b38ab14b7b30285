#include "tools/Progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <string_view>
#include <system_error>
#include <thread>

#include "tools/Console.h"

namespace sd {

namespace {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr std::chrono::milliseconds kRedraw = 200ms;
constexpr std::chrono::milliseconds kFirstBar = 500ms; // what is done by then shows none

std::chrono::milliseconds interval() {
  const char *text = std::getenv("SDC_PROGRESS_SECONDS");
  double seconds = 10;
  if (text != nullptr) {
    const std::string_view value(text);
    double given = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), given);
    if (error == std::errc{} && end == value.data() + value.size() && given >= 0 && given < 1e6) seconds = given;
  }
  return std::chrono::milliseconds(static_cast<std::int64_t>(seconds * 1000));
}

std::size_t columns() {
  winsize size{};
  return ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20 ? size.ws_col - 1U : 79U;
}

} // namespace

struct Progress::Impl {
  const bool isBar = ::isatty(STDERR_FILENO) == 1 && logOptions().format == LogFormat::Text;
  const bool isEachStep = interval() == 0ms;
  const std::chrono::milliseconds every = isBar ? kRedraw : interval();
  Clock::time_point start = Clock::now();
  std::mutex mutex; // guards:
  std::condition_variable wake;
  bool isOver = false;
  ProgressState state;
  std::thread thread;

  double elapsed() const { return std::chrono::duration<double>(Clock::now() - start).count(); }

  void show() { // with the mutex
    state.elapsed = elapsed();
    if (isBar)
      showBar(progressBar(state, columns()));
    else
      logProgress(state);
  }

  void run() {
    std::unique_lock lock(mutex);
    wake.wait_for(lock, isBar ? kFirstBar : every, [&] { return isOver; });
    while (!isOver) {
      show();
      wake.wait_for(lock, every, [&] { return isOver; });
    }
  }
};

Progress::Progress(std::string task, std::string unit) {
  if (logOptions().quiet) return;
  impl_ = std::make_unique<Impl>();
  impl_->state.task = std::move(task), impl_->state.unit = std::move(unit);
  if (impl_->isEachStep) return;
  try {
    impl_->thread = std::thread([&impl = *impl_] { impl.run(); });
  } catch (const std::system_error &) { // no thread is left: the task matters more
  }
}

Progress::~Progress() {
  if (!impl_) return;
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->isOver = true;
  }
  impl_->wake.notify_all();
  if (impl_->thread.joinable()) impl_->thread.join();
  if (impl_->isBar) showBar("");
}

void Progress::begin(const std::string &unit, std::uint64_t all, double predictedSeconds) {
  if (!impl_) return;
  const std::lock_guard lock(impl_->mutex);
  impl_->start = Clock::now();
  ProgressState fresh;
  fresh.task = impl_->state.task, fresh.unit = unit, fresh.all = all, fresh.predicted = predictedSeconds;
  impl_->state = std::move(fresh);
}

void Progress::step(std::uint64_t done, std::uint64_t all, const std::string &what, bool isAbout) {
  if (!impl_) return;
  const std::lock_guard lock(impl_->mutex);
  ProgressState &state = impl_->state;
  if (state.done == 0 && done > 0) state.firstDone = impl_->elapsed();
  state.done = done, state.all = all, state.what = what, state.isAbout = isAbout;
  if (impl_->isEachStep) impl_->show();
}

void Progress::say(const std::string &what) {
  if (!impl_) return;
  const std::lock_guard lock(impl_->mutex);
  impl_->state.what = what;
  if (impl_->isEachStep) impl_->show();
}

} // namespace sd
