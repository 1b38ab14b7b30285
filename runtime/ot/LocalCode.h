// The d-local linear code of primal LPN: row i of A has kCodeWeight ones at public random places (with repetition).
#pragma once

#include <span>

#include "runtime/crypto/AesHash.h"

namespace sd {

// words[i] ^= XOR of secret[j] over the places j of row firstRow + i, for a secret of 2^logSecret blocks, 4 <=
// logSecret <= 28. firstRow is even.
void addCodeRows(const AesKey &code, std::uint64_t firstRow, const Block *secret, int logSecret,
                 std::span<Block> words);

} // namespace sd
