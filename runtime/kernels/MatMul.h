// Matrix products over Z_2^32.
#pragma once

#include <cstdint>
#include <span>

#include "ir/core/Ring.h"
#include "runtime/kernels/ThreadPool.h"

namespace sd {

// y [m, n] = op(a) op(b): op(a) is [m, k], op(b) [k, n]; a transposed operand is stored as [k, m], [n, k]. Row-major.
struct MatMulShape {
  std::int64_t m = 1, n = 1, k = 1;
  bool transposeA = false, transposeB = false;
};

void matMul(ThreadPool &pool, const MatMulShape &shape, std::span<const Ring> a, std::span<const Ring> b,
            std::span<Ring> y);

// y[i][j] += bias[j], y of [rows, bias.size()].
void addToRows(std::span<const Ring> bias, std::span<Ring> y);

} // namespace sd
