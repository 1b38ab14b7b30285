// 128 bits: a node of a punctured tree, a correlated OT's message, an AES block. Bit 0 is the lowest bit of the first
// byte.
#pragma once

#include <cstdint>

namespace sd {

struct alignas(16) Block {
  std::uint64_t lo = 0, hi = 0;

  friend Block operator^(Block a, Block b) { return {a.lo ^ b.lo, a.hi ^ b.hi}; }
  friend Block operator&(Block a, Block b) { return {a.lo & b.lo, a.hi & b.hi}; }
  Block &operator^=(Block b) { return *this = *this ^ b; }
  bool operator==(const Block &) const = default;

  // All ones if `bit` is 1, zero if it is 0.
  static Block mask(std::uint64_t bit) { return {std::uint64_t{0} - bit, std::uint64_t{0} - bit}; }
};

inline constexpr Block kAllOnes{~std::uint64_t{0}, ~std::uint64_t{0}};
inline constexpr Block kClearLowBit{~std::uint64_t{1}, ~std::uint64_t{0}};

} // namespace sd
