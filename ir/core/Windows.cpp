#include "ir/core/Windows.h"

#include <algorithm>

namespace sd {

Expected<std::int64_t> windowOutputs(const WindowAxis &axis) {
  auto within = [](std::int64_t value, std::int64_t least, std::int64_t most) {
    return least <= value && value <= most;
  };
  if (!within(axis.size, 1, kMaxElements)) return fail("a window slides over an axis of size {}", axis.size);
  if (!within(axis.kernel, 1, kMaxWindow) || !within(axis.stride, 1, kMaxWindow) ||
      !within(axis.dilation, 1, kMaxWindow) || !within(axis.padBegin, 0, kMaxWindow) ||
      !within(axis.padEnd, 0, kMaxWindow))
    return fail("kernel {}, stride {}, dilation {} or pads {} and {} are out of range", axis.kernel, axis.stride,
                axis.dilation, axis.padBegin, axis.padEnd);
  const std::int64_t extent = (axis.kernel - 1) * axis.dilation + 1;
  const std::int64_t padded = axis.size + axis.padBegin + axis.padEnd;
  if (extent > padded)
    return fail("a window of {} elements does not fit into an axis of {} with {} of padding", extent, axis.size,
                axis.padBegin + axis.padEnd);
  std::int64_t steps = padded - extent;
  std::int64_t outputs = (axis.ceilMode ? steps + axis.stride - 1 : steps) / axis.stride + 1;
  // A window must start inside the input or the padding before it (ONNX, AveragePool and MaxPool, ceil_mode).
  if (axis.ceilMode && (outputs - 1) * axis.stride >= axis.size + axis.padBegin) --outputs;
  return outputs;
}

std::vector<WindowAxis> windowAxes(const Shape &x, std::span<const std::int64_t> kernel, const Attrs &attrs) {
  const auto &strides = attrs.ints(Attr::Strides), &pads = attrs.ints(Attr::Pads),
             &dilations = attrs.ints(Attr::Dilations);
  const bool ceilMode = attrs.i(Attr::CeilMode, 0) != 0;
  std::vector<WindowAxis> axes;
  for (std::size_t i = 0; i < kernel.size(); ++i)
    axes.push_back({x[i + 2], kernel[i], strides[i], pads[i], pads[i + kernel.size()], dilations[i], ceilMode});
  return axes;
}

WindowTaps windowTaps(const WindowAxis &axis, std::int64_t output) {
  const std::int64_t first = output * axis.stride - axis.padBegin;
  const std::int64_t begin = first >= 0 ? 0 : (-first + axis.dilation - 1) / axis.dilation;
  const std::int64_t room = axis.size - first; // positions before the input's end
  const std::int64_t end = room <= 0 ? 0 : std::min(axis.kernel, (room + axis.dilation - 1) / axis.dilation);
  return {first, begin, std::max(begin, end)};
}

std::int64_t countedTaps(const WindowAxis &axis, std::int64_t output, bool includePad) {
  if (!includePad) {
    auto taps = windowTaps(axis, output);
    return taps.end - taps.begin;
  }
  WindowAxis padded = axis; // the padding as part of the input
  padded.size += axis.padBegin + axis.padEnd;
  padded.padBegin = padded.padEnd = 0;
  auto taps = windowTaps(padded, output);
  return taps.end - taps.begin;
}

} // namespace sd
