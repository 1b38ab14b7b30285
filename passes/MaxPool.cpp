#include <algorithm>

#include "ir/core/Windows.h"
#include "passes/Quantizer.h"

namespace sd {

namespace {

// Position of tap `tap` of each window, clamped to the taps that hit the input: a maximum does not mind repetition.
std::vector<std::int64_t> tapPositions(const WindowAxis &axis, std::int64_t outputs, std::int64_t tap) {
  std::vector<std::int64_t> positions;
  for (std::int64_t output = 0; output < outputs; ++output) {
    const WindowTaps taps = windowTaps(axis, output);
    positions.push_back(taps.first + std::clamp(tap, taps.begin, taps.end - 1) * axis.dilation);
  }
  return positions;
}

ValueId maximumAlong(Builder &builder, ValueId x, const WindowAxis &axis, std::int64_t dimension, const Op &pool) {
  const auto outputs = windowOutputs(axis);
  assert(outputs); // the pool's rule
  std::vector<std::vector<std::int64_t>> taps;
  for (std::int64_t tap = 0; tap < axis.kernel; ++tap)
    if (auto positions = tapPositions(axis, *outputs, tap); std::ranges::find(taps, positions) == taps.end())
      taps.push_back(std::move(positions));
  std::vector<ValueId> level;
  for (auto &positions : taps)
    level.push_back(
        builder.create(OpKind::ShareGather, {x}, {{Attr::Axis, dimension}, {Attr::Indices, positions}}, pool.source));
  while (level.size() > 1) {
    std::vector<ValueId> next;
    for (std::size_t i = 0; i + 1 < level.size(); i += 2)
      next.push_back(builder.create(OpKind::ShareMax, {level[i], level[i + 1]},
                                    {{Attr::Bound, std::int64_t{kBoundBits}}}, pool.source));
    if (level.size() % 2) next.push_back(level.back());
    level = std::move(next);
  }
  return level[0];
}

} // namespace

ValueId appendMaxPool(Builder &builder, ValueId x, const Op &pool) {
  const Shape shape = builder.type(x).shape;
  const auto axes = windowAxes(shape, pool.attrs.ints(Attr::Kernel), pool.attrs);
  for (std::size_t i = axes.size(); i-- > 0;) // rows are contiguous: last axis first
    x = maximumAlong(builder, x, axes[i], static_cast<std::int64_t>(i) + 2, pool);
  return x;
}

} // namespace sd
