// Parameters of the RLWE encryption under the linear correlations; the only place where they stand.
//
// Security: ring degree N = 4096 and a ternary secret admit log2 q <= 109 for 128 bits against classical attacks
// (Albrecht et al., "Homomorphic Encryption Standard", 2018, table 1, uniform ternary secret, error width 3.2).
// Here log2 q = 100, so the margin is above 128 bits. The error is a centred binomial of parameter 21: its deviation
// sqrt(21/2) = 3.24 is the standard's 3.2, and it never exceeds 21, which makes the noise bounds below absolute.
#pragma once

#include <cstdint>

#include "ir/core/LinearPacking.h"

namespace sd {

inline constexpr int kLogDegree = 12;
static_assert(kRlweDegree == 1 << kLogDegree);

// The two largest primes below 2^50 that are 1 mod 2N (2^50 - 16383 and 2^50 - 212991).
inline constexpr int kPrimeCount = 2;
inline constexpr std::uint64_t kPrimes[kPrimeCount] = {1125899906826241, 1125899906629633};
inline constexpr int kPrimeBits = 50;
static_assert(kUploadBits == kPrimeCount * kPrimeBits);

inline constexpr int kErrorBound = 21; // centred binomial parameter: |e| <= 21, variance 10.5

// The flood added to a wanted coefficient is uniform on [-2^65, 2^65). If a product's noise is at most 2^26, each
// coefficient sent is within statistical distance 2^26 / 2^66 = 2^-40 of one that does not depend on the weights.
//
// Errors are dense, so all weights of an output block's polynomials meet in each of its coefficients, those of the
// other outputs too. With l1 and l2 their norms, the noise is at most kErrorBound * l1 + l1 / 2 (the encoding's
// rounding); and, as an error is a sum of 42 independent signs of 1/2, hence subgaussian of variance proxy 10.5, its
// first part exceeds kErrorTail * l2 with probability below 2 exp(-30^2 / 21) < 2^-60.
inline constexpr int kFloodBits = 66;
inline constexpr int kStatisticalBits = 40;
inline constexpr double kErrorTail = 30;
inline constexpr std::int64_t kMaxNoise = std::int64_t{1} << (kFloodBits - kStatisticalBits);

// A ProductSum holds no more products than this.
inline constexpr std::int64_t kMaxProducts = 4096;

} // namespace sd
