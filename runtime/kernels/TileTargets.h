// The variants of Tile.h's product in Z_2^32; not for other users.
#pragma once

#include <vector>

#include "runtime/kernels/Tile.h"

namespace sd {

using TileKernel = void(const TileProduct<Ring32> &tile, std::int64_t rows, std::int64_t columns);

// By 32-bit products, on whatever instruction set Highway chooses, and by 52-bit multiply-adds if the machine has them
// (AVX-512 IFMA). Which is faster differs between makers' cores: multiplyTile() measures it once in a process.
struct TileVariant {
  const char *name;
  TileKernel *kernel;
};
std::vector<TileVariant> tileVariants();

TileKernel *ifmaTile(); // null where the machine lacks it

} // namespace sd
