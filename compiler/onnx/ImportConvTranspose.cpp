// ConvTranspose: a convolution with the mirrored kernel over the input with zeros between its elements.
#include <algorithm>
#include <numeric>

#include "compiler/onnx/Handlers.h"
#include "compiler/onnx/LinearMap.h"
#include "compiler/onnx/Window.h"

namespace sd {
namespace {

struct Transposed {
  OnnxWindow window; // pads as ONNX means them: what is cut off the result
  std::vector<std::int64_t> outputPadding;
};

// The padding that an output_shape, or SAME, asks for.
void padFor(Transposed &node, std::size_t axis, std::int64_t total) {
  const bool smallerFirst = node.window.autoPad == "SAME_UPPER";
  const std::int64_t half = total / 2;
  if (total < 0) { // zeros behind the result
    node.window.pads[axis] = 0;
    node.window.pads[node.window.kernel.size() + axis] = total;
    return;
  }
  node.window.pads[axis] = smallerFirst ? half : total - half;
  node.window.pads[node.window.kernel.size() + axis] = smallerFirst ? total - half : half;
}

Expected<Transposed> readTransposed(Node &node, const Shape &x, const Shape &w) {
  Transposed out;
  SD_ASSIGN(out.window, readWindow(node, x));
  const std::vector<std::int64_t> taps(w.begin() + 2, w.end());
  if (!out.window.kernel.empty() && out.window.kernel != taps)
    return fail("kernel_shape [{}] differs from its weights {}", fmt::join(out.window.kernel, ", "), toString(w));
  out.window.kernel = taps;
  const std::string autoPad = out.window.autoPad;
  SD_TRY(complete(out.window, x));
  const std::size_t axes = taps.size();
  SD_ASSIGN(out.outputPadding, node.integers("output_padding"));
  SD_ASSIGN(const std::vector<std::int64_t> shape, node.integers("output_shape"));
  if (out.outputPadding.empty()) out.outputPadding.assign(axes, 0);
  if (out.outputPadding.size() != axes || (!shape.empty() && shape.size() != axes))
    return fail("output_padding and output_shape must have {} entries", axes);
  const bool same = autoPad == "SAME_UPPER" || autoPad == "SAME_LOWER";
  for (std::size_t i = 0; i < axes; ++i) {
    const std::int64_t stride = out.window.strides[i];
    const std::int64_t extent = (taps[i] - 1) * out.window.dilations[i] + 1;
    if (out.outputPadding[i] < 0 || out.outputPadding[i] > (1 << 20))
      return fail("output_padding is {}", out.outputPadding[i]);
    const std::int64_t full = stride * (x[i + 2] - 1) + out.outputPadding[i] + extent;
    if (!shape.empty() && (shape[i] < 1 || shape[i] > (1 << 20))) return fail("output_shape holds {}", shape[i]);
    if (!shape.empty())
      padFor(out, i, full - shape[i]);
    else if (same)
      padFor(out, i, full - stride * x[i + 2]);
    if (full - out.window.pads[i] - out.window.pads[axes + i] < 1) return fail("its pads leave nothing of the result");
  }
  return out;
}

// [C, M/g, k...] to [M, C/g, k...], each kernel mirrored.
Expected<Value> mirrored(Emitter &emitter, const Value &w, std::int64_t group) {
  Shape split = {group, w.shape()[0] / group};
  split.insert(split.end(), w.shape().begin() + 1, w.shape().end());
  std::vector<std::int64_t> perm(split.size());
  std::iota(perm.begin(), perm.end(), 0);
  std::swap(perm[1], perm[2]);
  Shape joined = {group * split[2], split[1]};
  joined.insert(joined.end(), split.begin() + 3, split.end());
  SD_ASSIGN(const Value grouped, emitter.reshape(w, std::move(split)));
  SD_ASSIGN(const Value swapped, emitter.transpose(grouped, std::move(perm)));
  SD_ASSIGN(Value result, emitter.reshape(swapped, joined));
  for (std::size_t axis = 2; axis < joined.size(); ++axis) {
    std::vector<std::int64_t> backwards(static_cast<std::size_t>(joined[axis]));
    std::iota(backwards.rbegin(), backwards.rend(), 0);
    SD_ASSIGN(result, emitter.gather(result, static_cast<std::int64_t>(axis), std::move(backwards)));
  }
  return result;
}

// x along `axis` with stride - 1 zeros between its elements, and what the convolution cannot pad: `begin` and `end`
// elements are added, or cut off where negative.
Expected<Value> spread(Emitter &emitter, const Value &x, std::int64_t axis, std::int64_t stride,
                       std::pair<std::int64_t, std::int64_t> ends) {
  const std::int64_t length = (x.shape()[static_cast<std::size_t>(axis)] - 1) * stride + 1;
  if (length + ends.first + ends.second > kMaxSelected) return fail("the result is too large");
  std::vector<std::int64_t> indices;
  for (std::int64_t i = -ends.first; i < length + ends.second; ++i)
    indices.push_back(i >= 0 && i < length && i % stride == 0 ? i / stride : kZero);
  return gatherOrZero(emitter, x, axis, std::move(indices));
}

} // namespace

Expected<void> importConvTranspose(Node &node, Emitter &emitter) {
  const Value &x = node.input(0), &w = node.input(1);
  SD_TRY(node.expectConstant(1, "weight"));
  if (node.has(2)) SD_TRY(node.expectConstant(2, "bias"));
  SD_ASSIGN(const std::int64_t group, node.integer("group", 1));
  if (x.rank() < 3 || w.rank() != x.rank() || group < 1 || w.shape()[0] != x.shape()[1] || x.shape()[1] % group != 0)
    return fail("needs x [N,C,...] and weights [C,M/group,...], not {} and {} in {} groups", toString(x.shape()),
                toString(w.shape()), group);
  SD_ASSIGN(const Transposed transposed, readTransposed(node, x.shape(), w.shape()));
  const OnnxWindow &window = transposed.window;
  const std::size_t axes = window.kernel.size();
  OnnxWindow inner = window;
  inner.strides.assign(axes, 1);
  Value input = x;
  for (std::size_t i = 0; i < axes; ++i) {
    const std::int64_t reach = (window.kernel[i] - 1) * window.dilations[i];
    std::int64_t ends[] = {reach - window.pads[i], reach - window.pads[axes + i] + transposed.outputPadding[i]};
    inner.pads[i] = std::max<std::int64_t>(ends[0], 0);
    inner.pads[axes + i] = std::max<std::int64_t>(ends[1], 0);
    SD_ASSIGN(input, spread(emitter, input, static_cast<std::int64_t>(i + 2), window.strides[i],
                            {std::min<std::int64_t>(ends[0], 0), std::min<std::int64_t>(ends[1], 0)}));
  }
  Attrs attrs = windowAttrs(inner);
  attrs.erase(Attr::Kernel);
  attrs.set(Attr::Group, group);
  SD_ASSIGN(const Value weights, mirrored(emitter, w, group));
  std::vector<Value> operands = {input, weights};
  if (node.has(2)) operands.push_back(node.input(2));
  SD_ASSIGN(Value result, emitter.compute(OpKind::Conv, operands, std::move(attrs)));
  node.setOutput(0, std::move(result));
  return {};
}

} // namespace sd
