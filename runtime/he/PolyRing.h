// Z_p[X] / (X^N + 1) for a prime p that is 1 mod 2N. N is the kernels' length (Ntt.h) or twice that: then a first stage
// of butterflies leaves two transforms of half the length.
#pragma once

#include <vector>

#include "runtime/he/Ntt.h"

namespace sd {

inline constexpr std::size_t kTermsAtOnce =
    4; // a weight polynomial and a ciphertext of each fit beside the sums in a core's cache

// Arrays hold N residues in [0, p), 64-byte aligned. Transforms stand in the kernels' order, half by half.
class PolyRing {
public:
  PolyRing(std::uint64_t prime, int degree, const PolyKernels &kernels = polyKernels());

  std::uint64_t prime() const { return prime_; }
  int degree() const { return degree_; }

  void forward(std::uint64_t *a) const;
  void inverse(std::uint64_t *a) const;
  // The transforms of kInterleaved polynomials in X^kInterleaved at once: coefficient i of number j stands in a[i + j].
  // Uses `a` up.
  void forwardSparse(std::uint64_t *a, std::array<std::uint64_t *, kInterleaved> out) const;
  void multiplyAdd(ProductSum &sum, const std::uint64_t *a, const std::uint64_t *b) const;
  // c0 += the sum of weights * c0, c1 likewise, of at most kTermsAtOnce.
  void multiplyAddPairs(ProductSum &c0, ProductSum &c1, std::span<const PairTerm> terms) const;
  void reduce(const ProductSum &sum, std::uint64_t *out) const;

private:
  const PolyKernels *kernels_;
  std::uint64_t prime_;
  int degree_;
  std::vector<NttTables> blocks_;
  ShoupFactor first_, firstInverse_; // of the first stage, if there are two blocks
};

} // namespace sd
