// Which sums of products of two computed values are products of matrices.
#pragma once

#include <optional>

#include "ir/core/DotPacking.h"

namespace sd {

// Axes of both operands, given one rank, but for the last one: those of both, of the left alone, of the right alone.
struct DotAxes {
  Shape left, right;
  std::vector<std::int64_t> batch, rows, columns;
  DotShape shape;
};

// Of the sum of x y over the last axis, both broadcast. None where an operand is broadcast along the axis of the sum,
// or where products element by element take fewer bytes, online and offline with two parties.
std::optional<DotAxes> dotAxes(const Shape &x, const Shape &y, int ringBits);

} // namespace sd
