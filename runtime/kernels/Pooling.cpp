#include "runtime/kernels/Pooling.h"

#include <algorithm>
#include <array>

namespace sd {

namespace {

// One axis of the window, shapes of rank 1 and 2 filled up with axes of extent 1.
struct Axis {
  std::int64_t input = 1, output = 1, kernel = 1, stride = 1, dilation = 1, pad = 0;

  std::int64_t position(std::int64_t out, std::int64_t tap) const { return out * stride + tap * dilation - pad; }
  bool inside(std::int64_t at) const { return at >= 0 && at < input; }
};
using Axes = std::array<Axis, kMaxSpatialRank>;

// Adds the taps of one input row to one output row.
template <RingWord R>
void addRow(const Axis &axis, const R *x, R *y) {
  for (std::int64_t k = 0; k < axis.kernel; ++k) {
    const std::int64_t start = axis.position(0, k);
    const std::int64_t first = start >= 0 ? 0 : (-start + axis.stride - 1) / axis.stride;
    const std::int64_t last = axis.input > start ? (axis.input - 1 - start) / axis.stride + 1 : 0;
    const std::int64_t end = std::min(last, axis.output);
    for (std::int64_t i = first; i < end; ++i)
      y[i] += x[start + i * axis.stride];
  }
}

template <RingWord R>
void poolPlane(const Axes &axes, const R *x, R *y) {
  const Axis &depth = axes[0], &height = axes[1], &width = axes[2];
  std::fill_n(y, depth.output * height.output * width.output, 0);
  for (std::int64_t a = 0; a < depth.output; ++a)
    for (std::int64_t b = 0; b < height.output; ++b, y += width.output)
      for (std::int64_t i = 0; i < depth.kernel; ++i)
        for (std::int64_t j = 0; j < height.kernel; ++j) {
          const std::int64_t d = depth.position(a, i), h = height.position(b, j);
          if (depth.inside(d) && height.inside(h)) addRow(width, x + (d * height.input + h) * width.input, y);
        }
}

} // namespace

template <RingWord R>
void sumPool(ThreadPool &pool, const PoolShape &shape, std::span<const std::type_identity_t<R>> x, std::span<R> y) {
  const std::size_t rank = shape.input.size();
  assert(rank >= 1 && rank <= kMaxSpatialRank && shape.output.size() == rank);
  Axes axes;
  for (std::size_t i = 0; i < rank; ++i)
    axes[3 - rank + i] = {shape.input[i],          shape.output[i],           shape.window.kernel[i],
                          shape.window.strides[i], shape.window.dilations[i], shape.window.padsBegin[i]};
  const std::int64_t in = elementCount(shape.input), out = elementCount(shape.output);
  assert(std::int64_t(x.size()) == shape.planes * in && std::int64_t(y.size()) == shape.planes * out);
  const std::int64_t work = std::max<std::int64_t>(1, out * elementCount(shape.window.kernel));
  pool.parallelRanges(shape.planes, (1 << 16) / work, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t p = begin; p < end; ++p)
      poolPlane(axes, x.data() + p * in, y.data() + p * out);
  });
}

template void sumPool(ThreadPool &, const PoolShape &, std::span<const Ring32>, std::span<Ring32>);
template void sumPool(ThreadPool &, const PoolShape &, std::span<const Ring64>, std::span<Ring64>);

} // namespace sd
