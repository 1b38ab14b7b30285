// Parameters of the RLWE encryption under the linear correlations, for either ring; the only place where they stand,
// with the sizes in ir/core/LinearPacking.h.
//
// Security: ring degree N = 4096 and a uniform ternary secret admit log2 q <= 109 for 128 bits against classical
// attacks, N = 8192 admits 218 (Albrecht et al., "Homomorphic Encryption Standard", 2018, table 1, error width 3.2).
// Here log2 q = 100 and 150, so the margin is above 128 bits. The error is a centred binomial of parameter 21: its
// deviation sqrt(21/2) = 3.24 is the standard's 3.2, and it never exceeds 21, which makes the noise bounds below
// absolute.
#pragma once

#include <type_traits>

#include "ir/core/LinearPacking.h"
#include "ir/core/Ring.h"
#include "runtime/he/Modular.h"

namespace sd {

// The three largest primes below 2^50 that are 1 mod 2^14 (2^50 - 16383, 2^50 - 212991, 2^50 - 1097727).
inline constexpr std::uint64_t kPrimes[] = {1125899906826241, 1125899906629633, 1125899905744897};
inline constexpr int kPrimeBits = 50;

inline constexpr int kErrorBound = 21; // centred binomial parameter: |e| <= 21, variance 10.5

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

  // The flood added to a wanted coefficient is uniform on [-2^65, 2^65) or [-2^81, 2^81). If a product's noise is at
  // most kMaxNoise, that is 2^26 or 2^38, each coefficient sent is within statistical distance 2^-kStatisticalBits of
  // one that does not depend on the weights.
  //
  // Errors are dense, so all weights of an output block's polynomials meet in each of its coefficients, those of the
  // other outputs too. With l1 and l2 their norms, the noise is at most kErrorBound * l1 + l1 / 2 (the encoding's
  // rounding); and, as an error is a sum of 42 independent signs of 1/2, hence subgaussian of variance proxy 10.5, its
  // first part exceeds kErrorTail * l2 with probability below 2 exp(-30^2 / 21) < 2^-60.
  static constexpr int kFloodBits = kWide ? 82 : 66;
  static constexpr int kStatisticalBits = kWide ? 44 : 40;
  static constexpr std::int64_t kMaxNoise = std::int64_t{1} << (kFloodBits - kStatisticalBits);

  static constexpr std::size_t kPolyWords = std::size_t(kPrimeCount) * kDegree;
};
template <RingWord R>
using ReplyWord = typename RlweParameters<R>::ReplyWord;

inline constexpr double kErrorTail = 30;

// A ProductSum holds no more products than this.
inline constexpr std::int64_t kMaxProducts = 4096;

} // namespace sd
