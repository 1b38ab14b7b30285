// One party's side of the comparison tree on bit planes: docs/protocols.md, steps 3 and 4. Local: what must be sent
// and what came is passed in. All functions work on plane words [begin, end), so that threads can share the elements.
#pragma once

#include "ir/core/CompareTree.h"
#include "runtime/offline/SecretPlanes.h"
#include "runtime/protocol/InteractiveOp.h"

namespace sd {

struct WordRange {
  std::size_t begin = 0, end = 0;
};

class OpenedTree {
public:
  OpenedTree(const CompareTree &tree, Party party, SecretPlanes masks, SecretPlanes products);

  // Room for the shares; before lookUp().
  void prepare(std::size_t elements);

  // Shares of each digit's (greater, equal): the entry `opened` of its tables. `opened` has tree.bits planes. The
  // highest digit's "greater" has this party's bit of `sign` added, if not null: so has every result that it enters.
  void lookUp(ConstPlanesRef opened, const SecretPlanes &tables, const std::uint64_t *sign, WordRange range);

  // This party's part of the wires of `level`, counted from 0: share ^ mask.
  void part(std::size_t level, PlanesRef out, WordRange range) const;

  // From both parts, shares of the level's results, in the place of its inputs.
  void merge(std::size_t level, ConstPlanesRef mine, ConstPlanesRef theirs, WordRange range);

  // After the last merge: this party's share of result `k`.
  const std::uint64_t *result(int k) const { return shares_[k]; }

private:
  const CompareTree &tree_;
  Party party_;
  SecretPlanes masks_, products_;
  SecretPlanes shares_; // of input i: greater in plane 2i, equal in plane 2i + 1
  std::vector<int> firstMask_, firstProduct_;
};

} // namespace sd
