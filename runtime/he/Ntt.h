// Polynomials modulo X^N + 1 and one prime: the negacyclic number-theoretic transform and products of transforms, with
// run-time dispatch (AVX-512 IFMA, AVX2, portable). All variants give the same words.
#pragma once

#include <array>
#include <span>
#include <vector>

#include "runtime/crypto/Secret.h"
#include "runtime/he/Modular.h"
#include "runtime/he/RlweParameters.h"

namespace sd {

// Precomputed powers of a primitive 2N-th root for one prime. Index i holds the root of butterfly i in the order of the
// Cooley-Tukey transform (bit-reversed exponents).
struct NttTables {
  explicit NttTables(std::uint64_t prime);

  std::uint64_t p;
  struct Roots {
    std::vector<std::uint64_t> w, quotient64, quotient52;
    // The roots of the stages of distance 2 and 1, regrouped for blocks of 8 x 8: pair h of block k at [h * 512 + k].
    std::vector<std::uint64_t> pair2, pair2Quotient, pair1, pair1Quotient;
  } forward, inverse;
  ShoupFactor inverseDegree; // 1 / N
  ShoupFactor two52;         // 2^52
  ShoupFactor two104;        // 2^104
  ShoupFactor one;
};

const NttTables &nttTables(int prime); // 0 or 1

// A sum of products of residues, reduced once at the end: lane i holds hi 2^52 + lo. At most
// kMaxProducts products. Wiped: with the ciphertexts it gives the weights away.
struct ProductSum {
  SecretVector<std::uint64_t> lo, hi; // N each
  ProductSum() : lo(kRlweDegree, 0), hi(kRlweDegree, 0) {}
  void clear();
};

// One product of a weight polynomial with both polynomials of a ciphertext; N residues each.
struct PairTerm {
  const std::uint64_t *weights, *c0, *c1;
};

enum class PolyTarget { Portable, Avx2, Avx512 };

// Arrays hold N residues in [0, p), 64-byte aligned. A transform stands in the order that position 64 g + 8 e + k holds
// the Cooley-Tukey output 64 g + 8 k + e.
struct PolyKernels {
  PolyTarget target;
  void (*forward)(const NttTables &, std::uint64_t *a);
  void (*inverse)(const NttTables &, std::uint64_t *a);
  void (*multiplyAdd)(const NttTables &, ProductSum &sum, const std::uint64_t *a, const std::uint64_t *b);
  // c0 += the sum of weights * c0, c1 likewise: several terms at once spare the sums' way to memory and back.
  void (*multiplyAddPairs)(const NttTables &, ProductSum &c0, ProductSum &c1, std::span<const PairTerm> terms);
  void (*reduce)(const NttTables &, const ProductSum &sum, std::uint64_t *out);
};

const PolyKernels &polyKernels();                     // the fastest that this machine has
const PolyKernels *polyKernelsFor(PolyTarget target); // null if this machine lacks it

} // namespace sd
