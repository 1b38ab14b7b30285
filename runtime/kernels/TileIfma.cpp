#include "runtime/kernels/TileTargets.h"

#if defined(__x86_64__)

#include <algorithm>

#include <immintrin.h>

#define SD_TARGET __attribute__((target("avx512f,avx512ifma")))
#define SD_INLINE __attribute__((target("avx512f,avx512ifma"), always_inline)) inline

namespace sd {

namespace {

constexpr int kLanes = 16; // of 32 bits
constexpr int kRows = 4, kVectors = 3;

// Two 32-bit words lie in each 64-bit lane, of which the multiplier takes the low 52 bits: what it adds is right modulo
// 2^32 whatever stands above the lower word. So a register is taken once as it is, for the even columns, and once
// shifted, for the odd ones; nothing is widened.
template <int Rows, int Vectors>
SD_INLINE void tileKernel(const TileProduct<Ring32> &tile, std::int64_t row, std::int64_t column) {
  const std::int64_t taps = static_cast<std::int64_t>(tile.offsets.size());
  __m512i even[Rows][Vectors], odd[Rows][Vectors];
#pragma GCC unroll 4
  for (int m = 0; m < Rows; ++m)
#pragma GCC unroll 3
    for (int v = 0; v < Vectors; ++v)
      even[m][v] = odd[m][v] = _mm512_setzero_si512();

  const Ring32 *w = tile.w + row * tile.wStride;
  const Ring32 *x = tile.x + column;
  for (std::int64_t c = 0; c < tile.channels; ++c, x += tile.xStride) {
    for (std::int64_t t = 0; t < taps; ++t, ++w) {
      const Ring32 *in = x + tile.offsets[t];
      __m512i low[Vectors], high[Vectors];
#pragma GCC unroll 3
      for (int v = 0; v < Vectors; ++v) {
        low[v] = _mm512_loadu_si512(in + v * kLanes);
        high[v] = _mm512_srli_epi64(low[v], 32);
      }
#pragma GCC unroll 4
      for (int m = 0; m < Rows; ++m) {
        const __m512i weight = _mm512_set1_epi32(static_cast<int>(w[m * tile.wStride]));
#pragma GCC unroll 3
        for (int v = 0; v < Vectors; ++v) {
          even[m][v] = _mm512_madd52lo_epu64(even[m][v], low[v], weight);
          odd[m][v] = _mm512_madd52lo_epu64(odd[m][v], high[v], weight);
        }
      }
    }
  }
  const __mmask16 oddLanes = 0xaaaa;
#pragma GCC unroll 4
  for (int m = 0; m < Rows; ++m)
#pragma GCC unroll 3
    for (int v = 0; v < Vectors; ++v) {
      const __m512i sum = _mm512_mask_blend_epi32(oddLanes, even[m][v], _mm512_slli_epi64(odd[m][v], 32));
      _mm512_storeu_si512(tile.y + (row + m) * tile.yStride + column + v * kLanes, sum);
    }
}

template <int Vectors>
SD_TARGET void tileColumn(const TileProduct<Ring32> &tile, std::int64_t rows, std::int64_t column) {
  std::int64_t row = 0;
  for (; row + kRows <= rows; row += kRows)
    tileKernel<kRows, Vectors>(tile, row, column);
  for (; row < rows; ++row)
    tileKernel<1, Vectors>(tile, row, column);
}

void multiplyTileIfma(const TileProduct<Ring32> &tile, std::int64_t rows, std::int64_t columns) {
  for (std::int64_t column = 0; column < columns; column += kVectors * kLanes)
    switch (std::min<std::int64_t>(kVectors, (columns - column + kLanes - 1) / kLanes)) {
    case 3:
      tileColumn<3>(tile, rows, column);
      break;
    case 2:
      tileColumn<2>(tile, rows, column);
      break;
    default:
      tileColumn<1>(tile, rows, column);
    }
}

} // namespace

TileKernel *ifmaTile() {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512ifma") ? multiplyTileIfma : nullptr;
}

} // namespace sd

#else

namespace sd {
TileKernel *ifmaTile() { return nullptr; }
} // namespace sd

#endif
