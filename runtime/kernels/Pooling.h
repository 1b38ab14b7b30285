// Sums over windows, in the ring.
#pragma once

#include <span>
#include <type_traits>

#include "ir/core/Ring.h"
#include "runtime/kernels/ThreadPool.h"
#include "runtime/kernels/Window.h"

namespace sd {

struct PoolShape {
  std::int64_t planes = 1; // batch times channels
  Shape input, output;     // spatial extents; an output may reach over the end, as with ceil_mode = 1
  Window window;           // padsEnd is implied by `output`
};

// y [planes, output...] = sum over the window's taps that fall inside x [planes, input...].
template <RingWord R>
void sumPool(ThreadPool &pool, const PoolShape &shape, std::span<const std::type_identity_t<R>> x, std::span<R> y);

} // namespace sd
