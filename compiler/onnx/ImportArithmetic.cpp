// Sums and products.
#include "compiler/onnx/ClearEnd.h"
#include "compiler/onnx/Handlers.h"
#include "compiler/onnx/WrittenNorm.h"

namespace sd {
namespace {

// Before opset 7 broadcasting is asked for, and starts at an axis of the first operand.
Expected<Value> legacyBroadcast(Node &node, Emitter &emitter) {
  const Value &a = node.input(0), &b = node.input(1);
  SD_ASSIGN(const bool broadcast, node.integer("broadcast", 0));
  SD_ASSIGN(std::int64_t axis, node.integer("axis", a.rank() - b.rank()));
  if (!broadcast) {
    if (a.shape() != b.shape())
      return fail("its operands differ in shape ({} and {}) without broadcasting", toString(a.shape()),
                  toString(b.shape()));
    return b;
  }
  if (axis < 0) axis += a.rank();
  if (axis < 0 || axis + b.rank() > a.rank())
    return fail("{} does not broadcast to {} from axis {}", toString(b.shape()), toString(a.shape()), axis);
  Shape shape = b.shape();
  shape.resize(static_cast<std::size_t>(a.rank() - axis), 1);
  return emitter.reshape(b, std::move(shape));
}

bool isOne(const Op &op) {
  return op.kind == OpKind::Constant && op.attrs.floats(Attr::Value).data == std::vector<float>{1};
}

// Whether a value is 1 + |x|, as importAbs makes it: relu(x) + (relu(x) - x).
bool isOnePlusMagnitude(const Emitter &emitter, ValueId value, ValueId x) {
  const Op &sum = emitter.maker(value);
  if (sum.kind != OpKind::Add) return false;
  const bool first = isOne(emitter.maker(sum.operands[0]));
  if (!first && !isOne(emitter.maker(sum.operands[1]))) return false;
  const Op &magnitude = emitter.maker(sum.operands[first ? 1 : 0]);
  if (magnitude.kind != OpKind::Add) return false;
  const Op &positive = emitter.maker(magnitude.operands[0]), &negative = emitter.maker(magnitude.operands[1]);
  return positive.kind == OpKind::Relu && positive.operands == std::vector{x} && negative.kind == OpKind::Sub &&
         negative.operands == std::vector{positive.result, x};
}

} // namespace

Expected<void> importArithmetic(Node &node, Emitter &emitter) {
  const OpKind op = node.op() == "Add"   ? OpKind::Add
                    : node.op() == "Sub" ? OpKind::Sub
                    : node.op() == "Mul" ? OpKind::Mul
                                         : OpKind::Div;
  SD_ASSIGN(const Value b, node.opset() < 7 ? legacyBroadcast(node, emitter) : Expected<Value>(node.input(1)));
  const Value &a = node.input(0);
  const bool isSoftsign = op == OpKind::Div && !a.isConstant() && !b.isConstant() && !a.isOpened() && !b.isOpened() &&
                          a.shape() == b.shape() && isOnePlusMagnitude(emitter, b.id(), a.id());
  if (isSoftsign) {
    SD_ASSIGN(Value result, emitter.compute(OpKind::Softsign, {a}));
    node.setOutput(0, std::move(result));
    return {};
  }
  if (op == OpKind::Div) {
    SD_ASSIGN(std::optional<Value> known, writtenOut(emitter, a, b));
    if (known) {
      node.setOutput(0, *std::move(known));
      return {};
    }
  }
  const bool isProduct = op == OpKind::Mul || op == OpKind::Div;
  SD_ASSIGN(std::optional<Value> norm, isProduct ? writtenNorm(emitter, op, a, b) : writtenShift(emitter, op, a, b));
  if (norm) {
    node.setOutput(0, *std::move(norm));
    return {};
  }
  SD_ASSIGN(const auto pair, openedPair(emitter, op, a, b));
  SD_ASSIGN(Value result, emitter.arithmetic(op, pair.first, pair.second));
  node.setOutput(0, std::move(result));
  return {};
}

Expected<void> importSum(Node &node, Emitter &emitter) {
  Value total = node.input(0);
  for (std::size_t i = 1; i < node.inputCount(); ++i) {
    SD_ASSIGN(total, emitter.arithmetic(OpKind::Add, total, node.input(i)));
  }
  if (node.op() == "Mean" && node.inputCount() > 1) {
    const Value share = Value::scalar(1.0f / static_cast<float>(node.inputCount()));
    SD_ASSIGN(total, emitter.arithmetic(OpKind::Mul, total, share));
  }
  node.setOutput(0, std::move(total));
  return {};
}

Expected<void> importNeg(Node &node, Emitter &emitter) {
  const Value &x = node.input(0);
  const Value minusOne =
      x.isConstant() && x.isInteger() ? Value::of(Tensor<std::int64_t>(Shape{}, -1)) : Value::scalar(-1.0f);
  SD_ASSIGN(Value result, emitter.arithmetic(OpKind::Mul, x, minusOne));
  node.setOutput(0, std::move(result));
  return {};
}

} // namespace sd
