// Quantised models as what they mean in floats: weights are dequantised, and where a model rounds an activation to
// integers the program keeps the real number, clipped to what those integers can say.
#include <algorithm>
#include <cmath>

#include <onnx/onnx_pb.h>

#include "compiler/onnx/Handlers.h"
#include "compiler/onnx/LinearMap.h"
#include "compiler/onnx/Quantized.h"
#include "compiler/onnx/Tensors.h"

namespace sd {
namespace {

using onnx::TensorProto;

// x - zero of an integer operand of ConvInteger or MatMulInteger; of a quantised one times its scale.
Expected<Value> centred(const Node &node, Emitter &emitter, std::size_t at, std::size_t zero, std::int64_t axis) {
  const Value &x = node.input(at);
  if (!x.isInteger() || x.isOpened()) return fail("needs integers, not {}", describe(x));
  SD_ASSIGN(const Value shift, parameter(node, emitter, zero, x.rank(), axis));
  if (x.quantisation()) {
    if (shift.size() != 1 || shift.floats()->data[0] != static_cast<float>(x.quantisation()->zero))
      return fail("has another zero point than what it is given was quantised with");
    return x.dequantised();
  }
  SD_ASSIGN(const Value reals, realsOf(emitter, x));
  return emitter.arithmetic(OpKind::Sub, reals, shift);
}

// The integers of a product whose quantised operands were taken times their scales.
Value asIntegers(const Value &result, const Value &a, const Value &b) {
  double scale = 1;
  for (const Value *x : {&a, &b})
    if (x->quantisation()) scale *= x->quantisation()->scale;
  if (a.quantisation() || b.quantisation()) return result.quantisedBy(Quantisation{scale, 0});
  return Value::computed(result.id(), result.shape(), result.stage(), true);
}

// Rounding at the end of a network is that of scores which would otherwise be opened.
bool isSoftmax(const Emitter &emitter, const Value &x) {
  if (x.isConstant()) return false;
  const Op *op = &emitter.maker(x.id());
  while (op->kind == OpKind::Reshape)
    op = &emitter.maker(op->operands[0]);
  return op->kind == OpKind::Softmax;
}

Expected<void> expectSecret(const Node &node, std::initializer_list<std::size_t> inputs) {
  for (std::size_t at : inputs)
    if (!node.input(at).isConstant()) return {};
  return fail("is applied to constants alone; replace it by its result");
}

// Scales of several elements. A computed value may have them at the end of the network alone: it is divided by them.
Expected<Value> quantisedByMany(const Node &node, Emitter &emitter, std::int64_t axis, std::int64_t block,
                                const TargetType &integers) {
  const Value &x = node.input(0);
  SD_ASSIGN(axis, normalizedAxis(axis, x.rank()));
  const auto read = [&](std::size_t at) {
    return block ? ofBlocks(node, emitter, at, axis, block) : parameter(node, emitter, at, x.rank(), axis);
  };
  SD_ASSIGN(const Value scale, read(1));
  SD_ASSIGN(const Value zero, read(2));
  for (const float each : scale.floats()->data)
    if (!(each > 0) || !std::isfinite(each)) return fail("has the scale {}", each);
  if (x.isConstant()) return rounded(emitter, x, scale, zero, integers);
  const auto &zeros = zero.floats()->data;
  if (std::ranges::find_if(zeros, [&](float v) { return v != zeros[0]; }) != zeros.end())
    return fail("has different zero points for computed values; use one scale and zero point");
  SD_ASSIGN(const Value steps, emitter.arithmetic(OpKind::Div, x, scale));
  SD_ASSIGN(const Value inside,
            clippedTo(emitter, steps, integers.least - double{zeros[0]}, integers.most - double{zeros[0]}));
  return inside.quantisedBy(Quantisation{1, double{zeros[0]}, true}).storedAs(integers.type);
}

// A scale, and a zero point, for each block of elements along an axis.
Expected<Value> dequantisedBlocks(const Node &node, Emitter &emitter, std::int64_t axis, std::int64_t block) {
  const Value &x = node.input(0);
  SD_ASSIGN(axis, normalizedAxis(axis, x.rank()));
  if (x.quantisation()) return fail("has a scale for each block of {} for what was quantised before", block);
  SD_ASSIGN(const Value reals, realsOf(emitter, x));
  SD_ASSIGN(const Value zero, ofBlocks(node, emitter, 2, axis, block));
  SD_ASSIGN(const Value scale, ofBlocks(node, emitter, 1, axis, block));
  SD_ASSIGN(const Value centred, emitter.arithmetic(OpKind::Sub, reals, zero));
  return emitter.arithmetic(OpKind::Mul, centred, scale);
}

} // namespace

// The scale depends on the data; the integers that it gives stand for the real numbers, which the program keeps.
Expected<void> importDynamicQuantizeLinear(Node &node, Emitter &emitter) {
  const Value &x = node.input(0);
  if (x.isConstant()) return fail("is applied to a constant; replace it by its result");
  if (x.isInteger() || x.isOpened()) return fail("quantises {}, which is not secret floats", describe(x));
  (void)emitter;
  node.setOutput(0, x.quantisedBy(Quantisation{1, 0}));
  node.setOutput(1, Value::scalar(1));
  node.setOutput(2, Value::of(Tensor<std::int64_t>(Shape{}, 0)).storedAs(TensorProto::UINT8));
  return {};
}

Expected<void> importQuantizeLinear(Node &node, Emitter &emitter) {
  const Value &x = node.input(0);
  node.ignore("precision"); // of the division
  SD_ASSIGN(const std::int64_t axis, node.integer("axis", 1));
  SD_ASSIGN(const std::int64_t block, node.integer("block_size", 0));
  SD_ASSIGN(const std::int64_t type, node.integer("output_dtype", 0));
  SD_ASSIGN(const std::int64_t saturate, node.integer("saturate", 1));
  if (x.isOpened() || isSoftmax(emitter, x))
    return fail(
        "quantises the result of Softmax, LogSoftmax, Sigmoid, ArgMax or TopK, which are computed in the clear; make "
        "what it is given the model's output");
  if (x.isInteger()) return fail("quantises {}; insert a Cast", describe(x));
  if (!saturate) return fail("does not saturate; export it with saturate = 1");
  SD_TRY(node.expectConstant(1, "scale"));
  SD_ASSIGN(const TargetType integers, integersOf(node, 2, type ? type : std::int64_t{TensorProto::UINT8}));
  if (type && type != integers.type)
    return fail("has the output_dtype {} and a zero point of {}", elementTypeName(static_cast<int>(type)),
                elementTypeName(integers.type));
  const bool isOne = block == 0 && node.input(1).size() == 1;
  SD_ASSIGN(Value result, isOne ? quantised(node, emitter, x, {1, 2}, integers)
                                : quantisedByMany(node, emitter, axis, block, integers));
  node.setOutput(0, std::move(result));
  return {};
}

Expected<void> importDequantizeLinear(Node &node, Emitter &emitter) {
  SD_ASSIGN(const std::int64_t axis, node.integer("axis", 1));
  SD_ASSIGN(const std::int64_t block, node.integer("block_size", 0));
  node.ignore("output_dtype"); // the program computes in fixed point
  if (block) {
    SD_ASSIGN(Value result, dequantisedBlocks(node, emitter, axis, block));
    node.setOutput(0, std::move(result));
    return {};
  }
  SD_ASSIGN(Value result, dequantised(node, emitter, 0, {1, 2}, axis));
  node.setOutput(0, std::move(result));
  return {};
}

Expected<void> importConvInteger(Node &node, Emitter &emitter) {
  SD_TRY(node.expectConstant(1, "weight"));
  SD_TRY(expectSecret(node, {0}));
  SD_ASSIGN(const Value x, centred(node, emitter, 0, 2, -1));
  SD_ASSIGN(const Value w, centred(node, emitter, 1, 3, 0));
  SD_ASSIGN(const Value result, convolution(node, emitter, x, w, Value()));
  node.setOutput(0, asIntegers(result, node.input(0), node.input(1)));
  return {};
}

Expected<void> importMatMulInteger(Node &node, Emitter &emitter) {
  SD_TRY(expectSecret(node, {0, 1}));
  SD_ASSIGN(const Value a, centred(node, emitter, 0, 2, node.input(0).rank() - 2));
  SD_ASSIGN(const Value b, centred(node, emitter, 1, 3, node.input(1).rank() - 1));
  SD_ASSIGN(const Value result, product(emitter, a, b));
  node.setOutput(0, asIntegers(result, node.input(0), node.input(1)));
  return {};
}

Expected<void> importQLinearConv(Node &node, Emitter &emitter) {
  SD_TRY(node.expectConstant(3, "weight"));
  SD_ASSIGN(const Value x, dequantised(node, emitter, 0, {1, 2}, -1));
  SD_ASSIGN(const Value w, dequantised(node, emitter, 3, {4, 5}, 0));
  Value bias;
  if (node.has(8)) {
    SD_ASSIGN(bias, dequantisedBias(node, emitter, 8, 1, 4));
  }
  SD_ASSIGN(const Value reals, convolution(node, emitter, x, w, bias));
  SD_ASSIGN(Value result, quantised(node, emitter, reals, {6, 7}));
  node.setOutput(0, std::move(result));
  return {};
}

Expected<void> importQLinearMatMul(Node &node, Emitter &emitter) {
  SD_ASSIGN(const Value a, dequantised(node, emitter, 0, {1, 2}, node.input(0).rank() - 2));
  SD_ASSIGN(const Value b, dequantised(node, emitter, 3, {4, 5}, node.input(3).rank() - 1));
  SD_ASSIGN(const Value reals, product(emitter, a, b));
  SD_ASSIGN(Value result, quantised(node, emitter, reals, {6, 7}));
  node.setOutput(0, std::move(result));
  return {};
}

} // namespace sd
