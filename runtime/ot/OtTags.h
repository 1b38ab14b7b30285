// The message tags of oblivious transfer, one a protocol step (runtime/net/Channel.h).
#pragma once

#include <cstdint>

namespace sd::tag {

inline constexpr std::uint16_t kBaseOtPoint = 0x0101;   // sender's point
inline constexpr std::uint16_t kBaseOtKeys = 0x0102;    // receiver's pairs of keys
inline constexpr std::uint16_t kTreeSums = 0x0110;      // SoftSpoken: the punctured trees' masked sums
inline constexpr std::uint16_t kSubspace = 0x0111;      // SoftSpoken: corrections of the choice vector
inline constexpr std::uint16_t kTreeLevels = 0x0112;    // silent extension: the correlated trees' masked level sums
inline constexpr std::uint16_t kReverseChoice = 0x0113; // base OTs out of the opposite direction's OTs

} // namespace sd::tag
