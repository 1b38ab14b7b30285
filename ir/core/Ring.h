// The rings Z_2^32 and Z_2^64 in which shares, masks and quantised weights live. A program has one of them; code that
// works in either takes the residue's type as its template parameter R.
#pragma once

#include <concepts>
#include <cstdint>
#include <limits>
#include <type_traits>
#include <utility>

namespace sd {

using Ring32 = std::uint32_t; // a residue
using Ring64 = std::uint64_t;

template <class R>
concept RingWord = std::same_as<R, Ring32> || std::same_as<R, Ring64>;

// The same residue, centred: in [-2^(bits - 1), 2^(bits - 1)).
template <RingWord R>
using SignedOf = std::make_signed_t<R>;

template <RingWord R>
inline constexpr int kBitsOf = std::numeric_limits<R>::digits;

// Every value entering a truncation or comparison must satisfy |y| <= 2^k - 2^t for a k of at most this
// (docs/protocols.md, truncation).
template <RingWord R>
inline constexpr int kBoundBitsOf = kBitsOf<R> - 2;

constexpr bool isRingBits(int bits) { return bits == kBitsOf<Ring32> || bits == kBitsOf<Ring64>; }

// Calls f.operator()<R>() for the ring of `bits` bits, which isRingBits().
template <class F>
decltype(auto) withRing(int bits, F &&f) {
  return bits == kBitsOf<Ring64> ? std::forward<F>(f).template operator()<Ring64>()
                                 : std::forward<F>(f).template operator()<Ring32>();
}

} // namespace sd
