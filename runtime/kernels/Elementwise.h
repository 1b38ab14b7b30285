// Elementwise arithmetic modulo 2^bits of T, an unsigned type. Outputs may be the same memory as an input.
#pragma once

#include <cassert>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>

#include "ir/core/Tensor.h"

namespace sd {

template <std::unsigned_integral T>
void add(std::span<const T> a, std::span<const T> b, std::span<T> y) {
  assert(a.size() == y.size() && b.size() == y.size());
  for (std::size_t i = 0; i < y.size(); ++i)
    y[i] = a[i] + b[i];
}

template <std::unsigned_integral T>
void subtract(std::span<const T> a, std::span<const T> b, std::span<T> y) {
  assert(a.size() == y.size() && b.size() == y.size());
  for (std::size_t i = 0; i < y.size(); ++i)
    y[i] = a[i] - b[i];
}

// y = factor * a; the factor is a residue (a negative integer as its two's complement).
template <std::unsigned_integral T>
void multiplyBy(std::span<const T> a, T factor, std::span<T> y) {
  assert(a.size() == y.size());
  for (std::size_t i = 0; i < y.size(); ++i)
    y[i] = a[i] * factor;
}

// Walks x of shape xShape beside w of shape wShape, which broadcasts to xShape as in numpy: calls
// f(x offset, w offset, w step, count) for stretches of x's last axis; w's offset moves by `w step`, 0 or 1, an
// element.
template <class F>
void forEachBroadcast(const Shape &xShape, const Shape &wShape, F &&f) {
  assert(wShape.size() <= xShape.size());
  const std::size_t rank = xShape.size(), lead = rank - wShape.size();
  if (rank == 0) return f(std::int64_t{0}, std::int64_t{0}, std::int64_t{0}, std::int64_t{1});
  Shape step(rank, 0);
  std::int64_t stride = 1;
  for (std::size_t i = rank; i-- > lead;) {
    assert(wShape[i - lead] == 1 || wShape[i - lead] == xShape[i]);
    if (wShape[i - lead] != 1) step[i] = stride;
    stride *= wShape[i - lead];
  }
  const std::int64_t total = elementCount(xShape), last = xShape[rank - 1];
  Shape index(rank, 0);
  std::int64_t w = 0;
  for (std::int64_t x = 0; x < total; x += last) {
    f(x, w, step[rank - 1], last);
    for (std::size_t i = rank - 1; i-- > 0;) {
      w += step[i];
      if (++index[i] < xShape[i]) break;
      w -= step[i] * xShape[i];
      index[i] = 0;
    }
  }
}

// y = x * w, w broadcast to x's shape.
template <std::unsigned_integral T>
void multiplyBroadcast(const Shape &xShape, std::span<const T> x, const Shape &wShape, std::span<const T> w,
                       std::span<T> y) {
  assert(x.size() == y.size());
  forEachBroadcast(xShape, wShape, [&](std::int64_t at, std::int64_t from, std::int64_t step, std::int64_t count) {
    if (step == 0)
      for (std::int64_t i = 0; i < count; ++i)
        y[at + i] = x[at + i] * w[from];
    else
      for (std::int64_t i = 0; i < count; ++i)
        y[at + i] = x[at + i] * w[from + i];
  });
}

// y = x + w, w broadcast to x's shape.
template <std::unsigned_integral T>
void addBroadcast(const Shape &xShape, std::span<const T> x, const Shape &wShape, std::span<const T> w,
                  std::span<T> y) {
  assert(x.size() == y.size());
  forEachBroadcast(xShape, wShape, [&](std::int64_t at, std::int64_t from, std::int64_t step, std::int64_t count) {
    if (step == 0)
      for (std::int64_t i = 0; i < count; ++i)
        y[at + i] = x[at + i] + w[from];
    else
      for (std::int64_t i = 0; i < count; ++i)
        y[at + i] = x[at + i] + w[from + i];
  });
}

} // namespace sd
