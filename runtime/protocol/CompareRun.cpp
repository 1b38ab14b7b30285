#include "runtime/protocol/CompareRun.h"

#include <cassert>

namespace sd {

CompareRun::CompareRun(const CompareShape &shape, Party party, std::size_t elements, Material material,
                       ThreadPool *pool)
    : tree_(shape.tree()), elements_(elements), pool_(pool), material_(std::move(material)),
      opened_(tree_, party, std::move(material_.masks), std::move(material_.products)) {
  mine_.resize(static_cast<std::size_t>(end()) + 1);
  theirs_.resize(static_cast<std::size_t>(end()) + 1);
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
    for (int k = 0; k < part.count(); ++k)
      for (std::size_t w = begin; w < end; ++w)
        part[k][w] = opened_.result(k)[w] ^ material_.ends[k][w];
  });
  for (int j = 0; j < part.count(); ++j)
    writer.plane(part[j], elements_);
  mine_[static_cast<std::size_t>(level)] = std::move(part);
}

void CompareRun::openUpTo(int level) {
  while (openedLevel_ < level && openedLevel_ < end()) {
    const int next = ++openedLevel_;
    if (next == 0) {
      opened_.prepare(elements_);
      forPlaneWords(pool_, words(), [&](std::size_t begin, std::size_t end) {
        opened_.lookUp(digits_.ref(), material_.tables, signBit_.count() ? signBit_[0] : nullptr, {begin, end});
      });
      digits_ = {};
      signBit_ = {};
      material_.tables = {};
      continue;
    }
    SecretPlanes mine = std::move(mine_[static_cast<std::size_t>(next)]);
    SecretPlanes theirs = std::move(theirs_[static_cast<std::size_t>(next)]);
    assert(mine.count() == partPlanes(next) && theirs.count() == partPlanes(next));
    if (next == end()) {
      xorPlanes(mine.words().data(), theirs.words().data(), mine.words().size());
      results_ = std::move(mine);
      return;
    }
    forPlaneWords(pool_, words(), [&](std::size_t begin, std::size_t last) {
      opened_.merge(static_cast<std::size_t>(next) - 1, mine.ref(), theirs.ref(), {begin, last});
    });
  }
}

} // namespace sd
