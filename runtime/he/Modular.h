// Scalar arithmetic modulo the primes of RlweParameters.h.
#pragma once

#include <cstdint>

namespace sd {

__extension__ typedef unsigned __int128 Wide;

constexpr std::uint64_t addMod(std::uint64_t a, std::uint64_t b, std::uint64_t p) {
  const std::uint64_t sum = a + b;
  return sum >= p ? sum - p : sum;
}
constexpr std::uint64_t subMod(std::uint64_t a, std::uint64_t b, std::uint64_t p) { return a >= b ? a - b : a + p - b; }
constexpr std::uint64_t mulMod(std::uint64_t a, std::uint64_t b, std::uint64_t p) {
  return static_cast<std::uint64_t>(static_cast<Wide>(a) * b % p);
}
constexpr std::uint64_t powMod(std::uint64_t a, std::uint64_t e, std::uint64_t p) {
  std::uint64_t r = 1;
  for (; e; e >>= 1, a = mulMod(a, a, p))
    if (e & 1) r = mulMod(r, a, p);
  return r;
}
constexpr std::uint64_t inverseMod(std::uint64_t a, std::uint64_t p) { return powMod(a, p - 2, p); }

// A constant factor w < p with its quotients floor(w 2^64 / p) and floor(w 2^52 / p) (Shoup's multiplication; see
// Harvey, "Faster arithmetic for number-theoretic transforms", 2014, section 3).
struct ShoupFactor {
  std::uint64_t w = 0, quotient64 = 0, quotient52 = 0;
  constexpr ShoupFactor() = default;
  constexpr ShoupFactor(std::uint64_t factor, std::uint64_t p)
      : w(factor), quotient64(static_cast<std::uint64_t>((static_cast<Wide>(factor) << 64) / p)),
        quotient52(static_cast<std::uint64_t>((static_cast<Wide>(factor) << 52) / p)) {}
  // a w mod p in [0, 2p), for any 64-bit a.
  constexpr std::uint64_t lazy(std::uint64_t a, std::uint64_t p) const {
    return a * w - static_cast<std::uint64_t>(static_cast<Wide>(a) * quotient64 >> 64) * p;
  }
  constexpr std::uint64_t operator()(std::uint64_t a, std::uint64_t p) const {
    const std::uint64_t r = lazy(a, p);
    return r >= p ? r - p : r;
  }
};

} // namespace sd
