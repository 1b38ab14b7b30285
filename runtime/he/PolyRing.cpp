#include "runtime/he/PolyRing.h"

#include <array>
#include <cassert>

namespace sd {

namespace {

constexpr int kBlock = kKernelDegree;

// A primitive 2N-th root of unity: the first of g^((p-1)/2N), g = 2, 3, ..., whose N-th power is -1.
std::uint64_t primitiveRoot(std::uint64_t p, int degree) {
  for (std::uint64_t g = 2;; ++g) {
    const std::uint64_t root = powMod(g, (p - 1) / (2 * static_cast<std::uint64_t>(degree)), p);
    if (powMod(root, static_cast<std::uint64_t>(degree), p) == p - 1) return root;
  }
}

// Powers 0 to N - 1 of the root in the order of the Cooley-Tukey transform: bit-reversed exponents.
std::vector<std::uint64_t> reversedPowers(std::uint64_t root, std::uint64_t p, int degree) {
  std::vector<std::uint64_t> powers(degree);
  std::uint64_t power = 1;
  for (int i = 0, at = 0; i < degree; ++i, power = mulMod(power, root, p)) {
    powers[at] = power;
    int bit = degree / 2;
    for (; at & bit; bit /= 2)
      at ^= bit;
    at |= bit;
  }
  return powers;
}

// Of the stage with `blocks` * m blocks, the roots of those in block `index` of the first stages' outcome.
std::vector<std::uint64_t> rootsOf(const std::vector<std::uint64_t> &powers, int blocks, int index) {
  std::vector<std::uint64_t> roots(kBlock);
  for (int m = 1; m < kBlock; m *= 2)
    for (int i = 0; i < m; ++i)
      roots[m + i] = powers[(blocks + index) * m + i];
  return roots;
}

ProductLanes lanesOf(ProductSum &sum, int block) {
  return {sum.lo.data() + block * kBlock, sum.hi.data() + block * kBlock};
}

} // namespace

PolyRing::PolyRing(std::uint64_t prime, int degree, const PolyKernels &kernels)
    : kernels_(&kernels), prime_(prime), degree_(degree) {
  assert(degree == kBlock || degree == 2 * kBlock);
  const std::uint64_t root = primitiveRoot(prime, degree);
  const auto forward = reversedPowers(root, prime, degree);
  const auto inverse = reversedPowers(inverseMod(root, prime), prime, degree);
  first_ = ShoupFactor(forward[1], prime);
  firstInverse_ = ShoupFactor(inverse[1], prime);
  const int blocks = degree / kBlock;
  for (int i = 0; i < blocks; ++i)
    blocks_.emplace_back(prime, degree, rootsOf(forward, blocks, i), rootsOf(inverse, blocks, i));
}

void PolyRing::forward(std::uint64_t *a) const {
  if (blocks_.size() == 2) kernels_->split(blocks_[0], first_, a, a + kBlock);
  for (const NttTables &block : blocks_) {
    kernels_->forward(block, a);
    a += kBlock;
  }
}

void PolyRing::forwardSparse(std::uint64_t *a, std::array<std::uint64_t *, kInterleaved> out) const {
  if (blocks_.size() == 2) kernels_->split(blocks_[0], first_, a, a + kBlock);
  for (const NttTables &block : blocks_) {
    kernels_->forwardSparse(block, a, out);
    a += kBlock;
    for (auto &poly : out)
      poly += kBlock;
  }
}

void PolyRing::inverse(std::uint64_t *a) const {
  for (std::size_t i = 0; i < blocks_.size(); ++i)
    kernels_->inverse(blocks_[i], a + i * kBlock);
  if (blocks_.size() == 2) kernels_->join(blocks_[0], firstInverse_, a, a + kBlock);
}

void PolyRing::multiplyAdd(ProductSum &sum, const std::uint64_t *a, const std::uint64_t *b) const {
  for (std::size_t i = 0; i < blocks_.size(); ++i)
    kernels_->multiplyAdd(blocks_[i], lanesOf(sum, i), a + i * kBlock, b + i * kBlock);
}

void PolyRing::multiplyAddPairs(ProductSum &c0, ProductSum &c1, std::span<const PairTerm> terms) const {
  assert(terms.size() <= kTermsAtOnce);
  std::array<PairTerm, kTermsAtOnce> block;
  for (std::size_t i = 0; i < blocks_.size(); ++i) {
    for (std::size_t k = 0; k < terms.size(); ++k)
      block[k] = {terms[k].weights + i * kBlock, terms[k].c0 + i * kBlock, terms[k].c1 + i * kBlock};
    kernels_->multiplyAddPairs(blocks_[i], lanesOf(c0, i), lanesOf(c1, i), std::span(block).first(terms.size()));
  }
}

void PolyRing::reduce(const ProductSum &sum, std::uint64_t *out) const {
  for (std::size_t i = 0; i < blocks_.size(); ++i)
    kernels_->reduce(blocks_[i], sum.lo.data() + i * kBlock, sum.hi.data() + i * kBlock, out + i * kBlock);
}

} // namespace sd
