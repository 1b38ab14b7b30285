// Quantised models as what they mean in floats: weights are dequantised, and where a model rounds an activation to
// integers the program keeps the real number, clipped to what those integers can say.
#include <algorithm>
#include <cmath>

#include <onnx/onnx_pb.h>

#include "compiler/onnx/Handlers.h"
#include "compiler/onnx/LinearMap.h"
#include "compiler/onnx/Quantized.h"

namespace sd {
namespace {

using onnx::TensorProto;

float single(double value) { return static_cast<float>(value); }

// The scale or zero point of a node as floats, laid along `axis` of a tensor of that rank.
Expected<Value> parameter(const Node &node, Emitter &emitter, std::size_t at, std::int64_t rank, std::int64_t axis) {
  if (!node.has(at)) return Value::scalar(0);
  SD_TRY(node.expectConstant(at, "scale or zero point"));
  Value value = node.input(at);
  if (value.isInteger())
    value = Value::of(Tensor<float>(value.shape(), {value.ints()->data.begin(), value.ints()->data.end()}));
  if (value.size() == 1) return emitter.reshape(value, {});
  if (value.rank() != 1 || axis < 0 || axis >= rank) return fail("has a scale of shape {}", toString(value.shape()));
  Shape shape(static_cast<std::size_t>(rank), 1);
  shape[static_cast<std::size_t>(axis)] = value.size();
  return emitter.reshape(value, std::move(shape));
}

Expected<Quantisation> quantisationOf(const Node &node, Places places) {
  Quantisation out{1, 0};
  SD_ASSIGN(out.scale, node.constantScalar(places.scale, "scale"));
  if (node.has(places.zero)) {
    SD_ASSIGN(out.zero, node.constantScalar(places.zero, "zero point"));
  }
  if (!(out.scale > 0) || !std::isfinite(out.scale)) return fail("has the scale {}", out.scale);
  return out;
}

Expected<std::pair<double, double>> integersOf(const Node &node, std::size_t zero) {
  const int type = node.has(zero) ? node.input(zero).elementType() : TensorProto::UINT8;
  if (type == TensorProto::UINT8) return std::pair(0.0, 255.0);
  if (type == TensorProto::INT8) return std::pair(-128.0, 127.0);
  return fail("quantises to another type than int8 and uint8; make its zero point an initializer of these");
}

} // namespace

Expected<Value> dequantised(const Node &node, Emitter &emitter, std::size_t at, Places places, std::int64_t axis) {
  const Value &x = node.input(at);
  if (x.isConstant() ? !x.isInteger() : !x.isInteger() || x.isOpened())
    return fail("dequantises {}, which is not secret integers or constant ones", describe(x));
  if (x.quantisation()) {
    SD_ASSIGN(const Quantisation own, quantisationOf(node, places));
    if (own.scale == x.quantisation()->scale && own.zero == x.quantisation()->zero) return x.dequantised();
    return fail("dequantises with scale {} and zero point {} what was quantised with {} and {}", own.scale, own.zero,
                x.quantisation()->scale, x.quantisation()->zero);
  }
  if (x.isConstant()) SD_TRY(emitter.takeBudget(x.shape()));
  const Value reals = x.isConstant()
                          ? Value::of(Tensor<float>(x.shape(), {x.ints()->data.begin(), x.ints()->data.end()}))
                          : Value::computed(x.id(), x.shape(), x.stage(), false);
  if (axis < 0) axis += x.rank();
  SD_ASSIGN(const Value zero, parameter(node, emitter, places.zero, x.rank(), axis));
  SD_ASSIGN(const Value scale, parameter(node, emitter, places.scale, x.rank(), axis));
  SD_ASSIGN(const Value centred, emitter.arithmetic(OpKind::Sub, reals, zero));
  return emitter.arithmetic(OpKind::Mul, centred, scale);
}

namespace {

// min(max(x, low), high)
Expected<Value> clipped(Emitter &emitter, const Value &x, double low, double high) {
  const auto above = [&](double bound) -> Expected<Value> {
    SD_ASSIGN(const Value over, emitter.arithmetic(OpKind::Sub, x, Value::scalar(single(bound))));
    return emitter.relu(over);
  };
  SD_ASSIGN(const Value overLow, above(low));
  SD_ASSIGN(const Value overHigh, above(high));
  SD_ASSIGN(const Value between, emitter.arithmetic(OpKind::Sub, overLow, overHigh));
  return emitter.arithmetic(OpKind::Add, between, Value::scalar(single(low)));
}

} // namespace

Expected<Value> quantised(const Node &node, Emitter &emitter, const Value &x, Places places) {
  SD_ASSIGN(const Quantisation own, quantisationOf(node, places));
  SD_ASSIGN(const auto integers, integersOf(node, places.zero));
  const auto [least, most] = integers;
  if (!x.isConstant()) {
    SD_ASSIGN(const Value inside, clipped(emitter, x, (least - own.zero) * own.scale, (most - own.zero) * own.scale));
    return inside.quantisedBy(own);
  }
  SD_TRY(emitter.takeBudget(x.shape()));
  Tensor<std::int64_t> out(x.shape());
  std::ranges::transform(x.floats()->data, out.data.begin(), [&](float v) {
    return std::llround(std::clamp(std::nearbyint(v / single(own.scale)) + own.zero, least, most));
  });
  return Value::of(std::move(out)).storedAs(least < 0 ? TensorProto::INT8 : TensorProto::UINT8);
}

Expected<Value> dequantisedBias(const Node &node, Emitter &emitter, std::size_t at, std::size_t xScale,
                                std::size_t wScale) {
  SD_TRY(node.expectConstant(at, "bias"));
  if (!node.input(at).isInteger()) return fail("its bias must be integers");
  SD_ASSIGN(const Value ofX, parameter(node, emitter, xScale, 1, 0));
  SD_ASSIGN(const Value ofW, parameter(node, emitter, wScale, 1, 0));
  const auto &ints = *node.input(at).ints();
  const Value units = Value::of(Tensor<float>(ints.shape, {ints.data.begin(), ints.data.end()}));
  SD_ASSIGN(const Value step, emitter.arithmetic(OpKind::Mul, ofX, ofW));
  return emitter.arithmetic(OpKind::Mul, units, step);
}

namespace {

// x - zero of an integer operand of ConvInteger or MatMulInteger; of a quantised one times its scale.
Expected<Value> centred(const Node &node, Emitter &emitter, std::size_t at, std::size_t zero, std::int64_t axis) {
  const Value &x = node.input(at);
  if (!x.isInteger() || x.isOpened()) return fail("needs integers, not {}", describe(x));
  SD_ASSIGN(const Value shift, parameter(node, emitter, zero, x.rank(), axis));
  if (x.quantisation()) {
    if (shift.size() != 1 || shift.floats()->data[0] != single(x.quantisation()->zero))
      return fail("has another zero point than what it is given was quantised with");
    return x.dequantised();
  }
  if (x.isConstant()) SD_TRY(emitter.takeBudget(x.shape()));
  const Value reals = x.isConstant()
                          ? Value::of(Tensor<float>(x.shape(), {x.ints()->data.begin(), x.ints()->data.end()}))
                          : Value::computed(x.id(), x.shape(), x.stage(), false);
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

// Constants with a scale, and a zero point, for each block of elements along an axis.
Expected<Value> blockwise(const Node &node, Emitter &emitter, std::int64_t axis, std::int64_t block) {
  const Value &x = node.input(0), &scale = node.input(1), &zero = node.input(2);
  SD_ASSIGN(axis, normalizedAxis(axis, x.rank()));
  if (!x.isConstant() || !scale.isConstant() || scale.isInteger() || !x.isInteger() ||
      (node.has(2) && (!zero.isConstant() || !zero.isInteger())) || block < 1 || scale.rank() != x.rank())
    return fail("has a scale for each block of {}, which is supported for constants only", block);
  std::vector<std::int64_t> blocks;
  for (std::int64_t i = 0; i < x.shape()[static_cast<std::size_t>(axis)]; ++i)
    blocks.push_back(i / block);
  const auto spread = [&](const Value &parameter) -> Expected<Value> {
    SD_ASSIGN(const Value wide, emitter.gather(parameter, axis, blocks));
    if (wide.shape() != x.shape())
      return fail("has a scale of shape {} for {}", toString(parameter.shape()), toString(x.shape()));
    return wide;
  };
  SD_ASSIGN(const Value factors, spread(scale));
  Tensor<float> out(x.shape(), {x.ints()->data.begin(), x.ints()->data.end()});
  if (node.has(2)) {
    SD_ASSIGN(const Value zeros, spread(zero));
    for (std::size_t i = 0; i < out.data.size(); ++i)
      out.data[i] -= static_cast<float>(zeros.ints()->data[i]);
  }
  for (std::size_t i = 0; i < out.data.size(); ++i)
    out.data[i] *= factors.floats()->data[i];
  return Value::of(std::move(out));
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
  node.ignore("axis"); // one scale alone is accepted
  node.ignore("precision");
  SD_ASSIGN(const std::int64_t saturate, node.integer("saturate", 1));
  if (x.isOpened() || isSoftmax(emitter, x))
    return fail(
        "quantises the result of Softmax, LogSoftmax, Sigmoid, ArgMax or TopK, which are computed in the clear; make "
        "what it is given the model's output");
  if (x.isInteger()) return fail("quantises {}; insert a Cast", describe(x));
  if (!saturate) return fail("does not saturate; export it with saturate = 1");
  SD_ASSIGN(Value result, quantised(node, emitter, x, {1, 2}));
  node.setOutput(0, std::move(result));
  return {};
}

Expected<void> importDequantizeLinear(Node &node, Emitter &emitter) {
  SD_ASSIGN(const std::int64_t axis, node.integer("axis", 1));
  SD_ASSIGN(const std::int64_t block, node.integer("block_size", 0));
  node.ignore("output_dtype"); // the program computes in fixed point
  if (block) {
    SD_ASSIGN(Value result, blockwise(node, emitter, axis, block));
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
