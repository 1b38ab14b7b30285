#include "compiler/onnx/ClearEnd.h"

#include <algorithm>

#include "ir/core/OpFamilies.h"

namespace sd {
namespace {

bool isFunction(const Op &op, std::string_view name) {
  return op.kind == OpKind::Function && op.attrs.str(Attr::Function) == name;
}

bool isOfSecret(const Emitter &emitter, const Op &function) {
  return emitter.isOpenedElsewhere(emitter.secret(function.operands[0]));
}

bool isNumber(const Op &op, float number) {
  return op.kind == OpKind::Constant && op.attrs.floats(Attr::Value).data == std::vector{number};
}

const Op *behindReshapes(const Emitter &emitter, ValueId value) {
  const Op *op = &emitter.maker(value);
  while (op->kind == OpKind::Reshape || op->kind == OpKind::Transpose)
    op = &emitter.maker(op->operands[0]);
  return op;
}

// The only axis along which b, of a's rank, has one element in place of several; the last one if there is none.
std::optional<std::int64_t> reducedAxis(const Shape &a, const Shape &b) {
  if (a.size() != b.size() || a.empty()) return std::nullopt;
  std::optional<std::int64_t> axis;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i] == b[i]) continue;
    if (axis || b[i] != 1) return std::nullopt;
    axis = static_cast<std::int64_t>(i);
  }
  return axis.value_or(static_cast<std::int64_t>(a.size()) - 1);
}

// Softmax does not change where the same is added to all along the axis, as where their maximum is taken off.
ValueId withoutShift(const Emitter &emitter, ValueId z, std::int64_t axis) {
  const Op &sub = emitter.maker(z);
  if (sub.kind != OpKind::Sub || emitter.maker(sub.operands[0]).kind == OpKind::Constant) return z;
  const Op &spread = emitter.maker(sub.operands[1]);
  const bool isSame = spread.kind == OpKind::Gather && spread.attrs.i(Attr::Axis) == axis &&
                      std::ranges::all_of(spread.attrs.ints(Attr::Indices), [](std::int64_t i) { return i == 0; });
  return isSame ? sub.operands[0] : z;
}

// x of 1 + exp(-x).
std::optional<ValueId> negatedExponent(const Emitter &emitter, ValueId value) {
  const Op &sum = emitter.maker(value);
  if (sum.kind != OpKind::Add) return std::nullopt;
  const bool first = isNumber(emitter.maker(sum.operands[0]), 1);
  if (!first && !isNumber(emitter.maker(sum.operands[1]), 1)) return std::nullopt;
  const Op &exponential = emitter.maker(sum.operands[first ? 1 : 0]);
  if (!isFunction(exponential, "exp") || !isOfSecret(emitter, exponential)) return std::nullopt;
  const Op &negated = emitter.maker(exponential.operands[0]);
  if (negated.kind != OpKind::Mul) return std::nullopt;
  for (std::size_t i = 0; i < 2; ++i)
    if (isNumber(emitter.maker(negated.operands[i]), -1)) return negated.operands[1 - i];
  return std::nullopt;
}

} // namespace

Expected<Value> openedValue(Emitter &emitter, const Value &x) {
  if (x.isConstant() || x.isOpened()) return x;
  return emitter.function("identity", x);
}

Expected<std::optional<Value>> writtenOut(Emitter &emitter, const Value &a, const Value &b) {
  if (b.isConstant() || !b.isOpened()) return std::nullopt;
  if (a.isConstant()) {
    if (a.isInteger() || a.size() != 1 || a.floats()->data[0] != 1) return std::nullopt;
    const auto x = negatedExponent(emitter, b.id());
    if (!x) return std::nullopt;
    SD_ASSIGN(Value result, emitter.openAnd(OpKind::Sigmoid, emitter.secret(*x), {}));
    return std::optional(std::move(result));
  }
  const Op &exponential = emitter.maker(a.id());
  const Op *sum = behindReshapes(emitter, b.id());
  const auto axis = reducedAxis(a.shape(), b.shape());
  if (!axis || !isFunction(exponential, "exp") || !isOfSecret(emitter, exponential) || sum->kind != OpKind::ReduceSum ||
      behindReshapes(emitter, sum->operands[0])->result != a.id())
    return std::nullopt;
  const ValueId z = withoutShift(emitter, exponential.operands[0], *axis);
  SD_ASSIGN(Value result, emitter.openAnd(OpKind::Softmax, emitter.secret(z), {{Attr::Axis, *axis}}));
  return std::optional(std::move(result));
}

Expected<std::pair<Value, Value>> openedPair(Emitter &emitter, OpKind op, const Value &a, const Value &b) {
  std::pair pair(a, b);
  const auto mayOpen = [&](const Value &x, const Value &other) {
    return !x.isConstant() && !x.isOpened() && !other.isConstant() && other.isOpened();
  };
  if (mayOpen(a, b) && (op == OpKind::Div || emitter.isOpenedElsewhere(a))) {
    SD_ASSIGN(pair.first, openedValue(emitter, a));
  } else if (mayOpen(b, a) && emitter.isOpenedElsewhere(b)) {
    SD_ASSIGN(pair.second, openedValue(emitter, b));
  }
  return pair;
}

bool Emitter::keepClosed(ValueId x, const std::set<ValueId> &functions) {
  std::set<ValueId> left = openers_[x];
  for (const ValueId function : functions)
    left.erase(function);
  const bool justified = left.empty() || std::ranges::any_of(left, [&](ValueId function) {
                           return maker(function).attrs.str(Attr::Function) != "identity";
                         });
  if (justified) openers_[x] = std::move(left);
  return justified;
}

std::string Emitter::nameOfClearEnd(const Value &x) const {
  ValueId value = x.id();
  while (true) {
    const Op &op = maker(value);
    switch (op.kind) {
    case OpKind::Softmax:
      return "Softmax";
    case OpKind::LogSoftmax:
      return "LogSoftmax";
    case OpKind::Sigmoid:
      return "Sigmoid";
    case OpKind::ArgMax:
      return "ArgMax";
    case OpKind::TopK:
    case OpKind::ArgTopK:
      return "TopK";
    case OpKind::Div:
      if (maker(op.operands[1]).kind != OpKind::Constant) return "Div by a computed value";
      break;
    case OpKind::Function: {
      std::string name = op.attrs.str(Attr::Function);
      if (name == "step") return "a comparison";
      if (name == "identity") break;
      name[0] = static_cast<char>(name[0] - 'a' + 'A');
      return name;
    }
    case SD_NN_ENDS: // the name is that of an operand
    case OpKind::Identity:
    case SD_NN_PRODUCTS:
    case OpKind::BatchNorm:
    case OpKind::Add:
    case OpKind::Sub:
    case OpKind::Mul:
    case OpKind::VecDot:
    case OpKind::Relu:
    case SD_NN_SMOOTH:
    case OpKind::Piecewise:
    case OpKind::AtMost:
    case SD_NN_POOLS:
    case SD_NN_LAYOUT:
    case OpKind::ReduceSum:
#include "ir/core/ShareCases.def"
      break;
    }
    const auto computed =
        std::ranges::find_if(op.operands, [&](ValueId v) { return maker(v).kind != OpKind::Constant; });
    if (computed == op.operands.end()) return "an op";
    value = *computed;
  }
}

} // namespace sd
