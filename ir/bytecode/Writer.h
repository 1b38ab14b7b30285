// Programs and weights to bytes (docs/bytecode.md).
#pragma once

#include <vector>

#include "ir/bytecode/Digest.h"

namespace sd {

// The bytes of an .sdb. Fails if the program breaks verifyProgram()'s rules or the format's limits. Equal programs
// give equal bytes.
Expected<std::vector<std::uint8_t>> writeProgram(const Program &program);

// The bytes of an .sdw: `weights.tensors` fit `program`'s share.constant instructions, in order; `weights.program` is
// the digest of its .sdb.
Expected<std::vector<std::uint8_t>> writeWeights(const AnyWeightSet &weights, const Program &program);

} // namespace sd
