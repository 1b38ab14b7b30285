// DeformConv with constant offsets: the elements of all windows are sampled, then multiplied by the weights at once.
#include "compiler/onnx/Handlers.h"

#include <cmath>

#include "compiler/onnx/Sampling.h"
#include "compiler/onnx/Window.h"

namespace sd {
namespace {

struct Deformation {
  OnnxWindow window; // two axes
  std::int64_t groups, offsetGroups;
  std::int64_t rows, columns; // of the result
  std::int64_t taps() const { return window.kernel[0] * window.kernel[1]; }
  std::int64_t places() const { return rows * columns; }
};

Expected<void> expectShape(const Value &x, const Shape &shape, std::string_view what) {
  if (x.isInteger() || x.shape() != shape)
    return fail("has {} of {}, not of shape {}", what, describe(x), toString(shape));
  return {};
}

Expected<Deformation> readDeformation(Node &node) {
  const Value &x = node.input(0), &w = node.input(1);
  SD_TRY(node.expectConstant(1, "weight"));
  SD_TRY(node.expectConstant(2, "offset"));
  if (node.has(3)) SD_TRY(node.expectConstant(3, "bias"));
  if (node.has(4)) SD_TRY(node.expectConstant(4, "mask"));
  if (x.rank() != 4 || w.rank() != 4) return fail("is given {}; only images of two axes are supported", describe(x));
  Deformation d{};
  SD_ASSIGN(d.window, readWindow(node, x.shape()));
  if (d.window.kernel.empty()) d.window.kernel = {w.shape()[2], w.shape()[3]};
  SD_TRY(complete(d.window, x.shape()));
  SD_ASSIGN(d.groups, node.integer("group", 1));
  SD_ASSIGN(d.offsetGroups, node.integer("offset_group", 1));
  const std::int64_t channels = x.shape()[1];
  if (d.groups < 1 || d.offsetGroups < 1 || channels % d.groups || channels % d.offsetGroups || w.shape()[0] % d.groups)
    return fail("has {} groups and {} of offsets for {} channels", d.groups, d.offsetGroups, channels);
  SD_TRY(expectShape(w, {w.shape()[0], channels / d.groups, d.window.kernel[0], d.window.kernel[1]}, "weights"));
  const auto lengthOf = [&](std::size_t axis) {
    const std::int64_t padded = x.shape()[axis + 2] + d.window.pads[axis] + d.window.pads[axis + 2];
    return (padded - d.window.dilations[axis] * (d.window.kernel[axis] - 1) - 1) / d.window.strides[axis] + 1;
  };
  d.rows = lengthOf(0);
  d.columns = lengthOf(1);
  if (d.rows < 1 || d.columns < 1) return fail("has a window larger than its input");
  const std::int64_t count = x.shape()[0];
  SD_TRY(expectShape(node.input(2), {count, d.offsetGroups * d.taps() * 2, d.rows, d.columns}, "offsets"));
  if (node.has(3)) SD_TRY(expectShape(node.input(3), {w.shape()[0]}, "a bias"));
  if (node.has(4)) SD_TRY(expectShape(node.input(4), {count, d.offsetGroups * d.taps(), d.rows, d.columns}, "a mask"));
  return d;
}

// For each tap of the window and each place of the result the elements along both axes, the last axis first. A mask
// scales them.
Expected<std::vector<std::vector<Tap>>> tapsOf(const Node &node, const Deformation &d, std::int64_t image,
                                               std::int64_t group) {
  const Shape &x = node.input(0).shape();
  const auto at = [&](const Value &from, std::int64_t channel, std::int64_t place) {
    const std::int64_t index = (image * from.shape()[1] + channel) * d.places() + place;
    return double{from.floats()->data[static_cast<std::size_t>(index)]};
  };
  std::vector<std::vector<Tap>> taps;
  for (std::int64_t tap = 0; tap < d.taps(); ++tap)
    for (std::int64_t place = 0; place < d.places(); ++place) {
      const std::int64_t own = group * d.taps() + tap;
      const std::array<std::int64_t, 2> inWindow = {tap / d.window.kernel[1], tap % d.window.kernel[1]};
      const std::array<std::int64_t, 2> inResult = {place / d.columns, place % d.columns};
      for (const std::size_t axis : {1, 0}) {
        const double offset = at(node.input(2), own * 2 + static_cast<std::int64_t>(axis), place);
        if (!std::isfinite(offset) || std::abs(offset) > 0x1p30) return fail("has the offset {}", offset);
        const double whole = static_cast<double>(inResult[axis] * d.window.strides[axis] - d.window.pads[axis] +
                                                 inWindow[axis] * d.window.dilations[axis]);
        const std::int64_t size = x[axis + 2];
        taps.push_back(tapsAt(whole + offset, {0, static_cast<double>(size - 1), size}, GridSampling{}));
        if (axis == 0 && node.has(4))
          for (Tap &each : taps.back())
            each.weight *= at(node.input(4), own, place);
      }
    }
  return taps;
}

// The elements of all windows of an image, [1, channels * taps, places].
Expected<Value> windowsOf(const Node &node, Emitter &emitter, const Deformation &d, std::int64_t image) {
  const Value &x = node.input(0);
  const std::int64_t channels = x.shape()[1] / d.offsetGroups, size = x.shape()[2] * x.shape()[3];
  std::vector<Value> groups;
  for (std::int64_t group = 0; group < d.offsetGroups; ++group) {
    std::vector<std::int64_t> own;
    for (std::int64_t c = 0; c < channels; ++c)
      own.push_back((image * d.offsetGroups + group) * channels + c);
    SD_ASSIGN(Value part, emitter.reshape(x, {x.shape()[0] * x.shape()[1], size}));
    SD_ASSIGN(part, emitter.gather(part, 0, std::move(own)));
    SD_ASSIGN(part, emitter.reshape(part, {1, channels, size}));
    SD_ASSIGN(const auto taps, tapsOf(node, d, image, group));
    SD_ASSIGN(part, sample(emitter, part, std::span(x.shape()).subspan(2), taps, 2));
    SD_ASSIGN(part, emitter.reshape(part, {1, channels * d.taps(), d.places()}));
    groups.push_back(std::move(part));
  }
  return emitter.concat(std::move(groups), 1);
}

} // namespace

Expected<void> importDeformConv(Node &node, Emitter &emitter) {
  const Value &x = node.input(0), &w = node.input(1);
  SD_ASSIGN(const Deformation d, readDeformation(node));
  SD_TRY(emitter.takeBudget({x.shape()[0], d.offsetGroups, d.taps() * d.places(), 8}));
  std::vector<Value> images;
  for (std::int64_t n = 0; n < x.shape()[0]; ++n) {
    SD_ASSIGN(Value windows, windowsOf(node, emitter, d, n));
    images.push_back(std::move(windows));
  }
  SD_ASSIGN(const Value windows, emitter.concat(std::move(images), 0));
  SD_ASSIGN(const Value weights, emitter.reshape(w, {w.shape()[0], w.shape()[1] * d.taps(), 1}));
  Attrs attrs = windowAttrs({.kernel = {1}, .strides = {1}, .pads = {0, 0}, .dilations = {1}});
  attrs.erase(Attr::Kernel);
  attrs.set(Attr::Group, d.groups);
  std::vector<Value> operands = {windows, weights};
  if (node.has(3)) operands.push_back(node.input(3));
  SD_ASSIGN(const Value flat, emitter.compute(OpKind::Conv, operands, std::move(attrs)));
  SD_ASSIGN(Value result, emitter.reshape(flat, {x.shape()[0], w.shape()[0], d.rows, d.columns}));
  node.setOutput(0, std::move(result));
  return {};
}

} // namespace sd
