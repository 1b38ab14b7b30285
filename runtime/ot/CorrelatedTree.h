// Correlated punctured trees: Half-Tree (Guo, Yang, Wang, Zhang, Xie, Liu, Zhao, EUROCRYPT 2023, figures 3 and 4).
//
// The root's children are (k, k ^ Delta), and a node x has the children H(x) and x ^ H(x), so the nodes of each level
// add up to Delta: one hash a leaf, half of what a plain tree costs, and one block a level sent, masked by a correlated
// OT whose random choice bit is the negated path bit. With leaves v at the sender and w at the receiver: w = v, but
// w[alpha] = v[alpha] ^ Delta. Leaf numbers are bit-reversed paths. The lowest bit of every leaf is cleared, and set in
// w[alpha]: it is the choice bit. A tree has its own hash key (AesHash.h).
#pragma once

#include <cstdint>
#include <span>

#include "runtime/crypto/AesHash.h"

namespace sd {

// `leaves` has 2^depth elements, `leftSums` depth: the XOR of the left children of each level.
void growTree(const AesKey &key, Block root, Block delta, std::span<Block> leaves, std::span<Block> leftSums);

// sideSums[l] is the XOR of the level's left children where choices[l] = 0, of its right children where it is 1; the
// path takes the other side. The one place whose address depends on the secret path is the path's own node.
void openTree(const AesKey &key, std::span<const std::uint8_t> choices, std::span<const Block> sideSums,
              std::span<Block> leaves);

} // namespace sd
