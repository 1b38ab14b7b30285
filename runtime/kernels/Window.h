// The geometry of convolutions and poolings: a window of 1, 2 or 3 dimensions that moves over an input.
#pragma once

#include "ir/core/Tensor.h"

namespace sd {

inline constexpr std::size_t kMaxSpatialRank = 3;

// One entry a spatial dimension in each.
struct Window {
  Shape kernel, strides, dilations, padsBegin, padsEnd;
  bool operator==(const Window &) const = default;
};

// The window of that kernel with strides and dilations 1 and no padding.
Window plainWindow(Shape kernel);

// Output positions along each dimension, as ONNX counts them with ceil_mode = 0:
// floor((input + pads - dilation * (kernel - 1) - 1) / stride) + 1.
Shape outputExtents(const Shape &input, const Window &window);

} // namespace sd
