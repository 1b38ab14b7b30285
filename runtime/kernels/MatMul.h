// Matrix products over the ring.
#pragma once

#include <cstdint>
#include <span>
#include <type_traits>

#include "ir/core/DotPacking.h"
#include "ir/core/Ring.h"
#include "runtime/kernels/ThreadPool.h"

namespace sd {

// y [m, n] = op(a) op(b): op(a) is [m, k], op(b) [k, n]; a transposed operand is stored as [k, m], [n, k]. Row-major.
struct MatMulShape {
  std::int64_t m = 1, n = 1, k = 1;
  bool transposeA = false, transposeB = false;
};

template <RingWord R>
void matMul(ThreadPool &pool, const MatMulShape &shape, std::span<const std::type_identity_t<R>> a,
            std::span<const std::type_identity_t<R>> b, std::span<R> y);

// y [batch, rows, columns] = a b^T, for each of the batch.
template <RingWord R>
void multiplyDot(ThreadPool &pool, const DotShape &shape, std::span<const std::type_identity_t<R>> a,
                 std::span<const std::type_identity_t<R>> b, std::span<R> y);

// y[i][j] += bias[j], y of [rows, bias.size()].
template <RingWord R>
void addToRows(std::span<const std::type_identity_t<R>> bias, std::span<R> y);

} // namespace sd
