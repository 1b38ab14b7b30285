#include "runtime/protocol/OpenedTree.h"

#include <algorithm>

namespace sd {
namespace {

// A term's factors: the wires' opened parts, and this party's share of the masks' product for each subset of them.
struct TermPlanes {
  const std::uint64_t *mine[kMostFactors], *theirs[kMostFactors];
  const std::uint64_t *products[1 << kMostFactors];
};

// out ^= share of the product of kFactors values, each public ^ mask. Factor by factor from the last,
// product over S = public_k product over S' + product over S' and k; P0 holds the product over nothing, 1.
template <int kFactors>
void addTerm(const TermPlanes &term, std::uint64_t one, std::uint64_t *out, WordRange range) {
  for (std::size_t w = range.begin; w < range.end; ++w) {
    std::uint64_t m[1 << kFactors];
    m[0] = one;
    for (int s = 1; s < 1 << kFactors; ++s)
      m[s] = term.products[s][w];
    for (int k = kFactors - 1; k >= 0; --k) {
      const std::uint64_t opened = term.mine[k][w] ^ term.theirs[k][w];
      for (int s = 0; s < 1 << k; ++s)
        m[s] = (opened & m[s]) ^ m[s | 1 << k];
    }
    out[w] ^= m[0];
  }
}

void addTermOf(std::size_t factors, const TermPlanes &term, std::uint64_t one, std::uint64_t *out, WordRange range) {
  switch (factors) {
  case 1:
    return addTerm<1>(term, one, out, range);
  case 2:
    return addTerm<2>(term, one, out, range);
  case 3:
    return addTerm<3>(term, one, out, range);
  case 4:
    return addTerm<4>(term, one, out, range);
  default:
    return addTerm<5>(term, one, out, range);
  }
}

} // namespace

OpenedTree::OpenedTree(const CompareTree &tree, Party party, SecretPlanes masks, SecretPlanes products)
    : tree_(tree), party_(party), masks_(std::move(masks)), products_(std::move(products)) {
  int mask = 0, product = 0;
  for (const auto &level : tree.levels) {
    firstMask_.push_back(mask);
    firstProduct_.push_back(product);
    mask += level.wireCount();
    product += static_cast<int>(level.products.size());
  }
}

void OpenedTree::prepare(std::size_t elements) {
  shares_ = SecretPlanes(elements, 2 * static_cast<int>(tree_.digits.size()));
}

void OpenedTree::lookUp(ConstPlanesRef opened, const SecretPlanes &tables, const std::uint64_t *sign, WordRange range) {
  const std::size_t words = range.end - range.begin;
  std::size_t table = 0;
  int plane = 0;
  for (const auto &digit : tree_.digits) {
    const ConstPlanesRef index = opened.from(static_cast<std::size_t>(digit.firstBit)).at(range.begin);
    for (int k = 0; k < digit.tables(); ++k) {
      lookupPlanes(tables.ref().from(table).at(range.begin), index, digit.bits, shares_[plane + k] + range.begin,
                   words);
      table += std::size_t{1} << digit.bits;
    }
    plane += 2;
  }
  if (sign) xorPlanes(shares_[plane - 2] + range.begin, sign + range.begin, words);
}

void OpenedTree::part(std::size_t level, PlanesRef out, WordRange range) const {
  const auto &wires = tree_.levels[level].wires;
  for (std::size_t k = 0; k < wires.size(); ++k) {
    const std::uint64_t *mask = masks_[firstMask_[level] + static_cast<int>(k)], *from = shares_[wires[k]];
    std::uint64_t *to = out[k];
    for (std::size_t w = range.begin; w < range.end; ++w)
      to[w] = from[w] ^ mask[w];
  }
}

void OpenedTree::merge(std::size_t level, ConstPlanesRef mine, ConstPlanesRef theirs, WordRange range) {
  const auto &shape = tree_.levels[level];
  const auto node = [&](int i) -> const std::uint64_t * {
    return i < shape.wireCount() ? masks_[firstMask_[level] + i]
                                 : products_[firstProduct_[level] + i - shape.wireCount()];
  };
  const std::uint64_t one = party_ == Party::Service ? ~std::uint64_t{0} : 0;
  for (const auto &result : shape.results) {
    std::uint64_t *out = shares_[result.plane];
    if (result.from >= 0) { // from a place that no result before it has taken
      if (result.from != result.plane)
        std::copy(shares_[result.from] + range.begin, shares_[result.from] + range.end, out + range.begin);
      continue;
    }
    std::fill(out + range.begin, out + range.end, 0);
    for (const auto &term : result.terms) {
      TermPlanes planes{};
      for (std::size_t k = 0; k < term.wires.size(); ++k) {
        planes.mine[k] = mine[static_cast<std::size_t>(term.wires[k])];
        planes.theirs[k] = theirs[static_cast<std::size_t>(term.wires[k])];
      }
      for (std::size_t s = 1; s < term.nodes.size(); ++s)
        planes.products[s] = node(term.nodes[s]);
      addTermOf(term.wires.size(), planes, one, out, range);
    }
  }
}

} // namespace sd
