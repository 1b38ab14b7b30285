#include "runtime/kernels/ThreadPool.h"

#include <atomic>
#include <new>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace sd {
namespace {

TEST(ThreadPool, CallsEachIndexOnce) {
  for (unsigned threads : {1u, 2u, 5u}) {
    ThreadPool pool(threads);
    EXPECT_EQ(pool.threads(), threads);
    for (std::int64_t count : {0, 1, 2, 7, 1000}) {
      std::vector<std::atomic<int>> calls(count);
      pool.parallelFor(count, [&](std::int64_t i) { ++calls[i]; });
      for (auto &n : calls)
        ASSERT_EQ(n, 1);
    }
  }
}

TEST(ThreadPool, RangesCoverEverythingOnce) {
  ThreadPool pool(3);
  for (std::int64_t count : {0, 1, 5, 999}) {
    for (std::int64_t grain : {0, 1, 10, 5000}) {
      std::vector<std::atomic<int>> calls(count);
      pool.parallelRanges(count, grain, [&](std::int64_t begin, std::int64_t end) {
        ASSERT_LT(begin, end);
        for (std::int64_t i = begin; i < end; ++i)
          ++calls[i];
      });
      for (auto &n : calls)
        ASSERT_EQ(n, 1);
    }
  }
}

TEST(ThreadPool, CallersMayShareItAndNest) {
  ThreadPool pool(3);
  std::atomic<std::int64_t> total{0};
  std::vector<std::thread> callers;
  for (int c = 0; c < 4; ++c)
    callers.emplace_back([&] {
      for (int round = 0; round < 50; ++round)
        pool.parallelFor(8, [&](std::int64_t) { pool.parallelFor(4, [&](std::int64_t i) { total += i; }); });
    });
  for (std::thread &caller : callers)
    caller.join();
  EXPECT_EQ(total, 4 * 50 * 8 * 6);
}

TEST(ThreadPool, ExceptionsComeOutAtTheCaller) {
  for (unsigned threads : {1u, 3u}) {
    ThreadPool pool(threads);
    const auto fails = [](std::int64_t i) {
      if (i % 7 == 3) throw std::bad_alloc();
    };
    EXPECT_THROW(pool.parallelFor(100, fails), std::bad_alloc);
    std::atomic<int> calls{0};
    pool.parallelFor(10, [&](std::int64_t) { ++calls; });
    EXPECT_EQ(calls, 10);
  }
}

} // namespace
} // namespace sd
