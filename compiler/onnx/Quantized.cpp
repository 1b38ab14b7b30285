#include "compiler/onnx/Quantized.h"

#include <algorithm>
#include <cmath>

#include <onnx/onnx_pb.h>

#include "compiler/onnx/ClearEnd.h"
#include "compiler/onnx/Tensors.h"

namespace sd {
namespace {

using onnx::TensorProto;

float single(double value) { return static_cast<float>(value); }

Value asReals(const Value &constant) {
  if (!constant.isInteger()) return constant;
  return Value::of(Tensor<float>(constant.shape(), {constant.ints()->data.begin(), constant.ints()->data.end()}));
}

} // namespace

Expected<Value> realsOf(Emitter &emitter, const Value &x) {
  if ((!x.isInteger() && !isSmallFloatType(x.elementType())) || x.isOpened())
    return fail("dequantises {}, which is not secret integers or constant ones", describe(x));
  if (!x.isConstant()) return Value::computed(x.id(), x.shape(), x.stage(), false);
  SD_TRY(emitter.takeBudget(x.shape()));
  return asReals(x);
}

Expected<Value> parameter(const Node &node, Emitter &emitter, std::size_t at, std::int64_t rank, std::int64_t axis) {
  if (!node.has(at)) return Value::scalar(0);
  SD_TRY(node.expectConstant(at, "scale or zero point"));
  const Value value = asReals(node.input(at));
  if (value.size() == 1) return emitter.reshape(value, {});
  if (value.rank() != 1 || axis < 0 || axis >= rank) return fail("has a scale of shape {}", toString(value.shape()));
  Shape shape(static_cast<std::size_t>(rank), 1);
  shape[static_cast<std::size_t>(axis)] = value.size();
  return emitter.reshape(value, std::move(shape));
}

Expected<Value> ofBlocks(const Node &node, Emitter &emitter, std::size_t at, std::int64_t axis, std::int64_t block) {
  if (!node.has(at)) return Value::scalar(0);
  SD_TRY(node.expectConstant(at, "scale or zero point"));
  const Shape &whole = node.input(0).shape();
  const std::int64_t length = whole[static_cast<std::size_t>(axis)];
  Shape shape = whole;
  if (block >= 1) shape[static_cast<std::size_t>(axis)] = length / block + (length % block != 0);
  if (block < 1 || node.input(at).shape() != shape)
    return fail("has a scale or zero point of shape {} for {} in blocks of {}", toString(node.input(at).shape()),
                toString(whole), block);
  std::vector<std::int64_t> blocks;
  for (std::int64_t i = 0; i < length; ++i)
    blocks.push_back(i / block);
  return emitter.gather(asReals(node.input(at)), axis, std::move(blocks));
}

namespace {

Expected<Quantisation> quantisationOf(const Node &node, Places places) {
  Quantisation out{1, 0};
  SD_ASSIGN(out.scale, node.constantScalar(places.scale, "scale"));
  if (node.has(places.zero)) {
    SD_ASSIGN(out.zero, node.constantScalar(places.zero, "zero point"));
  }
  if (!(out.scale > 0) || !std::isfinite(out.scale)) return fail("has the scale {}", out.scale);
  return out;
}

} // namespace

Expected<TargetType> integersOf(const Node &node, std::size_t zero, std::int64_t otherwise) {
  const std::int64_t type = node.has(zero) ? node.input(zero).elementType() : otherwise;
  for (const TargetType &known :
       {TargetType{TensorProto::UINT8, 0, 255}, TargetType{TensorProto::INT8, -128, 127},
        TargetType{TensorProto::UINT16, 0, 65535}, TargetType{TensorProto::INT16, -32768, 32767},
        TargetType{kUint4, 0, 15}, TargetType{kInt4, -8, 7}})
    if (known.type == type) return known;
  return fail("quantises to {}; use integers of 4, 8 or 16 bits, and make its zero point an initializer of these",
              elementTypeName(static_cast<int>(type)));
}

Expected<Value> dequantised(const Node &node, Emitter &emitter, std::size_t at, Places places, std::int64_t axis) {
  const Value &x = node.input(at);
  if (x.quantisation()) {
    SD_ASSIGN(const Quantisation own, quantisationOf(node, places));
    if (own.scale == x.quantisation()->scale && own.zero == x.quantisation()->zero) return x.dequantised();
    return fail("dequantises with scale {} and zero point {} what was quantised with {} and {}", own.scale, own.zero,
                x.quantisation()->scale, x.quantisation()->zero);
  }
  SD_ASSIGN(const Value reals, realsOf(emitter, x));
  if (axis < 0) axis += x.rank();
  SD_ASSIGN(const Value zero, parameter(node, emitter, places.zero, x.rank(), axis));
  SD_ASSIGN(const Value scale, parameter(node, emitter, places.scale, x.rank(), axis));
  SD_ASSIGN(const Value centred, emitter.arithmetic(OpKind::Sub, reals, zero));
  return emitter.arithmetic(OpKind::Mul, centred, scale);
}

Expected<Value> clippedTo(Emitter &emitter, const Value &x, double low, double high) {
  const auto above = [&](double bound) -> Expected<Value> {
    SD_ASSIGN(const Value over, emitter.arithmetic(OpKind::Sub, x, Value::scalar(single(bound))));
    return emitter.relu(over);
  };
  SD_ASSIGN(const Value overLow, above(low));
  SD_ASSIGN(const Value overHigh, above(high));
  SD_ASSIGN(const Value between, emitter.arithmetic(OpKind::Sub, overLow, overHigh));
  return emitter.arithmetic(OpKind::Add, between, Value::scalar(single(low)));
}

Expected<Value> rounded(Emitter &emitter, const Value &x, const Value &scale, const Value &zero,
                        const TargetType &integers) {
  SD_TRY(emitter.takeBudget(x.shape()));
  SD_ASSIGN(const Value scales, emitter.broadcast(scale, x.shape()));
  SD_ASSIGN(const Value zeros, emitter.broadcast(zero, x.shape()));
  Tensor<std::int64_t> out(x.shape());
  for (std::size_t i = 0; i < out.data.size(); ++i) {
    const float steps = std::nearbyint(x.floats()->data[i] / scales.floats()->data[i]);
    if (std::isnan(steps)) return fail("quantises NaN; repair the model");
    out.data[i] = std::llround(std::clamp(static_cast<double>(steps) + static_cast<double>(zeros.floats()->data[i]),
                                          integers.least, integers.most));
  }
  return Value::of(std::move(out)).storedAs(integers.type);
}

Expected<Value> quantised(const Node &node, Emitter &emitter, const Value &x, Places places,
                          const TargetType &integers) {
  SD_ASSIGN(Quantisation own, quantisationOf(node, places));
  if (x.isConstant())
    return rounded(emitter, x, Value::scalar(single(own.scale)), Value::scalar(single(own.zero)), integers);
  own.isModels = true;
  SD_ASSIGN(const Value inside,
            clippedTo(emitter, x, (integers.least - own.zero) * own.scale, (integers.most - own.zero) * own.scale));
  return inside.quantisedBy(own).storedAs(integers.type);
}

Expected<Value> quantised(const Node &node, Emitter &emitter, const Value &x, Places places) {
  SD_ASSIGN(const TargetType integers, integersOf(node, places.zero, TensorProto::UINT8));
  return quantised(node, emitter, x, places, integers);
}

Expected<Value> roundedByHospital(Emitter &emitter, const Value &x) {
  const Quantisation own = *x.quantisation();
  SD_ASSIGN(Value result, openedValue(emitter, x.dequantised()));
  if (own.scale != 1) {
    SD_ASSIGN(result, emitter.arithmetic(OpKind::Div, result, Value::scalar(single(own.scale))));
  }
  SD_ASSIGN(result, emitter.function("round", result));
  if (own.zero == 0) return result;
  return emitter.arithmetic(OpKind::Add, result, Value::scalar(single(own.zero)));
}

Expected<Value> dequantisedBias(const Node &node, Emitter &emitter, std::size_t at, std::size_t xScale,
                                std::size_t wScale) {
  SD_TRY(node.expectConstant(at, "bias"));
  if (!node.input(at).isInteger()) return fail("its bias must be integers");
  SD_ASSIGN(const Value ofX, parameter(node, emitter, xScale, 1, 0));
  SD_ASSIGN(const Value ofW, parameter(node, emitter, wScale, 1, 0));
  const Value units = asReals(node.input(at));
  SD_ASSIGN(const Value step, emitter.arithmetic(OpKind::Mul, ofX, ofW));
  return emitter.arithmetic(OpKind::Mul, units, step);
}

} // namespace sd
