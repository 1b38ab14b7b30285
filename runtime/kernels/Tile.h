// The inner loop of all linear layers: a block of rows of W times a stretch of x, in registers. Vectorised, with
// run-time dispatch; the callers in Convolution.cpp and MatMul.cpp arrange memory so that this is all they need.
#pragma once

#include <cstdint>
#include <span>

#include "ir/core/Ring.h"

namespace sd {

// y[m][q] = sum over c < channels, t < taps of w[m * wStride + c * taps + t] * x[c * xStride + offsets[t] + q],
// for m < rows and q < columns, in the ring; y[m] starts at y + m * yStride.
template <RingWord R>
struct TileProduct {
  const R *w;
  std::int64_t wStride;
  const R *x;
  std::int64_t xStride;
  std::int64_t channels;
  std::span<const std::int64_t> offsets; // one a tap
  R *y;
  std::int64_t yStride;
};

// x is read and y written as if `columns` were rounded up to a multiple of kColumnUnit: both need that much room.
inline constexpr std::int64_t kColumnUnit = 16;
inline constexpr std::int64_t kTileColumns = 48; // the stretch that suits the widest registers

// Any number of rows and columns is allowed.
template <RingWord R>
void multiplyTile(const TileProduct<R> &tile, std::int64_t rows, std::int64_t columns);

// y[i] = <row i of w, x>, rows of length k and distance wStride: a matrix times one vector, bound by memory.
template <RingWord R>
void dotRows(const R *w, std::int64_t wStride, const R *x, std::int64_t k, std::span<R> y);

// y = sum over i < k of x[i] * <row i of w>, rows of y's length and distance wStride: one vector times a matrix,
// likewise.
template <RingWord R>
void combineRows(const R *x, std::int64_t k, const R *w, std::int64_t wStride, std::span<R> y);

} // namespace sd
