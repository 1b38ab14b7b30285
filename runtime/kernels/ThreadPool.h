// The threads of one party's local arithmetic. Results never depend on their number.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

namespace sd {

// Thread-safe: several threads may call parallelFor() at once, and a body may call it again.
class ThreadPool {
public:
  explicit ThreadPool(
      unsigned threads = 0); // the calling thread counts as one; 0: one a core; fewer if the system refuses
  ~ThreadPool();
  ThreadPool(const ThreadPool &) = delete;
  ThreadPool &operator=(const ThreadPool &) = delete;

  unsigned threads() const;

  // Calls body(0) .. body(count - 1) in any order, on any of the threads, and returns when all have returned.
  // An exception of a body (memory has run out) comes out here, after the others have been called.
  void parallelFor(std::int64_t count, const std::function<void(std::int64_t)> &body);

  // Cuts [0, count) into ranges of at least `grain` elements and calls body(begin, end) for each.
  void parallelRanges(std::int64_t count, std::int64_t grain,
                      const std::function<void(std::int64_t, std::int64_t)> &body);

private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

} // namespace sd
