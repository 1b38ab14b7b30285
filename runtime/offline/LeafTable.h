// The tables against which masked digits are looked up: docs/protocols.md, comparison, step 3. Local, on bit planes.
#pragma once

#include "ir/core/CompareTree.h"
#include "runtime/offline/SecretPlanes.h"

namespace sd {

// The complements of the low tree.bits bits of P1's r: the number that P0's is compared with. One plane a bit.
template <RingWord R>
SecretPlanes comparedBits(const CompareTree &tree, std::span<const R> r);

// Unpermuted tables of all digits in the order of Material.h: plane e of "greater" is [e > b], of "equal" [e == b].
SecretPlanes leafTables(const CompareTree &tree, const SecretPlanes &b);

// One butterfly layer on a digit's tables: where `choice` is set, swaps the entries that differ in bit `bit` of their
// index. All layers together, under the bits of c, move entry e to e ^ c. `digit` begins at plane `first`.
void swapEntries(SecretPlanes &tables, std::size_t first, const CompareTree::Digit &digit, int bit,
                 const std::uint64_t *choice);

// The first table plane of each digit.
std::vector<std::size_t> firstTablePlanes(const CompareTree &tree);

} // namespace sd
