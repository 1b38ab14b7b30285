// Linear layers over Z_2^32 by 8-bit limbs, for processors with a unit that multiplies byte matrices:
//
//   w x = sum over i + j < 4 of 2^(8 (i + j)) w_i x_j (mod 2^32),
//
// ten products of bytes, whose sums may wrap. The unit holds eight tiles of 16 rows of 64 bytes.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>

#include "ir/core/Ring.h"

namespace sd {

inline constexpr int kLimbs = 4;
inline constexpr std::int64_t kByteRows = 16, kByteColumns = 16; // of a tile of sums
inline constexpr std::int64_t kByteDepth = 64;                   // channels that one product of tiles sums over
inline constexpr std::int64_t kByteStep = kLimbs * kByteRows * kByteDepth; // bytes: a block of weights, limb by limb

// As TileProduct of Tile.h, of limbs. A word of `x` is one limb of four successive channels at one position, the first
// channel lowest; a plane of such words is `quadStride` long, the planes of a limb's channels follow each other, and
// the next limb's are `limbStride` further. Channels fill `blocks` blocks of kByteDepth, with zero weights at the end.
struct ByteProduct {
  const std::uint8_t *w; // for each 16 rows, block and tap kByteStep bytes: for each limb and row 64 channels
  const Ring32 *x;
  std::int64_t quadStride, limbStride;
  std::int64_t blocks;
  std::span<const std::int64_t> offsets; // one a tap
  Ring32 *y;
  std::int64_t yStride;
};

// Any number of rows and columns; x is read and y written as if `columns` were rounded up to a multiple of 16.
using ByteKernel = void(const ByteProduct &product, std::int64_t rows, std::int64_t columns);

// Unit: constructed by a thread before it uses its tiles. Its static members zero<t>(), load<t>(rows, stride in bytes),
// add<t, a, b>() and store<t>(rows, stride in bytes) are the unit's operations on tiles t, a and b; add() is
// t[m][q] += sum over k < 16, i < 4 of byte i of a[m][k] times byte i of b[k][q].
template <class Unit>
void multiplyBytes(const ByteProduct &product, std::int64_t rows, std::int64_t columns) {
  const Unit unit;
  constexpr std::int64_t kLimbBytes = kByteRows * kByteDepth, kRowBytes = kByteDepth;
  const std::int64_t taps = static_cast<std::int64_t>(product.offsets.size());
  const std::int64_t xRowBytes = product.quadStride * static_cast<std::int64_t>(sizeof(Ring32));
  alignas(64) Ring32 sums[kLimbs][kByteRows][kByteColumns]; // of the products of weight 2^(8 i)
  for (std::int64_t row = 0; row < rows; row += kByteRows)
    for (std::int64_t column = 0; column < columns; column += kByteColumns) {
      Unit::template zero<0>();
      Unit::template zero<1>();
      Unit::template zero<2>();
      Unit::template zero<3>();
      const std::uint8_t *w = product.w + row / kByteRows * product.blocks * taps * kByteStep;
      const Ring32 *x = product.x + column;
      for (std::int64_t b = 0; b < product.blocks; ++b, x += kByteDepth / 4 * product.quadStride)
        for (const std::int64_t offset : product.offsets) {
          const auto limb = [&](int j) { return x + offset + j * product.limbStride; };
          Unit::template load<4>(w, kRowBytes);
          Unit::template load<5>(limb(3), xRowBytes);
          Unit::template add<3, 4, 5>();
          Unit::template load<5>(limb(0), xRowBytes);
          Unit::template load<6>(limb(1), xRowBytes);
          Unit::template load<7>(limb(2), xRowBytes);
          Unit::template add<0, 4, 5>();
          Unit::template add<1, 4, 6>();
          Unit::template add<2, 4, 7>();
          Unit::template load<4>(w + kLimbBytes, kRowBytes);
          Unit::template add<1, 4, 5>();
          Unit::template add<2, 4, 6>();
          Unit::template add<3, 4, 7>();
          Unit::template load<4>(w + 2 * kLimbBytes, kRowBytes);
          Unit::template add<2, 4, 5>();
          Unit::template add<3, 4, 6>();
          Unit::template load<4>(w + 3 * kLimbBytes, kRowBytes);
          Unit::template add<3, 4, 5>();
          w += kByteStep;
        }
      Unit::template store<0>(sums[0], sizeof sums[0][0]);
      Unit::template store<1>(sums[1], sizeof sums[1][0]);
      Unit::template store<2>(sums[2], sizeof sums[2][0]);
      Unit::template store<3>(sums[3], sizeof sums[3][0]);
      for (std::int64_t m = 0; m < std::min(kByteRows, rows - row); ++m)
        for (std::int64_t q = 0; q < kByteColumns; ++q)
          product.y[(row + m) * product.yStride + column + q] =
              sums[0][m][q] + (sums[1][m][q] << 8) + (sums[2][m][q] << 16) + (sums[3][m][q] << 24);
    }
}

// That of this machine, or null. It has shown once in this process that it multiplies rightly.
ByteKernel *byteKernel();

} // namespace sd
