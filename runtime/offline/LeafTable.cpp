#include "runtime/offline/LeafTable.h"

#include <algorithm>

namespace sd {
namespace {

// equal[e] = AND over bits of (b_j == e_j); greater[e] = [b < e] = XOR of equal[0 .. e - 1].
void digitTables(const CompareTree::Digit &digit, const SecretPlanes &b, PlanesRef out, std::size_t words) {
  const std::size_t entries = std::size_t{1} << digit.bits;
  for (std::size_t w = 0; w < words; ++w) {
    std::uint64_t equal[16];
    equal[0] = ~std::uint64_t{0};
    for (int j = 0; j < digit.bits; ++j) {
      const std::uint64_t bit = b[digit.firstBit + j][w];
      for (std::size_t e = 0; e < std::size_t{1} << j; ++e) {
        equal[e | std::size_t{1} << j] = equal[e] & bit;
        equal[e] &= ~bit;
      }
    }
    std::uint64_t below = 0;
    for (std::size_t e = 0; e < entries; ++e) {
      out[e][w] = below;
      below ^= equal[e];
      if (digit.equality) out[entries + e][w] = equal[e];
    }
  }
}

} // namespace

template <RingWord R>
SecretPlanes comparedBits(const CompareTree &tree, std::span<const R> r) {
  SecretPlanes b(r.size(), tree.bits);
  wordsToPlanes(r, 0, tree.bits, b.ref());
  for (std::uint64_t &word : b.words())
    word = ~word;
  return b;
}

template SecretPlanes comparedBits(const CompareTree &, std::span<const Ring32>);
template SecretPlanes comparedBits(const CompareTree &, std::span<const Ring64>);

SecretPlanes leafTables(const CompareTree &tree, const SecretPlanes &b) {
  SecretPlanes tables(b.elements(), tree.tablePlanes());
  const auto first = firstTablePlanes(tree);
  for (std::size_t d = 0; d < tree.digits.size(); ++d)
    digitTables(tree.digits[d], b, tables.ref().from(first[d]), b.stride());
  return tables;
}

void swapEntries(SecretPlanes &tables, std::size_t first, const CompareTree::Digit &digit, int bit,
                 const std::uint64_t *choice) {
  const PlanesRef planes = tables.ref().from(first);
  const std::size_t count = static_cast<std::size_t>(digit.tablePlanes()), step = std::size_t{1} << bit;
  for (std::size_t e = 0; e < count; ++e)
    if (!(e & step)) swapPlanes(planes[e], planes[e | step], choice, tables.stride());
}

std::vector<std::size_t> firstTablePlanes(const CompareTree &tree) {
  std::vector<std::size_t> first;
  std::size_t at = 0;
  for (const auto &digit : tree.digits) {
    first.push_back(at);
    at += static_cast<std::size_t>(digit.tablePlanes());
  }
  return first;
}

} // namespace sd
