// The window of a convolution or pool: ONNX's attributes, with automatic padding made explicit.
#pragma once

#include "compiler/onnx/Node.h"

namespace sd {

struct OnnxWindow {
  std::vector<std::int64_t> kernel, strides, pads, dilations; // one a spatial axis, pads two: all begins, all ends
  std::string autoPad = "NOTSET";
  bool ceilMode = false;
};

// The attributes kernel_shape, strides, pads, dilations, auto_pad and ceil_mode of a node on x [N,C,...]; the kernel
// is empty if the node does not state it.
Expected<OnnxWindow> readWindow(Node &node, const Shape &x);

// Once the kernel is known: fills in what was left out, checks the lengths and the ranges, and resolves auto_pad as
// the ONNX text says (SAME: ceil(size / stride) outputs, an odd element of padding at the end for SAME_UPPER).
Expected<void> complete(OnnxWindow &window, const Shape &x);

Attrs windowAttrs(const OnnxWindow &window); // without ceil_mode

} // namespace sd
