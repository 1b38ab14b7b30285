// The linear and layout ops over any type of number, between the files of the reference. Operands and attributes obey
// the op's rule, and `shape` is the result's.
#pragma once

#include <span>

#include "ir/core/OpKind.h"
#include "ir/core/Tensor.h"

namespace sd::reference {

template <class T>
using Operands = std::span<const Tensor<T> *const>;

// reshape, transpose, concat, gather of both levels, and pad with `fill`. T: float, double, Ring32, Ring64.
template <class T>
Tensor<T> evaluateLayout(OpKind kind, Operands<T> operands, const Attrs &attrs, const Shape &shape, T fill);

// conv, matmul, add, sub, mul of both levels, and all share ops but inputs, outputs, constants and comparisons. T:
// double, Ring32, Ring64.
template <class T>
Tensor<T> evaluateLinear(OpKind kind, Operands<T> operands, const Attrs &attrs, const Shape &shape);

// The transpose of a convolution or sum pool, as a map of x: what the gradient of the result brings to that of x.
Tensor<float> convolveBack(const Tensor<float> &g, const Tensor<float> &w, const Attrs &attrs, const Shape &x);
Tensor<float> sumPoolBack(const Tensor<float> &g, const Attrs &attrs, const Shape &x);

// Calls f(result index, a's index, b's index) for each element of `result`, to which a and b broadcast.
template <class F>
void forEachBroadcast(const Shape &result, const Shape &a, const Shape &b, F f) {
  const std::size_t rank = result.size();
  Shape stepA(rank), stepB(rank), at(rank);
  auto steps = [&](const Shape &shape, Shape &step) {
    const Shape strides = rowMajorStrides(shape);
    for (std::size_t i = 0; i < shape.size(); ++i)
      step[rank - shape.size() + i] = shape[i] == 1 ? 0 : strides[i];
  };
  steps(a, stepA);
  steps(b, stepB);
  const std::int64_t count = elementCount(result);
  std::int64_t ia = 0, ib = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    f(i, ia, ib);
    for (std::size_t axis = rank; axis-- > 0;) {
      ia += stepA[axis], ib += stepB[axis];
      if (++at[axis] < result[axis]) break;
      ia -= stepA[axis] * result[axis], ib -= stepB[axis] * result[axis];
      at[axis] = 0;
    }
  }
}

// An axis in the middle: element (o, i, n) stands at (o length + i) inner + n.
struct AxisSplit {
  std::int64_t outer = 1, length = 1, inner = 1;
};
inline AxisSplit splitAt(const Shape &shape, std::int64_t axis) {
  AxisSplit split;
  for (std::int64_t i = 0; i < static_cast<std::int64_t>(shape.size()); ++i)
    (i < axis ? split.outer : i == axis ? split.length : split.inner) *= shape[i];
  return split;
}

template <class To, class From, class F>
Tensor<To> map(const Tensor<From> &from, F f) {
  std::vector<To> data(from.data.size());
  for (std::size_t i = 0; i < data.size(); ++i)
    data[i] = f(from.data[i]);
  return Tensor<To>(from.shape, std::move(data));
}

} // namespace sd::reference
