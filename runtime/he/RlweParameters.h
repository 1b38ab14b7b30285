// Parameters of the RLWE encryption under the linear correlations, for either ring; the only place where they stand,
// with the sizes in ir/core/LinearPacking.h.
//
// Security: 136 bits for Z_2^32 and 190 for Z_2^64, by the cheapest of the primal, hybrid and dual attacks
// (scripts/rlwe-estimate.py; docs/protocols.md has the table). The secret is uniform ternary, log2 q is 100 and 150,
// and the errors are ML-KEM's (FIPS 203), a centred binomial of parameter 2 and deviation 1. The Homomorphic Encryption
// Standard (Albrecht et al., 2018, table 1) admits 109 and 218 bits at deviation 3.2 for 128 bits of security, by the
// same formulas 126 and 127. Deviation 3.2 would give 2 bits more here and cost the flood 1.5 of its 40.
#pragma once

#include <type_traits>

#include "ir/core/LinearHiding.h"
#include "ir/core/LinearPacking.h"
#include "ir/core/Ring.h"
#include "runtime/he/Modular.h"

namespace sd {

// The three largest primes below 2^50 that are 1 mod 2^14 (2^50 - 16383, 2^50 - 212991, 2^50 - 1097727).
inline constexpr std::uint64_t kPrimes[] = {1125899906826241, 1125899906629633, 1125899905744897};
inline constexpr int kPrimeBits = 50;

inline constexpr int kErrorBound = 2; // centred binomial parameter: |e| <= 2, variance 1
// Of an error and of the dithered rounding of the encoding (Rlwe.cpp), together.
inline constexpr double kUploadVariance = kErrorBound / 2.0 + 0.25;

// 2 sqrt(3) ln(2 + sqrt(3)): Fisher information of a sum of three uniform variables on [0, 1], about their mean.
inline constexpr double kFloodInformation = 4.5621;

template <RingWord R>
struct RlweParameters {
  static constexpr bool kWide = kBitsOf<R> == kBitsOf<Ring64>;
  static constexpr RlweSizes kSizes = rlweSizes(kBitsOf<R>);
  static constexpr int kDegree = static_cast<int>(kSizes.degree);
  static constexpr int kPrimeCount = kSizes.uploadBits / kPrimeBits; // of kPrimes, from the first
  static constexpr int kReplyBits = kSizes.replyBits;
  static constexpr int kWantedBits = kSizes.wantedBits;
  // What P1 needs to know c1 s over the integers when it decrypts.
  static constexpr int kDecryptPrimes = kWide ? 2 : 1;
  using ReplyWord = std::conditional_t<kWide, Wide, std::uint64_t>; // holds a coefficient of a reply

  // The flood added to a wanted coefficient is the sum of three integers uniform in an interval of U = 2^kFloodBits.
  // Shifted by d, it is within Hellinger distance H of itself, H^2 <= kFloodInformation d^2 / (8 U^2). Errors are
  // dense, so in each coefficient of a reply all weights of its output block meet, and d^2 is kUploadVariance times the
  // sum of their squares on average. H^2 adds up over all coefficients of an inference, and the statistical distance is
  // at most sqrt(2 H^2). docs/protocols.md has the proof, scripts/flood-estimate.py the figures.
  static constexpr int kFloodBits = kWide ? 80 : 65;
  // What a sum over the coefficients sent in an inference, each with the squares of the weights that meet in it, may
  // be.
  static constexpr double kMaxSquares = [] {
    double most = 4 / (kFloodInformation * kUploadVariance);
    for (int i = 0; i < kFloodBits - kHidingBits; ++i)
      most *= 4;
    return most;
  }();

  static constexpr std::size_t kPolyWords = std::size_t(kPrimeCount) * kDegree;
};
template <RingWord R>
using ReplyWord = typename RlweParameters<R>::ReplyWord;

// A ProductSum holds no more products than this.
inline constexpr std::int64_t kMaxProducts = 4096;

} // namespace sd
