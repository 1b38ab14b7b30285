#include "runtime/ot/CorrelatedTree.h"

#include <cassert>

namespace sd {

void growTree(const AesKey &key, Block root, Block delta, std::span<Block> leaves, std::span<Block> leftSums) {
  const AesKernels &aes = aesKernels();
  const std::size_t depth = leftSums.size();
  assert(depth >= 2 && leaves.size() == std::size_t{1} << depth);
  leaves[0] = leftSums[0] = root;
  leaves[1] = root ^ delta;
  for (std::size_t level = 1; level < depth; ++level)
    leftSums[level] =
        aes.expandLevel(key, level + 1 == depth ? kClearLowBit : kAllOnes, leaves.data(), std::size_t{1} << level);
}

void openTree(const AesKey &key, std::span<const std::uint8_t> choices, std::span<const Block> sideSums,
              std::span<Block> leaves) {
  const AesKernels &aes = aesKernels();
  const std::size_t depth = choices.size();
  assert(depth >= 2 && leaves.size() == std::size_t{1} << depth && sideSums.size() == depth);
  const Block zero;
  Block junk; // what the missing node, kept as zero, expands to on both sides
  aes.hash(key, zero, &zero, &junk, 1);

  std::size_t path = choices[0] ^ 1;
  leaves[path] = zero;
  leaves[path ^ 1] = sideSums[0];
  Block known = sideSums[0]; // XOR of the level's known nodes
  for (std::size_t level = 1; level < depth; ++level) {
    const std::size_t n = std::size_t{1} << level;
    const Block mask = level + 1 == depth ? kClearLowBit : kAllOnes;
    const Block left = aes.expandLevel(key, mask, leaves.data(), n);
    const Block others[2] = {left ^ junk, known ^ left ^ junk};
    const std::size_t side = choices[level];
    const Block sibling = sideSums[level] ^ others[0] ^ ((others[0] ^ others[1]) & Block::mask(side));
    known = others[0] ^ others[1] ^ sibling;
    leaves[path + n * side] = sibling & mask;
    path += n * (side ^ 1);
    leaves[path] = zero;
  }
  leaves[path] = known & kClearLowBit;
  leaves[path].lo |= 1;
}

} // namespace sd
