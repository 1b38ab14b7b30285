// Constants, casts, and the shapes of values: all known when the model is imported.
#include "compiler/onnx/Handlers.h"

#include <algorithm>
#include <cmath>

#include <onnx/onnx_pb.h>

#include "compiler/onnx/Fold.h"
#include "compiler/onnx/Tensors.h"

namespace sd {
namespace {

using onnx::TensorProto;

Value listOf(std::vector<std::int64_t> list) {
  Shape shape = {static_cast<std::int64_t>(list.size())};
  return Value::of(Tensor<std::int64_t>(std::move(shape), std::move(list)));
}

struct IntegerRange {
  double least, most;
};

IntegerRange rangeOf(int type) {
  switch (type) {
  case TensorProto::INT8:
    return {-128, 127};
  case kInt4:
    return {-8, 7};
  case kUint4:
    return {0, 15};
  case TensorProto::UINT8:
    return {0, 255};
  case TensorProto::INT16:
    return {-32768, 32767};
  case TensorProto::UINT16:
    return {0, 65535};
  case TensorProto::INT32:
    return {-0x1p31, 0x1p31 - 1};
  case TensorProto::UINT32:
    return {0, 0x1p32 - 1};
  case TensorProto::UINT64:
    return {0, 0x1.fffffffffffffp62};
  default:
    return {-0x1p63, 0x1.fffffffffffffp62}; // the largest double below 2^63
  }
}

Expected<Value> castToInteger(const Value &x, int type) {
  Tensor<std::int64_t> out(x.shape());
  const IntegerRange range = rangeOf(type);
  for (std::size_t i = 0; i < out.data.size(); ++i) {
    const double value =
        x.isInteger() ? static_cast<double>(x.ints()->data[i]) : std::trunc(static_cast<double>(x.floats()->data[i]));
    if (type == TensorProto::BOOL) {
      out.data[i] = x.isInteger() ? x.ints()->data[i] != 0 : x.floats()->data[i] != 0;
    } else if (!x.isInteger() && !(value >= range.least && value <= range.most)) {
      return fail("cannot cast the constant {} to {}", value, elementTypeName(type));
    } else if (x.isInteger() && type != TensorProto::INT64 && !(value >= range.least && value <= range.most)) {
      return fail("cannot cast the constant {} to {}", x.ints()->data[i], elementTypeName(type));
    } else {
      out.data[i] = x.isInteger() ? x.ints()->data[i] : static_cast<std::int64_t>(value);
    }
  }
  return Value::of(std::move(out)).named(x.name());
}

Value castToFloat(const Value &x, int type) {
  Value result = x;
  if (x.isInteger()) {
    Tensor<float> out(x.shape());
    std::ranges::transform(x.ints()->data, out.data.begin(), [](std::int64_t v) { return static_cast<float>(v); });
    result = Value::of(std::move(out)).named(x.name());
  }
  if (type == TensorProto::FLOAT16) return fold::map(result, roundToHalf);
  if (type == TensorProto::BFLOAT16) return fold::map(result, roundToBfloat16);
  return result;
}

// Integers that the hospital gives, or that are made of these, in a type that may be narrower than their own.
Expected<void> expectFits(Emitter &emitter, const Value &x, int type) {
  if (x.isOpened() || (x.quantisation() && x.elementType() == 0)) return {};
  const IntegerRange range = rangeOf(type), own = rangeOf(x.elementType() ? x.elementType() : TensorProto::INT32);
  if (range.least <= own.least && own.most <= range.most) return {};
  if (x.quantisation())
    return fail("casts quantised {} to {}, where others would wrap round; remove the Cast",
                elementTypeName(x.elementType()), elementTypeName(type));
  const Op *op = &emitter.maker(x.id());
  while (op->kind == OpKind::Reshape || op->kind == OpKind::Transpose || op->kind == OpKind::Gather)
    op = &emitter.maker(op->operands[0]);
  if (op->kind == OpKind::Input && op->attrs.has(Attr::Low) && op->attrs.f(Attr::Low) >= range.least &&
      op->attrs.f(Attr::High) <= range.most)
    return {};
  return fail("casts computed integers to {}, where larger ones would wrap round; remove the Cast, or declare an input "
              "range within {} to {}",
              elementTypeName(type), range.least, range.most);
}

Expected<Value> castOf(Emitter &emitter, const Value &x, int type) {
  if (!isFloatType(type) && !isIntegerType(type)) return fail("casts to {}", elementTypeName(type));
  if (x.isConstant()) {
    SD_TRY(emitter.takeBudget(x.shape()));
    return isFloatType(type) ? castToFloat(x, type) : castToInteger(x, type);
  }
  if (x.quantisation() && isFloatType(type)) {
    const double scale = x.quantisation()->scale, zero = x.quantisation()->zero;
    SD_ASSIGN(const Value steps,
              emitter.arithmetic(OpKind::Mul, x.dequantised(), Value::scalar(static_cast<float>(1 / scale))));
    return zero == 0 ? Expected<Value>(steps)
                     : emitter.arithmetic(OpKind::Add, steps, Value::scalar(static_cast<float>(zero)));
  }
  // The program computes in fixed point: what float type the model meant makes no difference to it.
  if (isFloatType(type)) return Value::computed(x.id(), x.shape(), x.stage(), false);
  if (x.isInteger() && type != TensorProto::BOOL) {
    SD_TRY(expectFits(emitter, x, type));
    return x.storedAs(type);
  }
  if (emitter.isWhole(x) && type != TensorProto::BOOL) return Value::computed(x.id(), x.shape(), x.stage(), true);
  return fail("rounds computed floats to {}, which is not supported; remove the Cast", elementTypeName(type));
}

} // namespace

Expected<void> importConstant(Node &node, Emitter &emitter) {
  if (node.hasAttr("value")) {
    SD_ASSIGN(Value value, node.tensor("value"));
    emitter.grantBudget(value.size());
    node.setOutput(0, std::move(value));
  } else if (node.hasAttr("value_float")) {
    SD_ASSIGN(const double value, node.real("value_float", 0));
    node.setOutput(0, Value::scalar(static_cast<float>(value)));
  } else if (node.hasAttr("value_floats")) {
    SD_ASSIGN(const std::vector<double> values, node.reals("value_floats"));
    node.setOutput(0, Value::of(Tensor<float>({static_cast<std::int64_t>(values.size())},
                                              std::vector<float>(values.begin(), values.end()))));
  } else if (node.hasAttr("value_int")) {
    SD_ASSIGN(const std::int64_t value, node.integer("value_int", 0));
    node.setOutput(0, Value::of(Tensor<std::int64_t>(Shape{}, value)));
  } else if (node.hasAttr("value_ints")) {
    SD_ASSIGN(std::vector<std::int64_t> values, node.integers("value_ints"));
    node.setOutput(0, listOf(std::move(values)));
  } else {
    return fail("holds neither a dense tensor nor numbers; strings and sparse tensors are not supported");
  }
  return emitter.takeBudget({});
}

Expected<void> importConstantOfShape(Node &node, Emitter &emitter) {
  SD_ASSIGN(const Shape shape, node.constantInts(0, "shape"));
  SD_ASSIGN(const Value value, node.tensor("value"));
  SD_TRY(emitter.takeBudget(shape));
  if (value.isNone()) {
    node.setOutput(0, Value::of(Tensor<float>(shape, 0.0f)));
  } else if (value.size() != 1) {
    return fail("its value must be a single number, not of shape {}", toString(value.shape()));
  } else if (value.isInteger()) {
    node.setOutput(0, Value::of(Tensor<std::int64_t>(shape, value.ints()->data[0])));
  } else {
    node.setOutput(0, Value::of(Tensor<float>(shape, value.floats()->data[0])));
  }
  return {};
}

Expected<void> importCast(Node &node, Emitter &emitter) {
  if (!node.hasAttr("to")) return fail("the attribute 'to' is missing");
  SD_ASSIGN(const std::int64_t type, node.integer("to", 0));
  node.ignore("saturate"); // of the 8-bit float types, which are refused
  if (type < 0 || type > 1000) return fail("casts to the unknown element type {}", type);
  SD_ASSIGN(Value result, castOf(emitter, node.input(0), static_cast<int>(type)));
  node.setOutput(0, std::move(result));
  return {};
}

// To the type that another value is declared with.
Expected<void> importCastLike(Node &node, Emitter &emitter) {
  node.ignore("saturate");
  int type = node.input(1).elementType();
  if (type == 0 && !node.input(1).isInteger()) type = TensorProto::FLOAT;
  if (type == 0) return fail("casts to a type that is not known; use Cast");
  SD_ASSIGN(Value result, castOf(emitter, node.input(0), type));
  node.setOutput(0, std::move(result));
  return {};
}

Expected<void> importShape(Node &node, Emitter &) {
  const Shape &shape = node.input(0).shape();
  const auto rank = static_cast<std::int64_t>(shape.size());
  SD_ASSIGN(std::int64_t start, node.integer("start", 0));
  SD_ASSIGN(std::int64_t end, node.integer("end", rank));
  start = std::clamp<std::int64_t>(start < 0 ? start + rank : start, 0, rank);
  end = std::clamp<std::int64_t>(end < 0 ? end + rank : end, start, rank);
  node.setOutput(0, listOf(Shape(shape.begin() + start, shape.begin() + end)));
  return {};
}

Expected<void> importSize(Node &node, Emitter &) {
  node.setOutput(0, Value::of(Tensor<std::int64_t>(Shape{}, node.input(0).size())));
  return {};
}

Expected<void> importOneHot(Node &node, Emitter &emitter) {
  SD_TRY(node.expectConstant(0, "indices"));
  SD_TRY(node.expectConstant(2, "values"));
  SD_ASSIGN(const double depth, node.constantScalar(1, "depth"));
  const Value &where = node.input(0), &values = node.input(2); // off, on
  if (!(depth >= 1 && depth <= static_cast<double>(kMaxSelected)) || values.shape() != Shape{2} || !where.isInteger())
    return fail("its indices are {}, its depth {}, its values {}", describe(where), depth, describe(values));
  const auto length = static_cast<std::int64_t>(depth);
  SD_ASSIGN(std::int64_t axis, node.integer("axis", -1));
  SD_ASSIGN(axis, normalizedAxis(axis, where.rank() + 1));
  Shape shape = where.shape();
  shape.insert(shape.begin() + axis, length);
  SD_TRY(emitter.takeBudget(shape));
  const std::int64_t inner = elementCount(Shape(shape.begin() + axis + 1, shape.end()));
  std::vector<std::int64_t> chosen(static_cast<std::size_t>(elementCount(shape)));
  for (std::int64_t i = 0; i < where.size(); ++i) {
    std::int64_t at = where.ints()->data[static_cast<std::size_t>(i)];
    if (at < -length || at >= length) continue; // off throughout
    if (at < 0) at += length;
    chosen[static_cast<std::size_t>((i / inner * length + at) * inner + i % inner)] = 1;
  }
  SD_ASSIGN(const Value flat, emitter.gather(values, 0, std::move(chosen)));
  SD_ASSIGN(Value result, emitter.reshape(flat, std::move(shape)));
  node.setOutput(0, std::move(result));
  return {};
}

Expected<void> importEyeLike(Node &node, Emitter &emitter) {
  const Shape &shape = node.input(0).shape();
  SD_ASSIGN(const std::int64_t k, node.integer("k", 0));
  SD_ASSIGN(const std::int64_t type,
            node.integer("dtype", node.input(0).isInteger() ? TensorProto::INT64 : TensorProto::FLOAT));
  if (shape.size() != 2) return fail("needs the shape of a matrix, not {}", toString(shape));
  SD_TRY(emitter.takeBudget(shape));
  Tensor<std::int64_t> eye(shape, 0);
  for (std::int64_t row = 0; row < shape[0]; ++row)
    if (row + k >= 0 && row + k < shape[1]) eye.data[static_cast<std::size_t>(row * shape[1] + row + k)] = 1;
  if (type < 0 || type > 1000) return fail("has the unknown element type {}", type);
  SD_ASSIGN(Value result, castOf(emitter, Value::of(std::move(eye)), static_cast<int>(type)));
  node.setOutput(0, std::move(result));
  return {};
}

Expected<void> importRange(Node &node, Emitter &emitter) {
  for (std::size_t i = 0; i < 3; ++i)
    if (!node.has(i) || !node.input(i).isConstant() || !node.input(i).isInteger())
      return fail("its start, limit and step must be constant integers");
  SD_ASSIGN(const double start, node.constantScalar(0, "start"));
  SD_ASSIGN(const double limit, node.constantScalar(1, "limit"));
  SD_ASSIGN(const double step, node.constantScalar(2, "step"));
  constexpr double kLargest = 0x1p31;
  if (step == 0 || std::abs(start) > kLargest || std::abs(limit) > kLargest || std::abs(step) > kLargest)
    return fail("from {} to {} by {} is not a usable range", start, limit, step);
  const auto count = static_cast<std::int64_t>(std::max(std::ceil((limit - start) / step), 0.0));
  SD_TRY(emitter.takeBudget({count}));
  std::vector<std::int64_t> values(static_cast<std::size_t>(count));
  for (std::int64_t i = 0; i < count; ++i)
    values[static_cast<std::size_t>(i)] = static_cast<std::int64_t>(start) + i * static_cast<std::int64_t>(step);
  node.setOutput(0, listOf(std::move(values)));
  return {};
}

} // namespace sd
