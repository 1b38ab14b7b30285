#include "ir/core/DotPacking.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <set>

namespace sd {

namespace {

std::int64_t ceilDiv(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

// Blocks that cut `size` into parts of nearly the same size: one for each number of parts.
std::set<std::int64_t> evenBlocks(std::int64_t size, std::int64_t most) {
  std::set<std::int64_t> blocks;
  for (std::int64_t block = std::min(size, most); block > 0;) {
    const std::int64_t even = ceilDiv(size, ceilDiv(size, block));
    blocks.insert(even);
    block = even - 1;
  }
  return blocks;
}

double price(const DotPacking &packing) {
  const PackingCost cost = dotPackingCost(packing);
  const double weight = static_cast<double>(packing.shape.sizes().uploadBytes()) /
                        static_cast<double>(rlweSizes(kBitsOf<Ring32>).uploadBytes());
  return static_cast<double>(cost.bytesUp + cost.bytesDown) +
         static_cast<double>(kDefaultBalance * cost.products) * weight;
}

} // namespace

DotShape dotShape(const Type &x, const Type &y, int ringBits) {
  const Shape &left = x.shape, &right = y.shape;
  assert(left.size() == 3 && right.size() == 3 && left[0] == right[0] && left[2] == right[2]);
  return {left[0], left[1], right[1], left[2], ringBits};
}

DotPacking chooseDotPacking(const DotShape &shape) {
  const std::int64_t degree = shape.sizes().degree;
  DotPacking best{shape, 1, 1, 1};
  double least = HUGE_VAL;
  for (const std::int64_t length : evenBlocks(shape.length, degree))
    for (const std::int64_t rows : evenBlocks(shape.rows, degree / length)) {
      const std::int64_t most = std::min(shape.columns, degree / (length * rows));
      const DotPacking packing{shape, rows, ceilDiv(shape.columns, ceilDiv(shape.columns, most)), length};
      const double own = price(packing);
      if (own < least) best = packing, least = own;
    }
  return best;
}

PackingCost dotPackingCost(const DotPacking &packing) {
  const DotShape &shape = packing.shape;
  PackingCost cost;
  cost.uploads = packing.uploads();
  cost.replies = packing.replies();
  cost.products = 2 * cost.replies * packing.lengthBlocks();
  cost.denseWeights = packing.uploads(); // of alpha and beta: as many as of r and s
  cost.bytesUp = cost.uploads * shape.sizes().uploadBytes();
  cost.messagesUp = shape.batch * ceilDiv(cost.uploads / shape.batch, kUploadsPerMessage);
  const std::int64_t lastRow = packing.rowBlocks() - 1, lastColumn = packing.columnBlocks() - 1;
  const auto replies = [&](std::int64_t count, std::int64_t i, std::int64_t j) {
    cost.bytesDown += shape.batch * count * shape.sizes().replyBytes(packing.rowsOf(i) * packing.columnsOf(j));
  };
  replies(lastRow * lastColumn, 0, 0);
  replies(lastRow, 0, lastColumn);
  replies(lastColumn, lastRow, 0);
  replies(1, lastRow, lastColumn);
  cost.messagesDown = shape.batch * packing.rowBlocks();
  return cost;
}

double dotSquares(const DotPacking &packing) {
  const DotShape &shape = packing.shape;
  const double largest = std::ldexp(1.0, 2 * (shape.ringBits - 1));
  return static_cast<double>(shape.result()) * static_cast<double>(shape.length) *
         static_cast<double>(packing.rowBlock + packing.columnBlock) * largest;
}

} // namespace sd
