// Reductions along any axes, as pooling over one window that holds them all.
#include "compiler/onnx/Handlers.h"

#include <algorithm>

namespace sd {
namespace {

struct Reduction {
  std::vector<std::int64_t> axes; // sorted; empty: nothing is reduced
  bool keepDims = true;
};

Expected<Reduction> readReduction(Node &node) {
  const std::int64_t rank = node.input(0).rank();
  // The axes became an input at opset 13 for ReduceSum, at 18 for the others.
  const bool axesAreInput = node.opset() >= (node.op() == "ReduceSum" ? 13 : 18);
  Reduction reduction;
  SD_ASSIGN(reduction.keepDims, node.integer("keepdims", 1));
  if (!axesAreInput) {
    SD_ASSIGN(reduction.axes, node.integers("axes"));
  } else if (node.has(1)) {
    SD_ASSIGN(reduction.axes, node.constantInts(1, "axes"));
  }
  SD_ASSIGN(const bool noneMeansNone, axesAreInput ? node.integer("noop_with_empty_axes", 0) : 0);
  if (reduction.axes.empty() && !noneMeansNone)
    for (std::int64_t axis = 0; axis < rank; ++axis)
      reduction.axes.push_back(axis);
  SD_ASSIGN(reduction.axes, normalizedAxes(std::move(reduction.axes), rank));
  return reduction;
}

// x with the kept axes first, as [1, kept, reduced].
Expected<Value> inRows(Emitter &emitter, const Value &x, const std::vector<std::int64_t> &axes) {
  std::vector<std::int64_t> perm;
  Shape rows = {1, 1, 1};
  for (std::int64_t axis = 0; axis < x.rank(); ++axis)
    if (!std::ranges::binary_search(axes, axis)) {
      perm.push_back(axis);
      rows[1] *= x.shape()[static_cast<std::size_t>(axis)];
    }
  for (std::int64_t axis : axes) {
    perm.push_back(axis);
    rows[2] *= x.shape()[static_cast<std::size_t>(axis)];
  }
  SD_ASSIGN(const Value ordered, emitter.transpose(x, std::move(perm)));
  return emitter.reshape(ordered, rows);
}

Expected<Value> pooled(Emitter &emitter, OpKind kind, const Value &rows) {
  const std::int64_t length = rows.shape()[2];
  Attrs attrs = {{Attr::Kernel, std::vector<std::int64_t>{length}},
                 {Attr::Strides, std::vector<std::int64_t>{1}},
                 {Attr::Pads, std::vector<std::int64_t>{0, 0}},
                 {Attr::Dilations, std::vector<std::int64_t>{1}},
                 {Attr::CeilMode, std::int64_t{0}}};
  if (kind == OpKind::AvgPool) attrs.set(Attr::CountIncludePad, std::int64_t{0});
  return emitter.compute(kind, {rows}, std::move(attrs));
}

} // namespace

Expected<void> importReduce(Node &node, Emitter &emitter) {
  SD_ASSIGN(const Reduction reduction, readReduction(node));
  const Value &x = node.input(0);
  Value result = x;
  if (!reduction.axes.empty()) {
    const bool isMin = node.op() == "ReduceMin", isMax = node.op() == "ReduceMax" || isMin;
    SD_ASSIGN(Value rows, inRows(emitter, x, reduction.axes));
    if (rows.size() == 0) return fail("reduces an axis without elements");
    if (isMin) {
      SD_ASSIGN(rows, emitter.arithmetic(OpKind::Mul, rows, Value::scalar(-1)));
    }
    SD_ASSIGN(result, pooled(emitter, isMax ? OpKind::MaxPool : OpKind::AvgPool, rows));
    if (isMin || node.op() == "ReduceSum") {
      const auto factor = isMin ? -1.0f : static_cast<float>(rows.shape()[2]);
      SD_ASSIGN(result, emitter.arithmetic(OpKind::Mul, result, Value::scalar(factor)));
    }
    Shape shape;
    for (std::int64_t axis = 0; axis < x.rank(); ++axis) {
      const bool reduced = std::ranges::binary_search(reduction.axes, axis);
      if (!reduced || reduction.keepDims) shape.push_back(reduced ? 1 : x.shape()[static_cast<std::size_t>(axis)]);
    }
    SD_ASSIGN(result, emitter.reshape(result, std::move(shape)));
  }
  node.setOutput(0, std::move(result));
  return {};
}

} // namespace sd
