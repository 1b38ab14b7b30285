// What the hospital does in the clear, after the outputs are opened.
#include "compiler/onnx/Handlers.h"

#include "compiler/onnx/MaskedSoftmax.h"
#include "compiler/onnx/OpTable.h"

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
  std::optional<Value> result;
  if (op == OpKind::Softmax) {
    SD_ASSIGN(result, softmaxBehindMask(emitter, operand, axis));
  }
  if (!result) {
    SD_ASSIGN(result, emitter.openAnd(op, operand, {{Attr::Axis, axis}}));
  }
  SD_ASSIGN(Value shaped, emitter.reshape(*result, x.shape()));
  node.setOutput(0, std::move(shaped));
  return {};
}

Expected<void> importSigmoid(Node &node, Emitter &emitter) {
  SD_ASSIGN(Value result, emitter.openAnd(OpKind::Sigmoid, node.input(0), {}));
  node.setOutput(0, std::move(result));
  return {};
}

namespace {

bool isOfSoftmax(const Emitter &emitter, const Value &x) { // or of a sigmoid
  const Op *op = &emitter.maker(x.id());
  while (op->kind == OpKind::Reshape)
    op = &emitter.maker(op->operands[0]);
  return (op->kind == OpKind::Softmax || op->kind == OpKind::Sigmoid) && x.isOpenable();
}

} // namespace

// Of Softmax, and of Sigmoid: log(1 / (1 + exp(-x))) is -softplus(-x). Else a function like others.
Expected<void> importLog(Node &node, Emitter &emitter) {
  const Value &x = node.input(0);
  if (x.isConstant() || !isOfSoftmax(emitter, x)) return importFunction(node, emitter);
  const Op *op = &emitter.maker(x.id());
  while (op->kind == OpKind::Reshape)
    op = &emitter.maker(op->operands[0]);
  const bool isSigmoid = op->kind == OpKind::Sigmoid;
  const Value operand = emitter.secret(op->operands[0]);
  Value result;
  if (isSigmoid) {
    SD_ASSIGN(const Value turned, emitter.arithmetic(OpKind::Mul, operand, Value::scalar(-1)));
    SD_ASSIGN(const Value soft, emitter.compute(OpKind::Softplus, {turned}));
    SD_ASSIGN(result, emitter.arithmetic(OpKind::Mul, soft, Value::scalar(-1)));
  } else {
    SD_ASSIGN(result, emitter.openAnd(OpKind::LogSoftmax, operand, op->attrs));
  }
  SD_ASSIGN(result, emitter.reshape(result, x.shape()));
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

// The k least ones are the k largest of the negated operand, their values negated back.
Expected<void> importTopK(Node &node, Emitter &emitter) {
  const bool hasInput = node.opset() >= 10, hasOrder = node.opset() >= 11;
  Value x = node.input(0);
  if (x.quantisation()) return fail("ranks a quantised value; dequantise it first");
  SD_ASSIGN(std::int64_t axis, node.integer("axis", -1));
  SD_ASSIGN(axis, normalizedAxis(axis, x.rank()));
  std::vector<std::int64_t> count;
  if (hasInput) {
    SD_ASSIGN(count, node.constantInts(1, "k"));
  } else {
    SD_ASSIGN(const std::int64_t k, node.integer("k", 0));
    count = {k};
  }
  SD_ASSIGN(const bool largest, hasOrder ? node.integer("largest", 1) : 1);
  node.ignore("sorted"); // 0 leaves the order open: falling will do
  const std::int64_t length = x.shape()[static_cast<std::size_t>(axis)];
  if (count.size() != 1 || count[0] < 1 || count[0] > length)
    return fail("k is {}; it must be one number from 1 to {}, the length of axis {}", toString(count), length, axis);
  const Attrs attrs = {{Attr::Axis, axis}, {Attr::Count, count[0]}};
  const bool whole = x.isInteger();
  if (whole && !x.isConstant()) x = Value::computed(x.id(), x.shape(), x.stage(), false);
  if (!largest) {
    SD_ASSIGN(x, emitter.arithmetic(OpKind::Mul, x, Value::scalar(-1)));
  }
  if (node.isUsed(0)) {
    SD_ASSIGN(Value values, emitter.openAnd(OpKind::TopK, x, attrs));
    if (!largest) {
      SD_ASSIGN(values, emitter.arithmetic(OpKind::Mul, values, Value::scalar(-1)));
    }
    node.setOutput(0, whole ? Value::computed(values.id(), values.shape(), values.stage(), true) : std::move(values));
  }
  if (node.isUsed(1)) {
    SD_ASSIGN(Value indices, emitter.openAnd(OpKind::ArgTopK, x, attrs));
    node.setOutput(1, std::move(indices));
  }
  return {};
}

} // namespace sd
