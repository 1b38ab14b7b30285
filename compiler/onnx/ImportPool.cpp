// Pooling over windows and over whole axes.
#include "compiler/onnx/Handlers.h"
#include "compiler/onnx/Pool.h"
#include "compiler/onnx/Smooth.h"
#include "compiler/onnx/Window.h"

namespace sd {
namespace {

Expected<OnnxWindow> poolWindow(Node &node) {
  const Shape &x = node.input(0).shape();
  SD_ASSIGN(OnnxWindow window, readWindow(node, x));
  if (window.kernel.empty()) return fail("the attribute 'kernel_shape' is missing");
  SD_TRY(complete(window, x));
  // With ceil_mode one window may be larger than its axis: what lies beyond the padding never counts.
  const std::size_t axes = window.kernel.size();
  for (std::size_t i = 0; i < axes && window.ceilMode; ++i) {
    const std::int64_t padded = x[i + 2] + window.pads[i] + window.pads[axes + i];
    const bool isRoundedUp = window.kernel[i] > padded && window.kernel[i] - padded < window.strides[i];
    if (isRoundedUp && window.dilations[i] == 1) window.kernel[i] = padded;
  }
  return window;
}

} // namespace

Expected<void> importMaxPool(Node &node, Emitter &emitter) {
  SD_ASSIGN(const OnnxWindow window, poolWindow(node));
  node.ignore("storage_order"); // of the indices, which nobody may use
  Attrs attrs = windowAttrs(window);
  attrs.set(Attr::CeilMode, std::int64_t{window.ceilMode});
  // Quantised values are as ordered as the integers that they stand for.
  const Value &x = node.input(0);
  SD_ASSIGN(Value result, emitter.compute(OpKind::MaxPool, {x.quantisation() ? x.dequantised() : x}, std::move(attrs)));
  if (x.quantisation()) result = result.quantisedBy(x.quantisation()).storedAs(x.elementType());
  node.setOutput(0, std::move(result));
  return {};
}

Expected<Value> averagePool(Node &node, Emitter &emitter, const Value &x) {
  SD_ASSIGN(const OnnxWindow window, poolWindow(node));
  SD_ASSIGN(const bool countIncludePad, node.integer("count_include_pad", 0));
  Attrs attrs = windowAttrs(window);
  attrs.set(Attr::CeilMode, std::int64_t{window.ceilMode});
  attrs.set(Attr::CountIncludePad, std::int64_t{countIncludePad});
  return emitter.compute(OpKind::AvgPool, {x}, std::move(attrs));
}

Expected<void> importAveragePool(Node &node, Emitter &emitter) {
  SD_ASSIGN(Value result, averagePool(node, emitter, node.input(0)));
  node.setOutput(0, std::move(result));
  return {};
}

// (sum |x|^p)^(1/p) over windows: for p = 1, or p = 2 at the end of a network, whose root the hospital takes.
Expected<void> importLpPool(Node &node, Emitter &emitter) {
  SD_ASSIGN(const OnnxWindow window, poolWindow(node));
  SD_ASSIGN(const std::int64_t p, node.integer("p", 2));
  if (p != 1 && p != 2)
    return fail("has p = {}; only 1 and 2 are supported: fixed point loses the higher powers of small values", p);
  const Value &x = node.input(0);
  SD_ASSIGN(const Value powers, p == 1 ? magnitude(emitter, x) : emitter.arithmetic(OpKind::Mul, x, x));
  Attrs attrs = windowAttrs(window);
  attrs.set(Attr::CeilMode, std::int64_t{window.ceilMode});
  attrs.set(Attr::CountIncludePad, std::int64_t{0});
  attrs.set(Attr::Shift, std::int64_t{0}); // sums
  SD_ASSIGN(Value result, emitter.compute(OpKind::AvgPool, {powers}, std::move(attrs)));
  if (p == 2) {
    SD_ASSIGN(result, emitter.function("sqrt", result));
  }
  node.setOutput(0, std::move(result));
  return {};
}

Expected<Value> globalPool(Emitter &emitter, OpKind op, const Value &operand) {
  const Shape &shape = operand.shape();
  if (shape.size() < 3) return fail("needs an input [N,C,...], not {}", toString(shape));
  // All spatial axes in one: the window is the whole of it.
  Shape line = {shape[0], shape[1], 1};
  for (std::size_t i = 2; i < shape.size(); ++i)
    line[2] *= shape[i];
  OnnxWindow window;
  window.kernel = shape.size() == 4 ? std::vector<std::int64_t>{shape[2], shape[3]} : std::vector{line[2]};
  const Shape x = shape.size() == 4 ? shape : line;
  SD_TRY(complete(window, x));
  Attrs attrs = windowAttrs(window);
  attrs.set(Attr::CeilMode, std::int64_t{0});
  if (op == OpKind::AvgPool) attrs.set(Attr::CountIncludePad, std::int64_t{0});
  SD_ASSIGN(const Value flat, emitter.reshape(operand, x));
  SD_ASSIGN(const Value pooled, emitter.compute(op, {flat}, std::move(attrs)));
  Shape result(shape.size(), 1);
  result[0] = shape[0];
  result[1] = shape[1];
  return emitter.reshape(pooled, result);
}

Expected<void> importGlobalPool(Node &node, Emitter &emitter) {
  const OpKind op = node.op() == "GlobalAveragePool" ? OpKind::AvgPool : OpKind::MaxPool;
  SD_ASSIGN(Value result, globalPool(emitter, op, node.input(0)));
  node.setOutput(0, std::move(result));
  return {};
}

} // namespace sd
