// Sums and products, of which one factor is constant.
#include "compiler/onnx/Handlers.h"

namespace sd {

Expected<void> importArithmetic(Node &node, Emitter &emitter) {
  const OpKind op = node.op() == "Add"   ? OpKind::Add
                    : node.op() == "Sub" ? OpKind::Sub
                    : node.op() == "Mul" ? OpKind::Mul
                                         : OpKind::Div;
  SD_ASSIGN(Value result, emitter.arithmetic(op, node.input(0), node.input(1)));
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
