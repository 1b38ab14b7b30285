#include "runtime/kernels/MatMul.h"

#include <algorithm>
#include <cassert>
#include <memory>

#include "runtime/kernels/Tile.h"

namespace sd {

namespace {

constexpr std::int64_t kRowChunk = 32;
constexpr std::int64_t kTaskWork = 1 << 17;
constexpr std::int64_t kFewRows = 4; // up to so many, the product is bound by reading b, once a row

std::int64_t divideUp(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

template <RingWord R>
using Buffer = std::unique_ptr<R[]>;

// in is [rows, columns], out [columns, rows].
template <RingWord R>
Buffer<R> transposed(ThreadPool &pool, std::span<const R> in, std::int64_t rows, std::int64_t columns) {
  auto out = std::make_unique_for_overwrite<R[]>(in.size());
  constexpr std::int64_t block = 16;
  pool.parallelRanges(divideUp(columns, block), divideUp(1 << 14, rows * block),
                      [&](std::int64_t begin, std::int64_t end) {
                        for (std::int64_t c = begin * block; c < std::min(end * block, columns); c += block)
                          for (std::int64_t r = 0; r < rows; ++r)
                            for (std::int64_t i = c; i < std::min({c + block, end * block, columns}); ++i)
                              out[i * rows + r] = in[r * columns + i];
                      });
  return out;
}

// y = a b with b row-major, in tiles. Columns that do not fill a unit are copied out to have room behind them.
template <RingWord R>
void multiplyTiles(ThreadPool &pool, const MatMulShape &shape, const R *a, const R *b, R *y) {
  const std::int64_t tiles = divideUp(shape.n, kTileColumns), chunks = divideUp(shape.m, kRowChunk);
  const std::int64_t lastColumn = (tiles - 1) * kTileColumns, lastWidth = shape.n - lastColumn;
  const std::int64_t lastStride = divideUp(lastWidth, kColumnUnit) * kColumnUnit;
  auto last = std::make_unique<R[]>(shape.k * lastStride);
  for (std::int64_t i = 0; i < shape.k; ++i)
    std::copy_n(b + i * shape.n + lastColumn, lastWidth, last.get() + i * lastStride);

  static constexpr std::int64_t noOffset[] = {0};
  const std::int64_t grain = divideUp(kTaskWork, std::min(shape.m, kRowChunk) * kTileColumns * shape.k);
  pool.parallelRanges(tiles * chunks, grain, [&](std::int64_t begin, std::int64_t end) {
    alignas(64) R out[kRowChunk * kTileColumns];
    for (std::int64_t task = begin; task < end; ++task) {
      const std::int64_t tile = task / chunks, firstRow = task % chunks * kRowChunk;
      const std::int64_t rows = std::min(kRowChunk, shape.m - firstRow);
      const bool isLast = tile == tiles - 1;
      const std::int64_t columns = isLast ? lastWidth : kTileColumns;
      multiplyTile<R>({.w = a + firstRow * shape.k,
                       .wStride = shape.k,
                       .x = isLast ? last.get() : b + tile * kTileColumns,
                       .xStride = isLast ? lastStride : shape.n,
                       .channels = shape.k,
                       .offsets = noOffset,
                       .y = out,
                       .yStride = kTileColumns},
                      rows, columns);
      for (std::int64_t r = 0; r < rows; ++r)
        std::copy_n(out + r * kTileColumns, columns, y + (firstRow + r) * shape.n + tile * kTileColumns);
    }
  });
}

} // namespace

template <RingWord R>
void matMul(ThreadPool &pool, const MatMulShape &shape, std::span<const std::type_identity_t<R>> a,
            std::span<const std::type_identity_t<R>> b, std::span<R> y) {
  const std::int64_t m = shape.m, n = shape.n, k = shape.k;
  assert(std::int64_t(a.size()) == m * k && std::int64_t(b.size()) == k * n && std::int64_t(y.size()) == m * n);
  if (y.empty()) return;
  if (k == 0) return std::fill(y.begin(), y.end(), 0), void();

  Buffer<R> aRows, bRows;
  const R *left = a.data(), *right = b.data();
  if (shape.transposeA && m > 1 && k > 1) left = (aRows = transposed<R>(pool, a, k, m)).get();

  if (shape.transposeB && m <= kFewRows) {
    pool.parallelRanges(n, divideUp(kTaskWork / 2, k * m), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = 0; i < m; ++i)
        dotRows(right + begin * k, k, left + i * k, k, y.subspan(i * n + begin, end - begin));
    });
    return;
  }
  if (m <= kFewRows && !shape.transposeB) {
    pool.parallelRanges(divideUp(n, kColumnUnit), divideUp(kTaskWork / 2, k * m * kColumnUnit),
                        [&](std::int64_t begin, std::int64_t end) {
                          const std::int64_t first = begin * kColumnUnit, last = std::min(end * kColumnUnit, n);
                          for (std::int64_t i = 0; i < m; ++i)
                            combineRows(left + i * k, k, right + first, n, y.subspan(i * n + first, last - first));
                        });
    return;
  }
  if (n == 1) {
    pool.parallelRanges(m, divideUp(kTaskWork / 2, k), [&](std::int64_t begin, std::int64_t end) {
      dotRows(left + begin * k, k, right, k, y.subspan(begin, end - begin));
    });
    return;
  }
  if (shape.transposeB) right = (bRows = transposed<R>(pool, b, n, k)).get();
  multiplyTiles(pool, shape, left, right, y.data());
}

template <RingWord R>
void multiplyDot(ThreadPool &pool, const DotShape &shape, std::span<const std::type_identity_t<R>> a,
                 std::span<const std::type_identity_t<R>> b, std::span<R> y) {
  const auto part = [&](auto words, std::int64_t i, std::int64_t size) {
    return words.subspan(static_cast<std::size_t>(i * size), static_cast<std::size_t>(size));
  };
  for (std::int64_t i = 0; i < shape.batch; ++i)
    matMul<R>(pool, {shape.rows, shape.columns, shape.length, false, true}, part(a, i, shape.rows * shape.length),
              part(b, i, shape.columns * shape.length), part(y, i, shape.rows * shape.columns));
}

template <RingWord R>
void addToRows(std::span<const std::type_identity_t<R>> bias, std::span<R> y) {
  assert(!bias.empty() && y.size() % bias.size() == 0);
  for (std::size_t start = 0; start < y.size(); start += bias.size())
    for (std::size_t j = 0; j < bias.size(); ++j)
      y[start + j] += bias[j];
}

template void matMul(ThreadPool &, const MatMulShape &, std::span<const Ring32>, std::span<const Ring32>,
                     std::span<Ring32>);
template void matMul(ThreadPool &, const MatMulShape &, std::span<const Ring64>, std::span<const Ring64>,
                     std::span<Ring64>);
template void multiplyDot(ThreadPool &, const DotShape &, std::span<const Ring32>, std::span<const Ring32>,
                          std::span<Ring32>);
template void multiplyDot(ThreadPool &, const DotShape &, std::span<const Ring64>, std::span<const Ring64>,
                          std::span<Ring64>);
template void addToRows(std::span<const Ring32>, std::span<Ring32>);
template void addToRows(std::span<const Ring64>, std::span<Ring64>);

} // namespace sd
