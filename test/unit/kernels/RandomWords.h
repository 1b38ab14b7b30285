// Words of either ring for tests, and the suites that run over both.
#pragma once

#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "ir/core/Ring.h"

namespace sd::test {

using BothRings = testing::Types<Ring32, Ring64>;

template <RingWord R>
std::vector<R> randomWords(std::size_t n, std::mt19937_64 &rng) {
  std::vector<R> words(n);
  for (R &word : words)
    word = static_cast<R>(rng());
  return words;
}

} // namespace sd::test
