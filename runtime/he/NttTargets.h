// Shared between the variants of Ntt.h; not for other users.
#pragma once

#include "runtime/he/Ntt.h"

namespace sd {

// Butterflies of the stages from `firstBlocks` blocks on, before that of `endBlocks`; values in [0, 4p) before and
// after.
void forwardStages(const NttTables &tables, std::uint64_t *a, int firstBlocks, int endBlocks = kKernelDegree);
// Butterflies of the inverse stages `firstBlocks`, `firstBlocks` / 2, ... above `endBlocks`; values in [0, 2p).
void inverseStages(const NttTables &tables, std::uint64_t *a, int firstBlocks, int endBlocks = 0);
void reducePortable(const NttTables &tables, const std::uint64_t *lo, const std::uint64_t *hi, std::uint64_t *out);

// AVX2's; machines with AVX-512 use it too.
void forwardSparseAvx2(const NttTables &tables, std::uint64_t *a, const std::array<std::uint64_t *, kInterleaved> &out);

const PolyKernels *avx2Kernels();   // null where the machine lacks AVX2 and FMA
const PolyKernels *avx512Kernels(); // null where the machine lacks AVX-512 F, DQ and IFMA, or the above

} // namespace sd
