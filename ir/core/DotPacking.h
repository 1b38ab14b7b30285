// How the correlation behind share.dot is cut into RLWE polynomials (docs/protocols.md, products of matrices): of each
// pair of a batch, c0 + c1 = alpha s^T + r beta^T, where P1 knows r [rows, length] and s [columns, length], and P0
// draws alpha and beta of the same shapes. Public sizes only.
//
// Coefficient packing after Cheetah (Huang, Lu, Hong, Ding; USENIX Security 2022, section 4.1), with one place for both
// products, so that one reply carries their sum: element (m, n) of a block stands at (m columnBlock + n + 1)
// lengthBlock - 1. P1's r stands at the places of n = 0 and its s at those of m = 0, k rising; P0's k fall.
#pragma once

#include <algorithm>

#include "ir/core/LinearPacking.h"

namespace sd {

// batch times [rows, length] by [columns, length]^T.
struct DotShape {
  std::int64_t batch = 1, rows = 1, columns = 1, length = 1;
  int ringBits = kBitsOf<Ring32>;

  std::int64_t left() const { return batch * rows * length; }     // elements of the first operand
  std::int64_t right() const { return batch * columns * length; } // of the second
  std::int64_t result() const { return batch * rows * columns; }  // of the result
  std::int64_t multiplyAdds() const { return result() * length; }
  RlweSizes sizes() const { return rlweSizes(ringBits, RlweUse::Masks); }
  bool operator==(const DotShape &) const = default;
};

// Of share.dot, from its operands' types; asserts that the rule holds.
DotShape dotShape(const Type &x, const Type &y, int ringBits);

// Blocks of the matrices; their product is at most N.
struct DotPacking {
  DotShape shape;
  std::int64_t rowBlock = 1, columnBlock = 1, lengthBlock = 1;

  std::int64_t rowBlocks() const { return (shape.rows + rowBlock - 1) / rowBlock; }
  std::int64_t columnBlocks() const { return (shape.columns + columnBlock - 1) / columnBlock; }
  std::int64_t lengthBlocks() const { return (shape.length + lengthBlock - 1) / lengthBlock; }
  std::int64_t uploads() const { return shape.batch * (rowBlocks() + columnBlocks()) * lengthBlocks(); }
  std::int64_t replies() const { return shape.batch * rowBlocks() * columnBlocks(); }
  // Rows of row block i, and so on: the last one may be short.
  std::int64_t rowsOf(std::int64_t i) const { return std::min(rowBlock, shape.rows - i * rowBlock); }
  std::int64_t columnsOf(std::int64_t i) const { return std::min(columnBlock, shape.columns - i * columnBlock); }
  std::int64_t lengthOf(std::int64_t i) const { return std::min(lengthBlock, shape.length - i * lengthBlock); }
};

// The one with the least weighted sum of bytes and time.
DotPacking chooseDotPacking(const DotShape &shape);
PackingCost dotPackingCost(const DotPacking &packing);

// As replySquares() of a layer: the sum over the replies' coefficients of the squares of P0's masks that meet in each,
// taken as large as they can be.
double dotSquares(const DotPacking &packing);

} // namespace sd
