// Every security parameter of the OT extensions, in one place.
//
// The silent extension (runtime/ot/Cot.h) rests on the learning-parity-with-noise assumption in its primal form
// with regular noise: A s + e looks random, where A has n rows with d = 10 ones each in random places (a d-local linear
// code, Yang, Weng, Lan, Zhang, Wang: Ferret, CCS 2020, section 5.1), s has k bits, and e one 1 in each of t
// consecutive blocks of 2^depth.
//
// Regular noise is weaker than was thought: Briaud and Oygarden (EUROCRYPT 2023), Esser and Santini (CRYPTO 2024) and
// the hybrid attacks of 2025 and 2026 lowered the estimates, and the sets of the Ferret paper (t = 1269 to 1319) fell
// below 128 bits. The sets below are those of emp-ot 1.0.0-alpha.1 (emp-ot/tuning.h, 2026): at least 128 bits each
// against Gaussian elimination, statistical decoding and information-set decoding, BJMM, Esser-Santini, algebraic and
// hybrid attacks by its authors' estimator, the hybrid attack being the cheapest. A new attack is answered here, and
// nowhere else.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace sd {

inline constexpr int kComputationalSecurity = 128;
inline constexpr int kCodeWeight = 10; // ones in a row of A

struct LpnParameters {
  int trees;        // t: noise blocks, one punctured tree each
  int depth;        // log2 of a block's length
  int logSecret;    // log2 k
  int securityBits; // of the cheapest known attack, by the source above

  constexpr std::uint64_t leaves() const { return std::uint64_t{1} << depth; }
  constexpr std::uint64_t secretLength() const { return std::uint64_t{1} << logSecret; }
  constexpr std::uint64_t outputs() const { return static_cast<std::uint64_t>(trees) << depth; } // n
  // Correlated OTs that one run consumes: the secret's, and one for each tree level.
  constexpr std::uint64_t inputs() const { return secretLength() + static_cast<std::uint64_t>(trees) * depth; }
  // Trees at the end of a run that are kept for the next run's inputs, and the others.
  constexpr int refillTrees() const { return static_cast<int>((inputs() + leaves() - 1) >> depth); }
  constexpr int freeTrees() const { return trees - refillTrees(); }
};

inline constexpr std::array<LpnParameters, 4> kLpnSets{{
    {850, 10, 16, 128},  // n =    870,400
    {1170, 11, 17, 128}, // n =  2,396,160
    {1520, 12, 18, 128}, // n =  6,225,920
    {1900, 13, 19, 128}, // n = 15,564,800
}};

constexpr bool lpnSetsAreSound() {
  for (const LpnParameters &set : kLpnSets)
    if (set.securityBits < kComputationalSecurity || set.freeTrees() <= set.refillTrees()) return false;
  return true;
}
static_assert(lpnSetsAreSound());

// The non-silent extension (runtime/ot/SoftSpoken.h): 128 base transfers in trees of 2^kSubspaceBits leaves, so a
// correlated OT costs 128 / kSubspaceBits - 1 bits.
inline constexpr int kBaseTransfers = 128;
inline constexpr int kSubspaceBits = 8;
inline constexpr int kSubspaceTrees = kBaseTransfers / kSubspaceBits;
static_assert(kBaseTransfers % kSubspaceBits == 0);

} // namespace sd
