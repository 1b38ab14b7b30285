// The ring Z_2^32 in which shares, masks and quantised weights live.
#pragma once

#include <cstdint>

namespace sd {

using Ring = std::uint32_t;      // a residue
using SignedRing = std::int32_t; // the same residue, centred: in [-2^31, 2^31)
inline constexpr int kRingBits = 32;

// Every value entering a truncation or comparison must satisfy |y| <= 2^30 - 2^t (docs/protocols.md, truncation).
inline constexpr int kBoundBits = 30;

} // namespace sd
