// Bits of many elements as vectors, and how far they are from a fair coin.
#pragma once

#include <bit>
#include <cmath>
#include <vector>

#include "runtime/offline/SecretPlanes.h"

namespace sd::test {

using Plane = std::vector<std::uint64_t>; // of a multiple of 64 elements

// In standard deviations of a coin's: 7 are passed but for odds of 3e-12.
inline double deviation(const Plane &plane) {
  std::int64_t ones = 0;
  for (const std::uint64_t word : plane)
    ones += std::popcount(word);
  const double bits = 64 * static_cast<double>(plane.size());
  return std::abs(static_cast<double>(ones) - bits / 2) / std::sqrt(bits / 4);
}

inline Plane operator^(const Plane &a, const Plane &b) {
  Plane sum(a);
  for (std::size_t w = 0; w < sum.size(); ++w)
    sum[w] ^= b[w];
  return sum;
}

inline void addPlanes(const SecretPlanes &planes, std::vector<Plane> &to) {
  for (int j = 0; j < planes.count(); ++j)
    to.emplace_back(planes[j], planes[j] + planes.stride());
}

} // namespace sd::test
