// What the hospital does in the clear, after the outputs are opened.
#include "compiler/onnx/Handlers.h"

namespace sd {

Expected<void> importSoftmax(Node &node, Emitter &emitter) {
  const OpKind op = node.op() == "Softmax" ? OpKind::Softmax : OpKind::LogSoftmax;
  const Value &x = node.input(0);
  const bool coerces = node.opset() < 13; // to a matrix: the axes before `axis`, and all others together
  SD_ASSIGN(std::int64_t axis, node.integer("axis", coerces ? 1 : -1));
  SD_ASSIGN(axis, normalizedAxis(axis, x.rank()));
  Value operand = x;
  if (coerces && axis != x.rank() - 1) {
    Shape matrix = {1, 1};
    for (std::int64_t i = 0; i < x.rank(); ++i)
      matrix[i < axis ? 0 : 1] *= x.shape()[static_cast<std::size_t>(i)];
    SD_ASSIGN(operand, emitter.reshape(x, matrix));
    axis = 1;
  }
  SD_ASSIGN(const Value result, emitter.openAnd(op, operand, {{Attr::Axis, axis}}));
  SD_ASSIGN(Value shaped, emitter.reshape(result, x.shape()));
  node.setOutput(0, std::move(shaped));
  return {};
}

Expected<void> importSigmoid(Node &node, Emitter &emitter) {
  SD_ASSIGN(Value result, emitter.openAnd(OpKind::Sigmoid, node.input(0), {}));
  node.setOutput(0, std::move(result));
  return {};
}

Expected<void> importArgMax(Node &node, Emitter &emitter) {
  SD_ASSIGN(std::int64_t axis, node.integer("axis", 0));
  SD_ASSIGN(axis, normalizedAxis(axis, node.input(0).rank()));
  SD_ASSIGN(const bool keepDims, node.integer("keepdims", 1));
  SD_ASSIGN(const bool selectLast, node.integer("select_last_index", 0));
  Attrs attrs = {
      {Attr::Axis, axis}, {Attr::KeepDims, std::int64_t{keepDims}}, {Attr::SelectLast, std::int64_t{selectLast}}};
  Value x = node.input(0);
  if (node.op() == "ArgMin") {
    SD_ASSIGN(x, emitter.arithmetic(OpKind::Mul, x, Value::scalar(-1)));
  }
  SD_ASSIGN(Value result, emitter.openAnd(OpKind::ArgMax, x, std::move(attrs)));
  node.setOutput(0, std::move(result));
  return {};
}

} // namespace sd
