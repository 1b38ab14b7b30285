// The part of a comparison that both parties run alike: opening the tree level by level and then its masked results,
// each message with its sender's part of two consecutive levels.
#pragma once

#include "runtime/protocol/OpenedTree.h"

namespace sd {

// Levels are numbered as in the message chart of Compare.h: 0 the leaves, 1 .. depth the tree, depth + 1 the results.
// Message k carries its sender's parts of levels k and k + 1, as far as they exist.
class CompareRun {
public:
  struct Material {
    SecretPlanes tables, masks, products;
    SecretPlanes ends; // this party's shares of the results' masks
  };
  CompareRun(const CompareShape &shape, Party party, std::size_t elements, Material material, ThreadPool *pool);
  CompareRun(const CompareRun &) = delete;
  CompareRun &operator=(const CompareRun &) = delete;

  int depth() const { return static_cast<int>(tree_.levels.size()); }
  const CompareTree &tree() const { return tree_; }
  std::size_t words() const { return planeWords(elements_); }
  ThreadPool *pool() const { return pool_; }

  // Level 0: the masked digits, tree().bits planes, and this party's bit of the sign before the carry into it (no plane
  // where nothing is selected).
  void openLeaves(SecretPlanes opened, SecretPlanes signBit);
  // Computes and writes this party's parts in message k; the other's parts in message k - 1 must be there.
  void writeParts(int k, BitWriter &writer);
  void readParts(int k, BitReader &reader);
  // Opens the results; both parts must be there.
  void finish() { openUpTo(end()); }

  // Masked result k: the sign under lam, then [sign and carry] under rho; of a truncation alone the carry under rho.
  const std::uint64_t *opened(int k) const { return results_[k]; }
  const SecretPlanes &ends() const { return material_.ends; }

private:
  int end() const { return depth() + 1; } // the results' level
  bool hasPart(int level) const { return level >= 1 && level <= end(); }
  int partPlanes(int level) const {
    return level == end() ? tree_.results : tree_.levels[static_cast<std::size_t>(level) - 1].wireCount();
  }
  void openUpTo(int level);
  void writePart(int level, BitWriter &writer);

  CompareTree tree_;
  std::size_t elements_;
  ThreadPool *pool_;
  Material material_;
  OpenedTree opened_;
  SecretPlanes digits_, signBit_, results_;
  std::vector<SecretPlanes> mine_, theirs_; // by level
  int openedLevel_ = -1;
};

} // namespace sd
