// Message tags of what the two-party offline phase makes of OTs. Of the bit correlations, message k of a batch's chart
// (TwoPartyLayout.h) has tag kBitStage + k.
#pragma once

#include <cstdint>

namespace sd::tag {

inline constexpr std::uint16_t kTransferChoices = 0x0110, kTransferCorrections = 0x0111;
inline constexpr std::uint16_t kBitStage = 0x0120;

} // namespace sd::tag
