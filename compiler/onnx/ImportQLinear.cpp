// Ops of com.microsoft on quantised tensors, as ONNX Runtime's quantiser writes them: what they mean in floats.
#include "compiler/onnx/Handlers.h"
#include "compiler/onnx/LinearMap.h"
#include "compiler/onnx/Pool.h"
#include "compiler/onnx/Quantized.h"
#include "compiler/onnx/Smooth.h"

namespace sd {

namespace {

// Of ops with inputs x, its scale and zero point, and the result's.
template <class Function>
Expected<void> onOne(Node &node, Emitter &emitter, Function &&function) {
  SD_ASSIGN(const Value x, dequantised(node, emitter, 0, {1, 2}));
  SD_ASSIGN(const Value reals, function(x));
  SD_ASSIGN(Value result, quantised(node, emitter, reals, {3, 4}));
  node.setOutput(0, std::move(result));
  return {};
}

Expected<void> expectChannelsFirst(Node &node) {
  SD_ASSIGN(const std::int64_t last, node.integer("channels_last", 0));
  if (last)
    return fail("has its channels last, which is not supported; quantise the model before such an optimisation");
  return {};
}

} // namespace

Expected<void> importQLinearArithmetic(Node &node, Emitter &emitter) {
  SD_ASSIGN(const Value a, dequantised(node, emitter, 0, {1, 2}));
  SD_ASSIGN(const Value b, dequantised(node, emitter, 3, {4, 5}));
  SD_ASSIGN(const Value reals, emitter.arithmetic(node.op() == "QLinearAdd" ? OpKind::Add : OpKind::Mul, a, b));
  SD_ASSIGN(Value result, quantised(node, emitter, reals, {6, 7}));
  node.setOutput(0, std::move(result));
  return {};
}

Expected<void> importQLinearLeakyRelu(Node &node, Emitter &emitter) {
  SD_ASSIGN(const double alpha, node.real("alpha", 0.01));
  return onOne(node, emitter, [&](const Value &x) { return leakyRelu(emitter, x, alpha); });
}

Expected<void> importQLinearSigmoid(Node &node, Emitter &emitter) {
  return onOne(node, emitter, [&](const Value &x) { return emitter.openAnd(OpKind::Sigmoid, x, {}); });
}

Expected<void> importQLinearAveragePool(Node &node, Emitter &emitter) {
  SD_TRY(expectChannelsFirst(node));
  return onOne(node, emitter, [&](const Value &x) { return averagePool(node, emitter, x); });
}

Expected<void> importQLinearGlobalAveragePool(Node &node, Emitter &emitter) {
  SD_TRY(expectChannelsFirst(node));
  return onOne(node, emitter, [&](const Value &x) { return globalPool(emitter, OpKind::AvgPool, x); });
}

Expected<void> importQLinearConcat(Node &node, Emitter &emitter) {
  if (!node.hasAttr("axis")) return fail("the attribute 'axis' is missing");
  if (node.inputCount() % 3 != 2)
    return fail("has {} inputs: a scale, a zero point, and three for each tensor", node.inputCount());
  std::vector<Value> values;
  for (std::size_t at = 2; at < node.inputCount(); at += 3) {
    SD_ASSIGN(Value value, dequantised(node, emitter, at, {at + 1, at + 2}));
    values.push_back(std::move(value));
  }
  SD_ASSIGN(std::int64_t axis, node.integer("axis", 0));
  SD_ASSIGN(axis, normalizedAxis(axis, values[0].rank()));
  SD_ASSIGN(const Value reals, emitter.concat(std::move(values), axis));
  SD_ASSIGN(Value result, quantised(node, emitter, reals, {0, 1}));
  node.setOutput(0, std::move(result));
  return {};
}

// alpha (A B + C), C in units of both scales; floats where the result has no scale.
Expected<void> importQGemm(Node &node, Emitter &emitter) {
  SD_ASSIGN(const double alpha, node.real("alpha", 1));
  SD_ASSIGN(const std::int64_t turnsA, node.integer("transA", 0));
  SD_ASSIGN(const std::int64_t turnsB, node.integer("transB", 0));
  SD_ASSIGN(Value a, dequantised(node, emitter, 0, {1, 2}));
  SD_ASSIGN(Value b, dequantised(node, emitter, 3, {4, 5}, turnsB ? 0 : 1));
  if (a.rank() != 2 || b.rank() != 2)
    return fail("multiplies {} by {}, which are not both matrices", describe(a), describe(b));
  if (turnsA) {
    SD_ASSIGN(a, emitter.transpose(a, {1, 0}));
  }
  if (turnsB) {
    SD_ASSIGN(b, emitter.transpose(b, {1, 0}));
  }
  SD_ASSIGN(Value result, product(emitter, a, b));
  if (node.has(6)) {
    SD_ASSIGN(const Value bias, dequantisedBias(node, emitter, 6, 1, 4));
    SD_ASSIGN(result, emitter.arithmetic(OpKind::Add, result, bias));
  }
  if (alpha != 1) {
    SD_ASSIGN(result, emitter.arithmetic(OpKind::Mul, result, Value::scalar(static_cast<float>(alpha))));
  }
  if (node.has(7)) {
    SD_ASSIGN(result, quantised(node, emitter, result, {7, 8}));
  }
  node.setOutput(0, std::move(result));
  return {};
}

} // namespace sd
