#include "compiler/onnx/Window.h"

#include <algorithm>

namespace sd {
namespace {

constexpr std::int64_t kLargest = std::int64_t{1} << 20; // as the IR allows

Expected<void> expectWithin(std::string_view what, const std::vector<std::int64_t> &list, std::size_t length,
                            std::int64_t least) {
  if (list.size() != length) return fail("{} [{}] must have {} entries", what, fmt::join(list, ", "), length);
  for (std::int64_t entry : list)
    if (entry < least || entry > kLargest) return fail("{} holds {}, outside {} to {}", what, entry, least, kLargest);
  return {};
}

void padAutomatically(OnnxWindow &window, const Shape &x) {
  const std::size_t axes = window.kernel.size();
  window.pads.assign(2 * axes, 0);
  window.ceilMode = false; // the text's formulas for SAME and VALID are the same with it
  if (window.autoPad == "VALID") return;
  for (std::size_t i = 0; i < axes; ++i) {
    const std::int64_t size = x[i + 2], stride = window.strides[i];
    const std::int64_t outputs = (size + stride - 1) / stride;
    const std::int64_t extent = (window.kernel[i] - 1) * window.dilations[i] + 1;
    const std::int64_t total = std::max<std::int64_t>((outputs - 1) * stride + extent - size, 0);
    const std::int64_t begin = window.autoPad == "SAME_UPPER" ? total / 2 : total - total / 2;
    window.pads[i] = begin;
    window.pads[axes + i] = total - begin;
  }
}

} // namespace

Expected<OnnxWindow> readWindow(Node &node, const Shape &x) {
  if (x.size() < 3) return fail("needs an input [N,C,...], not {}", toString(x));
  if (x.size() > 5) return fail("works on {} spatial axes; at most three are supported", x.size() - 2);
  OnnxWindow window;
  SD_ASSIGN(window.kernel, node.integers("kernel_shape"));
  SD_ASSIGN(window.strides, node.integers("strides"));
  SD_ASSIGN(window.pads, node.integers("pads"));
  SD_ASSIGN(window.dilations, node.integers("dilations"));
  SD_ASSIGN(window.autoPad, node.text("auto_pad", "NOTSET"));
  SD_ASSIGN(window.ceilMode, node.integer("ceil_mode", 0));
  return window;
}

Expected<void> complete(OnnxWindow &window, const Shape &x) {
  const std::size_t axes = x.size() - 2;
  if (window.strides.empty()) window.strides.assign(axes, 1);
  if (window.dilations.empty()) window.dilations.assign(axes, 1);
  if (window.pads.empty()) window.pads.assign(2 * axes, 0);
  SD_TRY(expectWithin("kernel_shape", window.kernel, axes, 1));
  SD_TRY(expectWithin("strides", window.strides, axes, 1));
  SD_TRY(expectWithin("dilations", window.dilations, axes, 1));
  if (window.autoPad == "NOTSET" || window.autoPad.empty()) return expectWithin("pads", window.pads, 2 * axes, 0);
  if (window.autoPad != "SAME_UPPER" && window.autoPad != "SAME_LOWER" && window.autoPad != "VALID")
    return fail("auto_pad '{}' is not one of NOTSET, SAME_UPPER, SAME_LOWER, VALID", printable(window.autoPad));
  padAutomatically(window, x);
  return {};
}

Attrs windowAttrs(const OnnxWindow &window) {
  return {{Attr::Kernel, window.kernel},
          {Attr::Strides, window.strides},
          {Attr::Pads, window.pads},
          {Attr::Dilations, window.dilations}};
}

} // namespace sd
