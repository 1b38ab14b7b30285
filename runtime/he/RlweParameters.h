// Parameters of the RLWE encryption under the linear correlations, for either ring; with the sizes in
// ir/core/LinearPacking.h and the errors and the flood in ir/core/LinearHiding.h, the only place where they stand.
//
// Security: 136 bits for Z_2^32 and 190 for Z_2^64, and where the service's factors are masks 190 and 138, by the
// cheapest of the primal, hybrid and dual attacks (scripts/rlwe-estimate.py; docs/protocols.md has the table). The
// secret is uniform ternary, log2 q is 100, 150, 150 and 200, and the errors are ML-KEM's (FIPS 203), a centred
// binomial of parameter 2 and deviation 1. The Homomorphic Encryption Standard (Albrecht et al., 2018, table 1) admits
// 109 and 218 bits at deviation 3.2 for 128 bits of security, by the same formulas 126 and 127. Deviation 3.2 would
// give 2 bits more here and cost the flood 1.5 of its 40.
#pragma once

#include <type_traits>

#include "ir/core/LinearHiding.h"
#include "ir/core/LinearPacking.h"
#include "ir/core/Ring.h"
#include "runtime/he/Modular.h"

namespace sd {

// The four largest primes below 2^50 that are 1 mod 2^14 (2^50 - 16383, - 212991, - 1097727, - 1490943).
inline constexpr std::uint64_t kPrimes[] = {1125899906826241, 1125899906629633, 1125899905744897, 1125899905351681};
inline constexpr int kPrimeBits = 50;

template <RingWord R, RlweUse U = RlweUse::Weights>
struct RlweParameters {
  static constexpr bool kWide = kBitsOf<R> == kBitsOf<Ring64>;
  static constexpr RlweSizes kSizes = rlweSizes(kBitsOf<R>, U);
  static constexpr int kDegree = static_cast<int>(kSizes.degree);
  static constexpr int kPrimeCount = kSizes.uploadBits / kPrimeBits; // of kPrimes, from the first
  static constexpr int kReplyBits = kSizes.replyBits;
  static constexpr int kWantedBits = kSizes.wantedBits;
  // What P1 needs to know c1 s over the integers when it decrypts.
  static constexpr int kDecryptPrimes = kWide ? 2 : 1;
  using ReplyWord = std::conditional_t<kWide, Wide, std::uint64_t>; // holds a coefficient of a reply

  static constexpr int kFloodBits = floodBits(kBitsOf<R>, U); // LinearHiding.h
  static constexpr double kMaxSquares = maxReplySquares(kBitsOf<R>, U);

  static constexpr std::size_t kPolyWords = std::size_t(kPrimeCount) * kDegree;
};
template <RingWord R>
using ReplyWord = typename RlweParameters<R>::ReplyWord;

// A ProductSum holds no more products than this.
inline constexpr std::int64_t kMaxProducts = 4096;

} // namespace sd
