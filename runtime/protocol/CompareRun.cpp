#include "runtime/protocol/CompareRun.h"

#include <cassert>

namespace sd {

CompareRun::CompareRun(const CompareShape &shape, Party party, std::size_t elements, Material material,
                       ThreadPool *pool)
    : tree_(CompareTree::make(shape.bits(), shape.schedule)), elements_(elements), pool_(pool),
      material_(std::move(material)), opened_(tree_, party, std::move(material_.masks), std::move(material_.products)) {
  mine_.resize(static_cast<std::size_t>(sign()) + 1);
  theirs_.resize(static_cast<std::size_t>(sign()) + 1);
}

void CompareRun::openLeaves(SecretPlanes opened, SecretPlanes signBit) {
  digits_ = std::move(opened);
  signBit_ = std::move(signBit);
}

void CompareRun::writeParts(int k, BitWriter &writer) {
  for (int level = k; level <= k + 1; ++level) {
    if (!hasPart(level)) continue;
    openUpTo(level - 1);
    writePart(level, writer);
  }
}

void CompareRun::readParts(int k, BitReader &reader) {
  for (int level = k; level <= k + 1; ++level) {
    if (!hasPart(level)) continue;
    SecretPlanes part(elements_, partPlanes(level));
    for (int j = 0; j < part.count(); ++j)
      reader.plane(part[j], elements_);
    theirs_[static_cast<std::size_t>(level)] = std::move(part);
  }
}

void CompareRun::writePart(int level, BitWriter &writer) {
  assert(openedLevel_ == level - 1);
  SecretPlanes part(elements_, partPlanes(level));
  forPlaneWords(pool_, words(), [&](std::size_t begin, std::size_t end) {
    if (level <= depth()) return opened_.part(static_cast<std::size_t>(level) - 1, part.ref(), {begin, end});
    for (std::size_t w = begin; w < end; ++w)
      part[0][w] = opened_.result()[w] ^ signBit_[0][w] ^ material_.l[0][w];
  });
  for (int j = 0; j < part.count(); ++j)
    writer.plane(part[j], elements_);
  mine_[static_cast<std::size_t>(level)] = std::move(part);
}

void CompareRun::openUpTo(int level) {
  while (openedLevel_ < level && openedLevel_ < sign()) {
    const int next = ++openedLevel_;
    if (next == 0) {
      opened_.prepare(elements_);
      forPlaneWords(pool_, words(), [&](std::size_t begin, std::size_t end) {
        opened_.lookUp(digits_.ref(), material_.tables, {begin, end});
      });
      digits_ = {};
      material_.tables = {};
      continue;
    }
    SecretPlanes mine = std::move(mine_[static_cast<std::size_t>(next)]);
    SecretPlanes theirs = std::move(theirs_[static_cast<std::size_t>(next)]);
    assert(mine.count() == partPlanes(next) && theirs.count() == partPlanes(next));
    forPlaneWords(pool_, words(), [&](std::size_t begin, std::size_t end) {
      if (next == sign()) return xorPlanes(mine[0] + begin, theirs[0] + begin, end - begin);
      opened_.merge(static_cast<std::size_t>(next) - 1, mine.ref(), theirs.ref(), {begin, end});
    });
    if (next == sign()) mu_ = std::move(mine);
  }
}

} // namespace sd
