// Numbers for each element of a value, kept small: dimensions of 1 where they don't vary.
#pragma once

#include <optional>
#include <span>

#include "ir/Module.h"

namespace sd {

// A tensor that broadcasts to a value's shape and has its rank.
using Compact = Tensor<double>;

Compact uniform(const Shape &shape, double value);
Compact expandedTo(const Compact &x, const Shape &shape);
// The same numbers with dimensions of 1 wherever they are equal along an axis.
Compact compacted(const Compact &x);

// nn.identity, reshape, transpose, concat, gather and pad.
bool movesElements(OpKind kind);
// What one of them, but not pad, makes of its operands' numbers.
Compact moved(const Module &module, const Op &op, std::span<const Compact *const> operands);

// Elementwise f of numbers that broadcast to `shape`.
template <class F>
Compact combined(const Compact &a, const Compact &b, F f);

// The numbers along `axis`, if they don't vary along others: as many as the value has there.
std::optional<std::vector<double>> along(const Compact &x, const Shape &shape, std::size_t axis);
// The largest over all other axes.
Compact hullAlongAxis(const Compact &x, std::size_t axis);
Compact acrossAxis(std::span<const double> values, std::size_t rank, std::size_t axis);

} // namespace sd

#include "ir/core/ReferenceLinear.h"

namespace sd {

template <class F>
Compact combined(const Compact &a, const Compact &b, F f) {
  const auto shape = broadcastShapes(a.shape, b.shape);
  assert(shape);
  Compact result(*shape);
  reference::forEachBroadcast(*shape, a.shape, b.shape,
                              [&](auto i, auto ia, auto ib) { result.data[i] = f(a.data[ia], b.data[ib]); });
  return result;
}

} // namespace sd
