// The kernels of PolyRing.h: number-theoretic transforms of 4096 residues and products of transforms, with run-time
// dispatch (AVX-512 IFMA, AVX2, portable). All variants give the same words.
#pragma once

#include <array>
#include <span>
#include <vector>

#include "runtime/crypto/Secret.h"
#include "runtime/he/Modular.h"

namespace sd {

inline constexpr int kKernelDegree = 4096;

// The roots of one transform. Index m + i has that of block i of the stage of m blocks. `degree` is that of the whole
// polynomial, by which the inverse divides.
struct NttTables {
  NttTables(std::uint64_t prime, int degree, std::vector<std::uint64_t> forwardRoots,
            std::vector<std::uint64_t> inverseRoots);

  std::uint64_t p;
  struct Roots {
    std::vector<std::uint64_t> w, quotient64, quotient52;
    // The roots of the stages of distance 2 and 1, regrouped for blocks of 8 x 8: pair h of block k at [h * 512 + k].
    std::vector<std::uint64_t> pair2, pair2Quotient, pair1, pair1Quotient;
    // The same for arithmetic in doubles: w in [-p / 2, p / 2], and w / p.
    struct Real {
      std::vector<double> w, quotient;
    } real, realPair2, realPair1;
  } forward, inverse;
  ShoupFactor inverseDegree; // 1 / N
  ShoupFactor two52;         // 2^52
  ShoupFactor two104;        // 2^104
  ShoupFactor one;
};

// A sum of products of residues, reduced once at the end: lane i holds hi 2^52 + lo. At most
// kMaxProducts products. Wiped: with the ciphertexts it gives the weights away.
struct ProductSum {
  SecretVector<std::uint64_t> lo, hi;
  explicit ProductSum(int degree) : lo(degree, 0), hi(degree, 0) {}
  void clear();
};

struct ProductLanes {
  std::uint64_t *lo, *hi;
};

// One product of a weight polynomial with both polynomials of a ciphertext.
struct PairTerm {
  const std::uint64_t *weights, *c0, *c1;
};

// Polynomials in X^kInterleaved whose transforms are made together.
inline constexpr int kInterleaved = 4;

enum class PolyTarget { Portable, Avx2, Avx512 };

// Arrays hold 4096 residues in [0, p), 64-byte aligned. A transform stands in the order that position 64 g + 8 e + k
// holds the Cooley-Tukey output 64 g + 8 k + e.
struct PolyKernels {
  PolyTarget target;
  void (*forward)(const NttTables &, std::uint64_t *a);
  void (*inverse)(const NttTables &, std::uint64_t *a);
  // The transforms of kInterleaved polynomials in X^kInterleaved at once: coefficient i of number j stands in a[i + j].
  // Uses `a` up.
  void (*forwardSparse)(const NttTables &, std::uint64_t *a, const std::array<std::uint64_t *, kInterleaved> &out);
  // The first stage of a transform of 8192 residues, and the inverse's last: root 1 of the whole polynomial, on x and y
  // of 4096 each.
  void (*split)(const NttTables &, const ShoupFactor &root, std::uint64_t *x, std::uint64_t *y);
  void (*join)(const NttTables &, const ShoupFactor &inverseRoot, std::uint64_t *x, std::uint64_t *y);
  void (*multiplyAdd)(const NttTables &, ProductLanes sum, const std::uint64_t *a, const std::uint64_t *b);
  // c0 += the sum of weights * c0, c1 likewise: several terms at once spare the sums' way to memory and back.
  void (*multiplyAddPairs)(const NttTables &, ProductLanes c0, ProductLanes c1, std::span<const PairTerm> terms);
  void (*reduce)(const NttTables &, const std::uint64_t *lo, const std::uint64_t *hi, std::uint64_t *out);
};

const PolyKernels &polyKernels();                     // the fastest that this machine has
const PolyKernels *polyKernelsFor(PolyTarget target); // null if this machine lacks it

} // namespace sd
