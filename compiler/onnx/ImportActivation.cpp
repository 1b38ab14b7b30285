// Piecewise linear functions, each as a sum of ReLUs, where constants may be the service's.
#include "compiler/onnx/Handlers.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "compiler/onnx/Smooth.h"

namespace sd {
namespace {

// slope x + (1 - slope) relu(x).
Expected<Value> leaky(Emitter &emitter, const Value &x, const Value &slope) {
  SD_ASSIGN(const Value rest, emitter.arithmetic(OpKind::Sub, Value::scalar(1.0f), slope));
  SD_ASSIGN(const Value positive, emitter.relu(x));
  SD_ASSIGN(const Value left, emitter.arithmetic(OpKind::Mul, x, slope));
  SD_ASSIGN(const Value right, emitter.arithmetic(OpKind::Mul, positive, rest));
  return emitter.arithmetic(OpKind::Add, left, right);
}

// relu(x - bound).
Expected<Value> above(Emitter &emitter, const Value &x, double bound) {
  if (bound == 0) return emitter.relu(x);
  SD_ASSIGN(const Value shifted, emitter.arithmetic(OpKind::Sub, x, Value::scalar(static_cast<float>(bound))));
  return emitter.relu(shifted);
}

// Exporters write the ends of the float range where they mean that there is no bound.
bool isBound(double value) { return std::abs(value) < std::numeric_limits<float>::max() / 2; }

struct Bounds {
  double low, high;
};

Expected<Bounds> clipBounds(Node &node) {
  constexpr double kEnd = std::numeric_limits<float>::max();
  Bounds bounds{-kEnd, kEnd};
  if (node.opset() < 11) {
    SD_ASSIGN(bounds.low, node.real("min", -kEnd));
    SD_ASSIGN(bounds.high, node.real("max", kEnd));
  } else {
    if (node.has(1)) {
      SD_ASSIGN(bounds.low, node.constantScalar(1, "least value"));
    }
    if (node.has(2)) {
      SD_ASSIGN(bounds.high, node.constantScalar(2, "greatest value"));
    }
  }
  if (!(bounds.low <= bounds.high) || bounds.low > kEnd / 2 || bounds.high < -kEnd / 2)
    return fail("clips to the unusable range {} to {}", bounds.low, bounds.high);
  return bounds;
}

} // namespace

Expected<void> importRelu(Node &node, Emitter &emitter) {
  SD_ASSIGN(Value result, emitter.relu(node.input(0)));
  node.setOutput(0, std::move(result));
  return {};
}

Expected<void> importPRelu(Node &node, Emitter &emitter) {
  const Value &x = node.input(0);
  Value slope = node.input(1);
  SD_TRY(node.expectConstant(1, "slope"));
  if (node.opset() < 7 && slope.rank() == 1 && x.rank() > 2 && slope.size() > 1) { // one a channel
    Shape perChannel(static_cast<std::size_t>(x.rank() - 1), 1);
    perChannel[0] = slope.size();
    SD_ASSIGN(slope, emitter.reshape(slope, std::move(perChannel)));
  }
  SD_ASSIGN(const Shape shape, broadcastShapes(x.shape(), slope.shape()));
  if (shape != x.shape())
    return fail("its slope of shape {} does not broadcast to {}", toString(slope.shape()), toString(x.shape()));
  SD_ASSIGN(Value result, leaky(emitter, x, slope));
  node.setOutput(0, std::move(result));
  return {};
}

Expected<Value> clip(Emitter &emitter, const Value &x, double low, double high) {
  Value result = x;
  if (isBound(low)) { // low + relu(x - low)
    SD_ASSIGN(result, above(emitter, x, low));
    if (low != 0) {
      SD_ASSIGN(result, emitter.arithmetic(OpKind::Add, result, Value::scalar(static_cast<float>(low))));
    }
  }
  if (isBound(high)) { // less what exceeds the upper bound: both ReLUs depend on x alone
    SD_ASSIGN(const Value excess, above(emitter, x, high));
    SD_ASSIGN(result, emitter.arithmetic(OpKind::Sub, result, excess));
  }
  return result;
}

Expected<void> importClip(Node &node, Emitter &emitter) {
  SD_ASSIGN(const Bounds bounds, clipBounds(node));
  SD_ASSIGN(Value result, clip(emitter, node.input(0), bounds.low, bounds.high));
  node.setOutput(0, std::move(result));
  return {};
}

Expected<Value> magnitude(Emitter &emitter, const Value &x) { // relu(x) + (relu(x) - x)
  SD_ASSIGN(const Value positive, emitter.relu(x));
  SD_ASSIGN(const Value negative, emitter.arithmetic(OpKind::Sub, positive, x));
  return emitter.arithmetic(OpKind::Add, positive, negative);
}

Expected<void> importAbs(Node &node, Emitter &emitter) {
  SD_ASSIGN(Value result, magnitude(emitter, node.input(0)));
  node.setOutput(0, std::move(result));
  return {};
}

namespace {

Expected<Value> extremumOfIntegers(Emitter &emitter, const Value &a, const Value &b, bool isMax) {
  SD_ASSIGN(const Shape shape, broadcastShapes(a.shape(), b.shape()));
  SD_TRY(emitter.takeBudget(shape));
  SD_ASSIGN(const Value left, emitter.broadcast(a, shape));
  SD_ASSIGN(const Value right, emitter.broadcast(b, shape));
  Tensor<std::int64_t> out = *left.ints();
  for (std::size_t i = 0; i < out.data.size(); ++i)
    out.data[i] = isMax ? std::max(out.data[i], right.ints()->data[i]) : std::min(out.data[i], right.ints()->data[i]);
  return Value::of(std::move(out));
}

} // namespace

Expected<void> importExtremum(Node &node, Emitter &emitter) { // max: b + relu(a - b); min: a - relu(a - b)
  const bool isMax = node.op() == "Max";
  Value result = node.input(0);
  for (std::size_t i = 1; i < node.inputCount(); ++i) {
    const Value &other = node.input(i);
    if (result.isConstant() && other.isConstant() && result.isInteger() && other.isInteger()) {
      SD_ASSIGN(result, extremumOfIntegers(emitter, result, other, isMax));
      continue;
    }
    SD_ASSIGN(const Value difference, emitter.arithmetic(OpKind::Sub, result, other));
    SD_ASSIGN(const Value positive, emitter.relu(difference));
    SD_ASSIGN(result, isMax ? emitter.arithmetic(OpKind::Add, positive, other)
                            : emitter.arithmetic(OpKind::Sub, result, positive));
  }
  node.setOutput(0, std::move(result));
  return {};
}

} // namespace sd
