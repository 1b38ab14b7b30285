#include "tools/Interruption.h"

#include <mutex>
#include <thread>

#include "ir/core/Guard.h"
#include "tools/Signals.h"

namespace sd {

struct Interruption::Impl {
  Signals signals;
  std::mutex mutex; // guards:
  std::function<void()> stop;
  int first = 0;
  std::thread thread;

  explicit Impl(Signals taken) : signals(std::move(taken)) {}

  void take(int signal) {
    const std::lock_guard lock(mutex);
    if (first != 0 || !stop) return signals.die(signal);
    first = signal;
    stop();
  }

  void watch() {
    while (const auto signal = signals.next())
      take(*signal);
  }
};

Interruption::Interruption(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Expected<std::unique_ptr<Interruption>> Interruption::make() {
  SD_ASSIGN(Signals signals, Signals::take({SIGINT, SIGTERM, SIGHUP}));
  std::unique_ptr<Interruption> result(new Interruption(std::make_unique<Impl>(std::move(signals))));
  SD_TRY(guarded([&]() -> Expected<void> {
    result->impl_->thread = std::thread([&impl = *result->impl_] { impl.watch(); });
    return {};
  }));
  return result;
}

Interruption::~Interruption() {
  impl_->signals.stop();
  if (impl_->thread.joinable()) impl_->thread.join();
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
