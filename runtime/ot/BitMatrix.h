// Transposition of bits between column planes and rows of 128.
#pragma once

#include <cstdint>
#include <span>

#include "runtime/crypto/Block.h"

namespace sd {

// planes[c] holds bit i of column c at bit i % 64 of word i / 64. rows[i] gets the 128 bits of row i, column c at bit
// c. `rows` has a multiple of 64 elements; each plane starts at planes + c * stride (in words).
void transposeToRows(const std::uint64_t *planes, std::size_t stride, std::span<Block> rows);

} // namespace sd
