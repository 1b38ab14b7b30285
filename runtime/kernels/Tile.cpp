#include "runtime/kernels/Tile.h"

#include <algorithm>
#include <chrono>

#include "runtime/kernels/RingDispatch.h"
#include "runtime/kernels/TileTargets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "runtime/kernels/Tile.cpp"
#include <hwy/foreach_target.h>
// After foreach_target.h, as it asks.
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace sd::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// At most 16 lanes, so that kTileColumns is three vectors or more.
template <class R>
using Lanes = hn::CappedTag<R, 16>;

// Accumulators that fit the register file: 8 x 3 with 32 registers, 4 x 2 with 16.
#if HWY_TARGET <= HWY_AVX3 || HWY_ARCH_ARM_A64
inline constexpr int kRows = 8, kVectors = 3;
#else
inline constexpr int kRows = 4, kVectors = 2;
#endif

template <int Rows, int Vectors, class R>
HWY_INLINE void tileKernel(const TileProduct<R> &tile, std::int64_t row, std::int64_t column) {
  const Lanes<R> d;
  const std::int64_t lanes = static_cast<std::int64_t>(hn::Lanes(d));
  const std::int64_t taps = static_cast<std::int64_t>(tile.offsets.size());
  hn::Vec<Lanes<R>> sum[Rows][Vectors];
#pragma GCC unroll 8
  for (int m = 0; m < Rows; ++m)
#pragma GCC unroll 4
    for (int v = 0; v < Vectors; ++v)
      sum[m][v] = hn::Zero(d);

  const R *w = tile.w + row * tile.wStride;
  const R *x = tile.x + column;
  for (std::int64_t c = 0; c < tile.channels; ++c, x += tile.xStride) {
    for (std::int64_t t = 0; t < taps; ++t, ++w) {
      const R *in = x + tile.offsets[t];
      hn::Vec<Lanes<R>> values[Vectors];
#pragma GCC unroll 4
      for (int v = 0; v < Vectors; ++v)
        values[v] = hn::LoadU(d, in + v * lanes);
#pragma GCC unroll 8
      for (int m = 0; m < Rows; ++m) {
        const auto weight = hn::Set(d, w[m * tile.wStride]);
#pragma GCC unroll 4
        for (int v = 0; v < Vectors; ++v)
          sum[m][v] = hn::Add(sum[m][v], hn::Mul(weight, values[v]));
      }
    }
  }
#pragma GCC unroll 8
  for (int m = 0; m < Rows; ++m)
#pragma GCC unroll 4
    for (int v = 0; v < Vectors; ++v)
      hn::StoreU(sum[m][v], d, tile.y + (row + m) * tile.yStride + column + v * lanes);
}

template <int Vectors, class R>
HWY_INLINE void tileColumn(const TileProduct<R> &tile, std::int64_t rows, std::int64_t column) {
  std::int64_t row = 0;
  for (; row + kRows <= rows; row += kRows)
    tileKernel<kRows, Vectors>(tile, row, column);
  if constexpr (kRows > 4) {
    if (row + 4 <= rows) {
      tileKernel<4, Vectors>(tile, row, column);
      row += 4;
    }
  }
  switch (rows - row) {
  case 3:
    return tileKernel<3, Vectors>(tile, row, column);
  case 2:
    return tileKernel<2, Vectors>(tile, row, column);
  case 1:
    return tileKernel<1, Vectors>(tile, row, column);
  default:
    return;
  }
}

template <class R>
void multiplyTileImpl(const TileProduct<R> &tile, std::int64_t rows, std::int64_t columns) {
  const std::int64_t lanes = static_cast<std::int64_t>(hn::Lanes(Lanes<R>()));
  std::int64_t column = 0;
  while (column < columns) {
    std::int64_t vectors = std::min<std::int64_t>(kVectors, (columns - column + lanes - 1) / lanes);
    if constexpr (kVectors >= 3) {
      if (vectors == 3) tileColumn<3>(tile, rows, column);
    }
    if (vectors == 2) tileColumn<2>(tile, rows, column);
    if (vectors == 1) tileColumn<1>(tile, rows, column);
    column += vectors * lanes;
  }
}

template <int Rows, class R>
HWY_INLINE void dotKernel(const R *w, std::int64_t wStride, const R *x, std::int64_t k, R *y) {
  const Lanes<R> d;
  const std::int64_t lanes = static_cast<std::int64_t>(hn::Lanes(d));
  hn::Vec<Lanes<R>> sum[Rows];
#pragma GCC unroll 4
  for (int r = 0; r < Rows; ++r)
    sum[r] = hn::Zero(d);
  std::int64_t i = 0;
  for (; i + lanes <= k; i += lanes) {
    const auto value = hn::LoadU(d, x + i);
#pragma GCC unroll 4
    for (int r = 0; r < Rows; ++r)
      sum[r] = hn::Add(sum[r], hn::Mul(value, hn::LoadU(d, w + r * wStride + i)));
  }
  for (int r = 0; r < Rows; ++r) {
    // Not SumOfLanes: with GCC's AVX-512 headers it adds signed integers, which may not overflow.
    alignas(64) R lane[16];
    hn::Store(sum[r], d, lane);
    R total = 0;
    for (std::int64_t j = 0; j < lanes; ++j)
      total += lane[j];
    for (std::int64_t j = i; j < k; ++j)
      total += w[r * wStride + j] * x[j];
    y[r] = total;
  }
}

