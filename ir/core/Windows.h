// Geometry of convolution and pooling windows, shared by the rules, the reference and the passes.
#pragma once

#include "ir/core/OpRules.h"

namespace sd {

// Largest kernel, stride, dilation or padding: sums and products of them stay far from overflow.
inline constexpr std::int64_t kMaxWindow = std::int64_t{1} << 20;

// One WindowAxis for each spatial axis of x [N,C,...] from the attributes strides, pads, dilations and ceil_mode;
// `kernel` holds the taps a spatial axis. All lists must have fitting lengths (a rule says so).
std::vector<WindowAxis> windowAxes(const Shape &x, std::span<const std::int64_t> kernel, const Attrs &attrs);

// Taps [begin, end) of the window of output `output` that hit the input; tap i stands at input position first + i
// dilation. Empty if begin == end.
struct WindowTaps {
  std::int64_t first, begin, end;
};
WindowTaps windowTaps(const WindowAxis &axis, std::int64_t output);

// Taps of the window that count in an average: those that hit the input, or the input and its padding; those that run
// over the end in ceil mode never count.
std::int64_t countedTaps(const WindowAxis &axis, std::int64_t output, bool includePad);

} // namespace sd
