// How often something is said that strangers cause.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <utility>

namespace sd {

// Ten at once and one more a second. Safe in any thread.
class RateLimit {
public:
  // How many were left out since the last one that was said; nothing: this one is left out, too.
  std::optional<std::uint64_t> take() {
    const std::lock_guard lock(mutex_);
    const auto now = std::chrono::steady_clock::now();
    allowed_ = std::min(kBurst, allowed_ + std::chrono::duration<double>(now - last_).count());
    last_ = now;
    if (allowed_ < 1) {
      ++leftOut_;
      return std::nullopt;
    }
    allowed_ -= 1;
    return std::exchange(leftOut_, 0);
  }

private:
  static constexpr double kBurst = 10;
  std::mutex mutex_; // guards:
  double allowed_ = kBurst;
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
  std::uint64_t leftOut_ = 0;
};

} // namespace sd