template <class R>
void dotRowsImpl(const R *w, std::int64_t wStride, const R *x, std::int64_t k, std::span<R> y) {
  std::int64_t row = 0, rows = static_cast<std::int64_t>(y.size());
  for (; row + 4 <= rows; row += 4)
    dotKernel<4>(w + row * wStride, wStride, x, k, y.data() + row);
  for (; row < rows; ++row)
    dotKernel<1>(w + row * wStride, wStride, x, k, y.data() + row);
}

template <int Rows, class R>
HWY_INLINE void combineKernel(const R *x, const R *w, std::int64_t wStride, std::span<R> y) {
  const Lanes<R> d;
  const std::size_t lanes = hn::Lanes(d);
  hn::Vec<Lanes<R>> factor[Rows];
#pragma GCC unroll 8
  for (int r = 0; r < Rows; ++r)
    factor[r] = hn::Set(d, x[r]);
  std::size_t i = 0;
  for (; i + lanes <= y.size(); i += lanes) {
    auto sum = hn::LoadU(d, y.data() + i);
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r)
      sum = hn::Add(sum, hn::Mul(factor[r], hn::LoadU(d, w + r * wStride + i)));
    hn::StoreU(sum, d, y.data() + i);
  }
  for (; i < y.size(); ++i)
    for (int r = 0; r < Rows; ++r)
      y[i] += x[r] * w[r * wStride + i];
}

template <class R>
void combineRowsImpl(const R *x, std::int64_t k, const R *w, std::int64_t wStride, std::span<R> y) {
  std::fill(y.begin(), y.end(), 0);
  std::int64_t row = 0;
  for (; row + 8 <= k; row += 8)
    combineKernel<8>(x + row, w + row * wStride, wStride, y);
  for (; row < k; ++row)
    combineKernel<1>(x + row, w + row * wStride, wStride, y);
}

SD_RING_KERNEL(multiplyTile);
SD_RING_KERNEL(dotRows);
SD_RING_KERNEL(combineRows);

} // namespace sd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace sd {

SD_RING_EXPORT(multiplyTile);
SD_RING_EXPORT(dotRows);
SD_RING_EXPORT(combineRows);

namespace {

void multiplyByWords(const TileProduct<Ring32> &tile, std::int64_t rows, std::int64_t columns) {
  HWY_DYNAMIC_DISPATCH(multiplyTile32)(tile, rows, columns);
}

TileKernel *fastest() {
  constexpr std::int64_t kRows = 8, kChannels = 64, kOffsets[] = {0};
  constexpr int kRounds = 5;
  std::vector<Ring32> w(kRows * kChannels, 3), x(kChannels * kTileColumns, 5), y(kRows * kTileColumns);
  const TileProduct<Ring32> tile{w.data(),  kChannels, x.data(), kTileColumns,
                                 kChannels, kOffsets,  y.data(), kTileColumns};
  using Clock = std::chrono::steady_clock;
  Clock::duration least = Clock::duration::max();
  TileKernel *best = nullptr;
  for (int round = 0; round < kRounds; ++round)
    for (const TileVariant &variant : tileVariants()) {
      const auto start = Clock::now();
      variant.kernel(tile, kRows, kTileColumns);
      if (const auto time = Clock::now() - start; time < least) least = time, best = variant.kernel;
    }
  return best;
}

} // namespace

std::vector<TileVariant> tileVariants() {
  std::vector<TileVariant> variants{{"words", multiplyByWords}};
  if (TileKernel *kernel = ifmaTile()) variants.push_back({"IFMA", kernel});
  return variants;
}

template <RingWord R>
void multiplyTile(const TileProduct<R> &tile, std::int64_t rows, std::int64_t columns) {
  if constexpr (kBitsOf<R> == 32) {
    static TileKernel *const kernel = fastest();
    kernel(tile, rows, columns);
  } else {
    HWY_DYNAMIC_DISPATCH(multiplyTile64)(tile, rows, columns);
  }
}

template <RingWord R>
void dotRows(const R *w, std::int64_t wStride, const R *x, std::int64_t k, std::span<R> y) {
  SD_RING_DISPATCH(R, dotRows)(w, wStride, x, k, y);
}

template <RingWord R>
void combineRows(const R *x, std::int64_t k, const R *w, std::int64_t wStride, std::span<R> y) {
  SD_RING_DISPATCH(R, combineRows)(x, k, w, wStride, y);
}

template void multiplyTile(const TileProduct<Ring32> &, std::int64_t, std::int64_t);
template void multiplyTile(const TileProduct<Ring64> &, std::int64_t, std::int64_t);
template void dotRows(const Ring32 *, std::int64_t, const Ring32 *, std::int64_t, std::span<Ring32>);
template void dotRows(const Ring64 *, std::int64_t, const Ring64 *, std::int64_t, std::span<Ring64>);
template void combineRows(const Ring32 *, std::int64_t, const Ring32 *, std::int64_t, std::span<Ring32>);
template void combineRows(const Ring64 *, std::int64_t, const Ring64 *, std::int64_t, std::span<Ring64>);

} // namespace sd
#endif
