// The part of a comparison that both parties run alike: opening the tree level by level and then the masked sign, each
// message with its sender's part of two consecutive levels.
#pragma once

#include "runtime/protocol/OpenedTree.h"

namespace sd {

// Levels are numbered as in the message chart of Compare.h: 0 the leaves, 1 .. depth the tree, depth + 1 the sign.
// Message k carries its sender's parts of levels k and k + 1, as far as they exist.
class CompareRun {
public:
  struct Material {
    SecretPlanes tables, masks, products, l;
  };
  CompareRun(const CompareShape &shape, Party party, std::size_t elements, Material material, ThreadPool *pool);
  CompareRun(const CompareRun &) = delete;
  CompareRun &operator=(const CompareRun &) = delete;

  int depth() const { return static_cast<int>(tree_.levels.size()); }
  int sign() const { return depth() + 1; } // the sign's level
  const CompareTree &tree() const { return tree_; }
  std::size_t words() const { return planeWords(elements_); }
  ThreadPool *pool() const { return pool_; }

  // Level 0: the masked digits, tree().bits planes, and this party's share of the carry's complement in the sign.
  void openLeaves(SecretPlanes opened, SecretPlanes signBit);
  // Computes and writes this party's parts in message k; the other's parts in message k - 1 must be there.
  void writeParts(int k, BitWriter &writer);
  void readParts(int k, BitReader &reader);
  // Opens the sign; both parts must be there.
  void finish() { openUpTo(sign()); }

  const std::uint64_t *mu() const { return mu_[0]; }
  const SecretPlanes &l() const { return material_.l; }

private:
  bool hasPart(int level) const { return level >= 1 && level <= sign(); }
  int partPlanes(int level) const {
    return level == sign() ? 1 : tree_.levels[static_cast<std::size_t>(level) - 1].wires;
  }
  void openUpTo(int level);
  void writePart(int level, BitWriter &writer);

  CompareTree tree_;
  std::size_t elements_;
  ThreadPool *pool_;
  Material material_;
  OpenedTree opened_;
  SecretPlanes digits_, signBit_, mu_;
  std::vector<SecretPlanes> mine_, theirs_; // by level
  int openedLevel_ = -1;
};

} // namespace sd
