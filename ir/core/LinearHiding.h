// How well the replies of RLWE layers hide the service's weights; docs/protocols.md, "Privacy of the weights". The only
// place of these figures; the encryption's own are in runtime/he/RlweParameters.h.
#pragma once

#include <span>
#include <vector>

#include "ir/core/LinearPacking.h"

namespace sd {

// What P1 sees of one inference is within statistical distance 2^-kHidingBits of what does not depend on the weights:
// the service refuses weights that are too large for that, and then says so.
inline constexpr int kHidingBits = 40;
// Distances grow by the square root of the number of inferences: after 10^6 of them 2^-30.03, rounded.
inline constexpr int kHidingBitsAfterMillion = 30;

inline constexpr int kErrorBound = 2; // of RLWE's errors, centred binomial: |e| <= 2, variance 1
// Of an error and of the dithered rounding of the encoding (Rlwe.cpp), together.
inline constexpr double kUploadVariance = kErrorBound / 2.0 + 0.25;

// 2 sqrt(3) ln(2 + sqrt(3)): Fisher information of a sum of three uniform variables on [0, 1], about their mean.
inline constexpr double kFloodInformation = 4.5621;

// The flood added to a wanted coefficient is the sum of three integers uniform in an interval of U = 2^floodBits().
// Shifted by d, it is within Hellinger distance H of itself, H^2 <= kFloodInformation d^2 / (8 U^2). Errors are dense,
// so in each coefficient of a reply all weights of its output block meet, and d^2 is kUploadVariance times the sum of
// their squares on average. H^2 adds up over all coefficients of an inference, and the statistical distance is at most
// sqrt(2 H^2). docs/protocols.md has the proof, scripts/flood-estimate.py the figures.
constexpr int floodBits(int ringBits, RlweUse use = RlweUse::Weights) {
  const bool wide = ringBits == kBitsOf<Ring64>;
  if (use == RlweUse::Masks) return wide ? 126 : 114;
  return wide ? 80 : 65;
}

// What a sum over the coefficients sent in an inference, each with the squares of the weights that meet in it, may be.
constexpr double maxReplySquares(int ringBits, RlweUse use = RlweUse::Weights) {
  double most = 4 / (kFloodInformation * kUploadVariance);
  for (int i = 0; i < floodBits(ringBits, use) - kHidingBits; ++i)
    most *= 4;
  return most;
}

// In how many of the coefficients that a layer's replies send the weights of each output channel meet: those of its
// output block.
std::vector<double> replyCounts(const LinearGeometry &geometry, const Packing &packing);

// That sum of one layer. Weight is an integer type.
template <class Weight>
double replySquares(const LinearGeometry &geometry, const Packing &packing, std::span<const Weight> weights);

// b, where the distance is 2^-b for a sum of replySquares() over an inference; infinite for 0.
double hidingBits(double squares, int ringBits);

} // namespace sd
