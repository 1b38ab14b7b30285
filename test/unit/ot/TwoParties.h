// Two parties as two threads over a pair of connections in memory, with fixed seeds.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <string_view>
#include <thread>

#include "runtime/crypto/Random.h"
#include "runtime/net/MemoryChannel.h"

namespace sd {

inline Prg testPrg(std::string_view name) {
  std::array<std::uint8_t, Seed::kBytes> bytes{};
  bytes[0] = 42;
  return Prg(Seed(bytes).derive(name));
}

struct TwoParties {
  std::unique_ptr<Connection> a, b;

  TwoParties() { std::tie(a, b) = makeMemoryConnections({.timeout = std::chrono::seconds(20)}); }

  // Runs both sides to their end; the caller sees to what they return.
  template <class A, class B>
  std::pair<Expected<void>, Expected<void>> runBoth(A &&first, B &&second) {
    Expected<void> ofB;
    std::thread other([&] {
      ofB = second(*b);
      if (!ofB) b->close("the other party failed: " + ofB.error().message);
    });
    Expected<void> ofA = first(*a);
    if (!ofA) a->close("the other party failed: " + ofA.error().message);
    other.join();
    return {std::move(ofA), std::move(ofB)};
  }

  template <class A, class B>
  void run(A &&first, B &&second) {
    const auto [ofA, ofB] = runBoth(std::forward<A>(first), std::forward<B>(second));
    ASSERT_TRUE(ofA) << ofA.error().message;
    ASSERT_TRUE(ofB) << ofB.error().message;
  }
};

} // namespace sd
