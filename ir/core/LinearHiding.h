// How well the replies of RLWE layers hide the service's weights; docs/protocols.md, "Privacy of the weights".
#pragma once

namespace sd {

// What P1 sees of one inference is within statistical distance 2^-kHidingBits of what does not depend on the weights:
// the service refuses weights that are too large for that, and then says so.
inline constexpr int kHidingBits = 40;
// Distances grow by the square root of the number of inferences: after 10^6 of them 2^-30.03, rounded.
inline constexpr int kHidingBitsAfterMillion = 30;

// The sum over the coefficients that replies send in an inference, each with the squares of the weights that meet in
// it, may be 2^this; RlweParameters::kMaxSquares is the exact number.
inline constexpr double maxSquaresBits(int ringBits) { return ringBits == 32 ? 49.5 : 79.5; }

} // namespace sd
