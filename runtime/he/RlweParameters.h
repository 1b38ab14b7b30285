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

// The flood added to a wanted coefficient is uniform on [-2^65, 2^65). A product's noise is at most
// (kErrorBound + 1/2) * l1 with l1 the sum of |w| of one output, so for l1 <= kMaxWeightL1 it is below 2^26 and each
// coefficient sent is within statistical distance 2^26 / 2^66 = 2^-40 of one that does not depend on the weights.
inline constexpr int kFloodBits = 66;
inline constexpr int kStatisticalBits = 40;
static_assert((2 * kErrorBound + 1) * kMaxWeightL1 / 2 <= std::int64_t{1} << (kFloodBits - kStatisticalBits));

} // namespace sd
