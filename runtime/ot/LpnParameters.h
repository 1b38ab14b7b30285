// Every security parameter of the OT extensions, in one place.
//
// The silent extension (runtime/ot/Cot.h) rests on the learning-parity-with-noise assumption in its primal form
// with regular noise: A s + e looks random, where A has n rows with d = 10 ones each in random places (a d-local linear
// code, Yang, Weng, Lan, Zhang, Wang: Ferret, CCS 2020, section 5.1), s has k bits, and e one 1 in each of t
// consecutive blocks of 2^depth.
//
// Noise: k / 2^depth = 128, so that k rows picked at random hold 128 errors on average, twice the noise of emp-ot
// 1.0.0-alpha.1 (emp-ot/tuning.h, 2026) for the same k. Its authors' estimator (Yu, Yang, Wang, Wang, Wang, Liu, Hao,
// Li, "Estimator of LPN problems", 2025) gives 128 bits there, but takes A for a random matrix. With ten ones a row,
// rows whose places lie in 0.6 k columns are as many as those columns, and elimination among them takes 2^90 bit
// operations there, or 2^73 with information-set decoding. scripts/lpn-estimate.py has the formulas, applied to the
// sets below: all of them keep 130 bits even if an iteration's linear algebra costs no more than k^2. A new attack is
// answered here and in that script, and nowhere else.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace sd {

inline constexpr int kComputationalSecurity = 128;
inline constexpr int kCodeWeight = 10; // ones in a row of A

struct LpnParameters {
  int trees;     // t: noise blocks, one punctured tree each
  int depth;     // log2 of a block's length
  int logSecret; // log2 k

  constexpr std::uint64_t leaves() const { return std::uint64_t{1} << depth; }
  constexpr std::uint64_t secretLength() const { return std::uint64_t{1} << logSecret; }
  constexpr std::uint64_t outputs() const { return static_cast<std::uint64_t>(trees) << depth; } // n
  // Correlated OTs that one run consumes: the secret's, and one for each tree level.
  constexpr std::uint64_t inputs() const { return secretLength() + static_cast<std::uint64_t>(trees) * depth; }
  // Trees at the end of a run that are kept for the next run's inputs, and the others.
  constexpr int refillTrees() const { return static_cast<int>((inputs() + leaves() - 1) >> depth); }
  constexpr int freeTrees() const { return trees - refillTrees(); }
};

// Least estimate of scripts/lpn-estimate.py for any set, rounded down; the script fails if one is below.
inline constexpr int kLpnSecurityBits = 130;
static_assert(kLpnSecurityBits >= kComputationalSecurity);

inline constexpr std::array<LpnParameters, 4> kLpnSets{{
    {1400, 9, 16},  // n =    716,800
    {1600, 10, 17}, // n =  1,638,400
    {1800, 11, 18}, // n =  3,686,400
    {2000, 12, 19}, // n =  8,192,000
}};

constexpr bool lpnSetsRefillThemselves() {
  for (const LpnParameters &set : kLpnSets)
    if (set.freeTrees() <= set.refillTrees()) return false;
  return true;
}
static_assert(lpnSetsRefillThemselves());

// The non-silent extension (runtime/ot/SoftSpoken.h): 128 base transfers in trees of 2^kSubspaceBits leaves, so a
// correlated OT costs 128 / kSubspaceBits - 1 bits.
inline constexpr int kBaseTransfers = 128;
inline constexpr int kSubspaceBits = 8;
inline constexpr int kSubspaceTrees = kBaseTransfers / kSubspaceBits;
static_assert(kBaseTransfers % kSubspaceBits == 0);

} // namespace sd
