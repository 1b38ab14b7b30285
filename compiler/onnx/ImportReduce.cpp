// Reductions along any axes, as pooling over one window that holds them all.
#include "compiler/onnx/Handlers.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "compiler/onnx/ClearEnd.h"
#include "compiler/onnx/OpTable.h"
#include "compiler/onnx/Pool.h"

namespace sd {
namespace {

struct Reduction {
  std::vector<std::int64_t> axes; // sorted
  bool keepDims = true;
  bool isNothing = false; // noop_with_empty_axes: what is done to each element before the reduction still is
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
  reduction.isNothing = reduction.axes.empty() && noneMeansNone;
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

Shape reducedShape(const Shape &whole, const Reduction &reduction) {
  Shape shape;
  for (std::size_t axis = 0; axis < whole.size(); ++axis) {
    const bool reduced = std::ranges::binary_search(reduction.axes, static_cast<std::int64_t>(axis));
    if (!reduced || reduction.keepDims) shape.push_back(reduced ? 1 : whole[axis]);
  }
  return shape;
}

// Products of whole numbers, as of a shape; none if they leave 64 bits.
Expected<Value> products(const Tensor<std::int64_t> &rows) {
  Tensor<std::int64_t> out({rows.shape[1]}, 1);
  for (std::size_t i = 0; i < rows.data.size(); ++i) {
    std::int64_t &product = out.data[i / static_cast<std::size_t>(rows.shape[2])];
    if (__builtin_mul_overflow(product, rows.data[i], &product)) return fail("integer overflow among constants");
  }
  return Value::of(std::move(out));
}

// Products or Euclidean norms of rows of floats.
Value reducedRows(const Tensor<float> &rows, bool isNorm) {
  const auto length = static_cast<std::size_t>(rows.shape[2]);
  Tensor<float> out({rows.shape[1]});
  for (std::size_t row = 0; row < out.data.size(); ++row) {
    double value = isNorm ? 0 : 1;
    for (std::size_t i = 0; i < length; ++i) {
      const double element = static_cast<double>(rows.data[row * length + i]);
      value = isNorm ? value + element * element : value * element;
    }
    out.data[row] = static_cast<float>(isNorm ? std::sqrt(value) : value);
  }
  return Value::of(std::move(out));
}

Expected<Value> absolute(Emitter &emitter, const Value &x) { // 2 relu(x) - x
  SD_ASSIGN(const Value positive, emitter.relu(x));
  SD_ASSIGN(const Value twice, emitter.arithmetic(OpKind::Mul, positive, Value::scalar(2)));
  return emitter.arithmetic(OpKind::Sub, twice, x);
}

// The same of opened rows.
Expected<Value> pooledInTheClear(Emitter &emitter, OpKind kind, const Value &rows, bool sums) {
  if (kind == OpKind::MaxPool)
    return emitter.openAnd(OpKind::TopK, rows, {{Attr::Axis, std::int64_t{2}}, {Attr::Count, std::int64_t{1}}});
  SD_ASSIGN(const Value sum, emitter.openAnd(OpKind::ReduceSum, rows, {{Attr::Axis, std::int64_t{2}}}));
  if (sums) return sum;
  return emitter.arithmetic(OpKind::Mul, sum, Value::scalar(1 / static_cast<float>(rows.shape()[2])));
}

} // namespace

// A sum is an average that is divided by 2^0.
Expected<Value> pooledRows(Emitter &emitter, OpKind kind, const Value &rows, bool sums) {
  if (rows.isOpened()) return pooledInTheClear(emitter, kind, rows, sums);
  const std::int64_t length = rows.shape()[2];
  Attrs attrs = {{Attr::Kernel, std::vector<std::int64_t>{length}},
                 {Attr::Strides, std::vector<std::int64_t>{1}},
                 {Attr::Pads, std::vector<std::int64_t>{0, 0}},
                 {Attr::Dilations, std::vector<std::int64_t>{1}},
                 {Attr::CeilMode, std::int64_t{0}}};
  if (kind == OpKind::AvgPool) attrs.set(Attr::CountIncludePad, std::int64_t{0});
  if (sums) attrs.set(Attr::Shift, std::int64_t{0});
  return emitter.compute(kind, {rows}, std::move(attrs));
}

Expected<void> importReduce(Node &node, Emitter &emitter) {
  SD_ASSIGN(const Reduction reduction, readReduction(node));
  const Value &x = node.input(0);
  Value result = x;
  if (node.op() == "ReduceL1") {
    SD_ASSIGN(result, absolute(emitter, x));
  } else if (node.op() == "ReduceSumSquare" || node.op() == "ReduceL2") {
    SD_ASSIGN(result, emitter.arithmetic(OpKind::Mul, x, x));
  } else if (node.op() == "ReduceLogSumExp") {
    SD_ASSIGN(result, emitter.function("exp", x));
  }
  if (!reduction.isNothing) {
    const bool isMin = node.op() == "ReduceMin", isMax = node.op() == "ReduceMax" || isMin;
    SD_ASSIGN(Value rows, inRows(emitter, result, reduction.axes));
    if (rows.size() == 0) return fail("reduces an axis without elements");
    if (isMin) {
      SD_ASSIGN(rows, emitter.arithmetic(OpKind::Mul, rows, Value::scalar(-1)));
    }
    const bool sums = !isMax && node.op() != "ReduceMean";
    SD_ASSIGN(result, pooledRows(emitter, isMax ? OpKind::MaxPool : OpKind::AvgPool, rows, sums));
    if (isMin) {
      SD_ASSIGN(result, emitter.arithmetic(OpKind::Mul, result, Value::scalar(-1)));
    }
    SD_ASSIGN(result, emitter.reshape(result, reducedShape(x.shape(), reduction)));
  }
  if (node.op() == "ReduceL2") {
    SD_ASSIGN(result, emitter.function("sqrt", result));
  } else if (node.op().starts_with("ReduceLogSum")) {
    SD_ASSIGN(result, emitter.function("log", result));
  }
  node.setOutput(0, std::move(result));
  return {};
}

// x by the norm of its elements along an axis, all of it in the clear.
Expected<void> importLpNormalization(Node &node, Emitter &emitter) {
  SD_ASSIGN(const Value x, openedValue(emitter, node.input(0)));
  SD_ASSIGN(std::int64_t axis, node.integer("axis", -1));
  SD_ASSIGN(axis, normalizedAxis(axis, x.rank()));
  SD_ASSIGN(const std::int64_t p, node.integer("p", 2));
  if (p != 1 && p != 2) return fail("has p = {}; only 1 and 2 are supported", p);
  if (x.isConstant()) return fail("is applied to a constant; replace it by its result");
  SD_ASSIGN(const Value powers, p == 1 ? emitter.function("abs", x) : emitter.arithmetic(OpKind::Mul, x, x));
  SD_ASSIGN(Value norm, emitter.openAnd(OpKind::ReduceSum, powers, {{Attr::Axis, axis}}));
  if (p == 2) {
    SD_ASSIGN(norm, emitter.function("sqrt", norm));
  }
  SD_ASSIGN(Value result, emitter.arithmetic(OpKind::Div, x, norm));
  node.setOutput(0, std::move(result));
  return {};
}

Expected<void> importReduceConstant(Node &node, Emitter &emitter) {
  const Value &x = node.input(0);
  const bool isNorm = node.op() == "ReduceL2";
  if (!x.isConstant() && isNorm) return importReduce(node, emitter);
  if (!x.isConstant()) return fail("is supported for constants only; {}", adviceFor(node.op()));
  if (isNorm && x.isInteger()) return fail("needs floats but is given {}; insert a Cast", describe(x));
  SD_ASSIGN(const Reduction reduction, readReduction(node));
  SD_ASSIGN(const Value rows, inRows(emitter, x, reduction.axes)); // without axes each element is a row
  SD_TRY(emitter.takeBudget(x.shape()));
  SD_ASSIGN(const Value flat,
            x.isInteger() ? products(*rows.ints()) : Expected<Value>(reducedRows(*rows.floats(), isNorm)));
  SD_ASSIGN(Value result, emitter.reshape(flat, reducedShape(x.shape(), reduction)));
  node.setOutput(0, std::move(result));
  return {};
}

namespace {

// x moved along an axis by so many positions, zeros after it.
Expected<Value> movedAlong(Emitter &emitter, const Value &x, std::size_t axis, std::int64_t by, bool back) {
  std::vector<std::int64_t> pads(2 * x.shape().size(), 0), kept(static_cast<std::size_t>(x.shape()[axis]));
  pads[back ? axis + x.shape().size() : axis] = by;
  std::iota(kept.begin(), kept.end(), back ? by : 0);
  SD_ASSIGN(const Value padded, emitter.pad(x, std::move(pads), 0));
  return emitter.gather(padded, static_cast<std::int64_t>(axis), std::move(kept));
}

} // namespace

// Sums of all elements up to each along an axis: of two, then four, then eight. Sums of shares are local and exact.
Expected<void> importCumSum(Node &node, Emitter &emitter) {
  const Value &x = node.input(0);
  SD_ASSIGN(const std::vector<std::int64_t> axes, node.constantInts(1, "axis"));
  SD_ASSIGN(const bool exclusive, node.integer("exclusive", 0));
  SD_ASSIGN(const bool reverse, node.integer("reverse", 0));
  if (axes.size() != 1) return fail("its axis must be one number");
  SD_ASSIGN(const std::int64_t along, normalizedAxis(axes[0], x.rank()));
  const auto axis = static_cast<std::size_t>(along);
  Value sums = x;
  if (exclusive) {
    SD_ASSIGN(sums, movedAlong(emitter, x, axis, 1, reverse));
  }
  for (std::int64_t added = 1; added < x.shape()[axis]; added *= 2) {
    SD_ASSIGN(const Value more, movedAlong(emitter, sums, axis, added, reverse));
    SD_ASSIGN(sums, emitter.arithmetic(OpKind::Add, sums, more));
  }
  node.setOutput(0, std::move(sums));
  return {};
}

} // namespace sd
