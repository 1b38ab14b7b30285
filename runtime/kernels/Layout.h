// Ops that only move elements. They mean the same on values, on shares and on masks.
#pragma once

#include <algorithm>
#include <span>
#include <vector>

#include "ir/core/Tensor.h"

namespace sd {

// y's axis i is x's axis perm[i].
template <class T>
void transpose(const Shape &xShape, std::span<const std::int64_t> perm, std::span<const T> x, std::span<T> y) {
  const std::size_t rank = xShape.size();
  assert(perm.size() == rank && x.size() == y.size());
  if (rank == 0) return std::copy(x.begin(), x.end(), y.begin()), void();
  const Shape strides = rowMajorStrides(xShape);
  Shape extent(rank), step(rank), index(rank, 0);
  for (std::size_t i = 0; i < rank; ++i)
    extent[i] = xShape[perm[i]], step[i] = strides[perm[i]];
  std::int64_t from = 0;
  const std::int64_t last = extent[rank - 1], total = static_cast<std::int64_t>(y.size());
  for (std::int64_t at = 0; at < total; at += last) {
    for (std::int64_t i = 0; i < last; ++i)
      y[at + i] = x[from + i * step[rank - 1]];
    for (std::size_t i = rank - 1; i-- > 0;) {
      from += step[i];
      if (++index[i] < extent[i]) break;
      from -= step[i] * extent[i];
      index[i] = 0;
    }
  }
}

// Operands one after another along `axis`; the other extents agree.
template <class T>
void concat(std::span<const Shape> shapes, std::span<const std::span<const T>> parts, std::size_t axis,
            std::span<T> y) {
  assert(shapes.size() == parts.size() && !parts.empty());
  std::vector<std::int64_t> chunk(parts.size());
  std::int64_t row = 0, outer = 1;
  for (std::size_t i = 0; i < axis; ++i)
    outer *= shapes[0][i];
  for (std::size_t p = 0; p < parts.size(); ++p) {
    chunk[p] = 1;
    for (std::size_t i = axis; i < shapes[p].size(); ++i)
      chunk[p] *= shapes[p][i];
    row += chunk[p];
  }
  assert(outer * row == static_cast<std::int64_t>(y.size()));
  for (std::int64_t o = 0; o < outer; ++o) {
    T *to = y.data() + o * row;
    for (std::size_t p = 0; p < parts.size(); ++p)
      to = std::copy_n(parts[p].data() + o * chunk[p], chunk[p], to);
  }
}

// `before[i]` elements of `fill` ahead of axis i and as many as y has room for behind it.
template <class T>
void pad(const Shape &xShape, std::span<const std::int64_t> before, T fill, std::span<const T> x, const Shape &yShape,
         std::span<T> y) {
  const std::size_t rank = xShape.size();
  assert(before.size() == rank && yShape.size() == rank);
  std::fill(y.begin(), y.end(), fill);
  if (x.empty()) return;
  if (rank == 0) return y[0] = x[0], void();
  const Shape strides = rowMajorStrides(yShape);
  Shape index(rank, 0);
  std::int64_t to = 0;
  for (std::size_t i = 0; i < rank; ++i)
    to += before[i] * strides[i];
  const std::int64_t last = xShape[rank - 1], total = static_cast<std::int64_t>(x.size());
  for (std::int64_t at = 0; at < total; at += last) {
    std::copy_n(x.data() + at, last, y.data() + to);
    for (std::size_t i = rank - 1; i-- > 0;) {
      to += strides[i];
      if (++index[i] < xShape[i]) break;
      to -= strides[i] * xShape[i];
      index[i] = 0;
    }
  }
}

// The named positions along `axis`, in the order of `indices`; each is public and inside the axis.
template <class T>
void gather(const Shape &xShape, std::size_t axis, std::span<const std::int64_t> indices, std::span<const T> x,
            std::span<T> y) {
  std::int64_t outer = 1, inner = 1;
  for (std::size_t i = 0; i < axis; ++i)
    outer *= xShape[i];
  for (std::size_t i = axis + 1; i < xShape.size(); ++i)
    inner *= xShape[i];
  assert(outer * inner * static_cast<std::int64_t>(indices.size()) == static_cast<std::int64_t>(y.size()));
  T *to = y.data();
  for (std::int64_t o = 0; o < outer; ++o)
    for (std::int64_t index : indices) {
      assert(index >= 0 && index < xShape[axis]);
      to = std::copy_n(x.data() + (o * xShape[axis] + index) * inner, inner, to);
    }
}

} // namespace sd
