// A variant of Tile.h's product beside Highway's; not for other users.
#pragma once

#include "runtime/kernels/Tile.h"

namespace sd {

using TileKernel = void(const TileProduct<Ring32> &tile, std::int64_t rows, std::int64_t columns);

// By 52-bit multiply-adds (AVX-512 IFMA): one operation for 8 columns, where a 32-bit product and sum are three for 16
// on Intel's cores. Null where the machine lacks them, and on AMD's, whose 32-bit product is one operation.
TileKernel *ifmaTile();

} // namespace sd
