// Message tags of the two-party bit correlations: message k of a batch's chart (TwoPartyLayout.h) has tag kBitStage +
// k.
#pragma once

#include <cstdint>

namespace sd::tag {

inline constexpr std::uint16_t kBitStage = 0x0120;

} // namespace sd::tag
