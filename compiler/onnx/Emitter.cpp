#include "compiler/onnx/Emitter.h"
#include "compiler/onnx/MaskedSoftmax.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

#include "compiler/onnx/Inside.h"
#include "compiler/onnx/WrittenNorm.h"
#include "ir/core/Functions.h"
#include "ir/core/Reference.h"

namespace sd {
namespace {

// A model that asks for more is refused before memory is taken.
constexpr std::int64_t kFoldedElements = std::int64_t{1} << 25, kFoldedPerStored = 4;
constexpr double kFoldedProducts = 0x1p32, kProductsPerStored = 256; // seconds; a low-rank update of each weight
constexpr std::int64_t kRemembered = 1 << 16;                        // elements of constants that are worth it
constexpr std::size_t kMaxOps = std::size_t{1} << 20;                // a program holds no more instructions

// Multiply-adds, about.
double productsOf(OpKind op, const std::vector<Type> &operands, const Attrs &attrs, const Shape &result) {
  double each = 1; // of an element of the result
  const auto times = [&](std::int64_t count) { each *= static_cast<double>(count); };
  if (op == OpKind::Conv)
    std::for_each(operands[1].shape.begin() + 1, operands[1].shape.end(), times);
  else if (op == OpKind::MatMul || op == OpKind::VecDot)
    times(operands[0].shape.back());
  else if (op == OpKind::MaxPool || op == OpKind::AvgPool)
    std::ranges::for_each(attrs.ints(Attr::Kernel), times);
  return each * static_cast<double>(elementCount(result));
}

// Of an op that is computed: minutes. Maxima are taken in pairs, so a window's size is not what they cost.
double mostProductsOf(OpKind op) {
  return op == OpKind::MaxPool ? std::numeric_limits<double>::infinity() : op == OpKind::AvgPool ? 0x1p33 : 0x1p40;
}

Expected<void> expectFinite(const Value &x) {
  const auto &data = x.floats()->data;
  const auto bad = std::ranges::find_if_not(data, [](float v) { return std::isfinite(v); });
  if (bad == data.end()) return {};
  return fail("the constant {}holds NaN or an infinity (at element {}), which fixed point cannot represent; repair or "
              "retrain the model",
              x.name().empty() ? "" : fmt::format("'{}' ", printable(x.name())), bad - data.begin());
}

bool isIdentity(const std::vector<std::int64_t> &indices, std::int64_t size) {
  if (static_cast<std::int64_t>(indices.size()) != size) return false;
  for (std::int64_t i = 0; i < size; ++i)
    if (indices[static_cast<std::size_t>(i)] != i) return false;
  return true;
}

std::string_view symbolOf(OpKind op) {
  return op == OpKind::Add ? "+" : op == OpKind::Sub ? "-" : op == OpKind::Mul ? "*" : "/";
}

Expected<void> checkPair(const Emitter &emitter, OpKind op, const Value &a, const Value &b) {
  if (a.isInteger() != b.isInteger())
    return fail("mixes integers and floats ({} {} {}); insert a Cast", describe(a), symbolOf(op), describe(b));
  if (a.isConstant() && b.isConstant()) return {};
  if (a.isInteger()) return fail("computes with secret integers; use floats");
  const bool opened = a.isOpened() || b.isOpened();
  for (const Value *x : {&a, &b}) {
    const Value &other = x == &a ? b : a;
    SD_TRY(emitter.expectComputed(*x));
    if (opened && x->isConstant() && x->size() != 1)
      return fail("applies {} to a value that the hospital computes in the clear, so it would learn it; do this before "
                  "{}",
                  describe(*x), emitter.nameOfClearEnd(other));
    if (opened && !x->isConstant() && !x->isOpened())
      return fail("combines a secret value with the result of {}, which is computed in the clear at the end of the "
                  "network; remove it, or make its operand an output",
                  emitter.nameOfClearEnd(other));
  }
  return {};
}

// What the hospital computes in the place of an op that the program would compute; none for others.
std::string_view functionOf(OpKind op) {
  static constexpr std::pair<OpKind, std::string_view> kFunctions[] = {{OpKind::Relu, "relu"},
                                                                       {OpKind::Tanh, "tanh"},
                                                                       {OpKind::Erf, "erf"},
                                                                       {OpKind::Softplus, "softplus"},
                                                                       {OpKind::Softsign, "softsign"}};
  const auto found = std::ranges::find(kFunctions, op, &std::pair<OpKind, std::string_view>::first);
  return found == std::end(kFunctions) ? std::string_view{} : found->second;
}

} // namespace

Expected<Value> Emitter::add(Op op, Value::Stage stage, bool isInteger) {
  op.source = source_;
  if (builder_.module().ops.size() >= kMaxOps)
    return fail("makes more than {} ops with those before it; use a smaller network, or shorter sequences", kMaxOps);
  SD_ASSIGN(const ValueId id, builder_.add(std::move(op)));
  const Shape &shape = builder_.type(id).shape;
  const std::int64_t size = elementCount(shape);
  if (size == 0) return fail("the result has shape {}, without elements", toString(shape));
  if (size > mostComputed_) return fail("the result has shape {}, too large to compute", toString(shape));
  if (stage == Value::Stage::Opened) openedValues_.insert(id);
  return Value::computed(id, shape, stage, isInteger);
}

Expected<void> Emitter::takeBudget(const Shape &constant) {
  SD_ASSIGN(const std::int64_t size, checkedElementCount(constant));
  const std::int64_t most = kFoldedElements + kFoldedPerStored * storedElements_;
  if (size > most - constantElements_)
    return fail("makes constants of {} elements, with those before it more than the {} that a model of this size may; "
                "store constants in the file, or make the tensors smaller",
                size, most);
  constantElements_ += size;
  return {};
}

Expected<void> Emitter::takeWork(double products) {
  const double most = kFoldedProducts + kProductsPerStored * static_cast<double>(storedElements_);
  if (products > most - products_)
    return fail("computes with constants alone, {:.3g} multiply-adds, with those before it more than the {:.3g} that a "
                "model of this size may; replace it by its result",
                products, most);
  products_ += products;
  return {};
}

Expected<ValueId> Emitter::idOf(const Value &x) {
  if (!x.isConstant()) return x.id();
  if (x.isInteger()) return fail("needs floats but is given {}; insert a Cast", describe(x));
  if (auto found = constants_.find(x.floats().get()); found != constants_.end()) return found->second;
  if (x.size() == 0) return fail("is given a constant of shape {}, without elements", toString(x.shape()));
  SD_TRY(expectFinite(x));
  Attrs attrs;
  attrs.set(Attr::Value, x.floats());
  SD_ASSIGN(const ValueId id, builder_.add({OpKind::Constant, {}, kNoValue, std::move(attrs), x.name()}));
  constants_.emplace(x.floats().get(), id);
  return id;
}

Expected<Value> Emitter::input(const InputSpec &spec) {
  Attrs attrs;
  attrs.set(Attr::Name, spec.name);
  attrs.set(Attr::Dims, spec.shape);
  if (spec.range) {
    attrs.set(Attr::Low, spec.range->first);
    attrs.set(Attr::High, spec.range->second);
  }
  SD_ASSIGN(Value value,
            add({OpKind::Input, {}, kNoValue, std::move(attrs), {}}, Value::Stage::Secret, spec.isInteger));
  return value.named(spec.name);
}

Expected<void> Emitter::finish(const std::vector<Value> &outputs, std::vector<std::string> names) {
  Op op{OpKind::Return, {}, kNoValue, {}, {}};
  for (const Value &output : outputs)
    op.operands.push_back(output.id());
  op.attrs.set(Attr::Names, std::move(names));
  SD_TRY(builder_.add(std::move(op)));
  return expectNothingPostponed();
}

Expected<Value> Emitter::postponed(OpKind op, const Value &a, const Value &b) {
  const Expected<void> why = checkPair(*this, op, a, b);
  SD_ASSIGN(const Shape shape, broadcastShapes(a.shape(), b.shape()));
  SD_TRY(checkedElementCount(shape));
  Op out{op, {}, kNoValue, {}, {}};
  for (const Value *x : {&a, &b}) {
    SD_ASSIGN(const Value whole, x->isConstant() ? Expected<Value>(*x) : broadcast(*x, shape));
    SD_ASSIGN(const ValueId id, idOf(whole));
    out.operands.push_back(id);
  }
  SD_ASSIGN(Value value, add(std::move(out), Value::Stage::Opened, false));
  postponed_.emplace(value.id(), why ? "" : why.error().message);
  return value;
}

Expected<void> Emitter::expectComputed(const Value &x) const {
  if (x.isConstant() || !isPostponed(x.id())) return {};
  return fail("takes a part of a normalisation that is written in a way that is not known; write it with "
              "LayerNormalization (opset 17)");
}

// The parts of a formula that was recognised are used by nothing.
Expected<void> Emitter::expectNothingPostponed() const {
  if (postponed_.empty()) return {};
  const std::vector<Op> &ops = builder_.module().ops;
  std::vector<bool> isUsed(ops.size(), false);
  isUsed.back() = true;
  for (std::size_t i = ops.size(); i-- > 0;) {
    if (!isUsed[i]) continue;
    const auto found = postponed_.find(ops[i].result);
    if (found != postponed_.end() && !found->second.empty())
      return fail("'{}' {}", printable(ops[i].source), found->second);
    for (const ValueId operand : ops[i].operands)
      isUsed[operand] = true;
  }
  return {};
}

// An op that moves elements about.
Expected<Value> Emitter::move(OpKind op, const Value &x, Attrs attrs) {
  SD_ASSIGN(const Value moved, add({op, {x.id()}, kNoValue, std::move(attrs), {}}, x.stage(), x.isInteger()));
  return moved.quantisedBy(x.quantisation()).storedAs(x.elementType());
}

Expected<Value> Emitter::reshape(const Value &x, Shape shape) {
  SD_ASSIGN(const std::int64_t size, checkedElementCount(shape));
  if (size != x.size()) return fail("cannot reshape {} to {}", toString(x.shape()), toString(shape));
  if (shape == x.shape()) return x;
  if (x.isConstant()) {
    SD_TRY(takeBudget(shape));
    if (size < kRemembered) return fold::reshape(x, std::move(shape));
    return memo_.once(x, false, shape, [&] { return fold::reshape(x, shape); });
  }
  Attrs attrs;
  attrs.set(Attr::Dims, std::move(shape));
  return move(OpKind::Reshape, x, std::move(attrs));
}

Expected<Value> Emitter::transpose(const Value &x, std::vector<std::int64_t> perm) {
  std::vector<std::int64_t> sorted = perm;
  std::ranges::sort(sorted);
  if (!isIdentity(sorted, x.rank()))
    return fail("perm [{}] is not a permutation of the {} axes", fmt::join(perm, ", "), x.rank());
  if (isIdentity(perm, x.rank())) return x;
  if (x.isConstant()) {
    SD_TRY(takeBudget(x.shape()));
    if (x.size() < kRemembered) return fold::transpose(x, perm);
    return memo_.once(x, true, perm, [&] { return fold::transpose(x, perm); });
  }
  Attrs attrs;
  attrs.set(Attr::Perm, std::move(perm));
  return move(OpKind::Transpose, x, std::move(attrs));
}

Expected<Value> Emitter::gather(const Value &x, std::int64_t axis, std::vector<std::int64_t> indices) {
  assert(axis >= 0 && axis < x.rank());
  const std::int64_t size = x.shape()[static_cast<std::size_t>(axis)];
  for (std::int64_t index : indices)
    if (index < 0 || index >= size) return fail("index {} of an axis of {} elements", index, size);
  if (isIdentity(indices, size)) return x;
  if (x.isConstant()) {
    Shape shape = x.shape();
    shape[static_cast<std::size_t>(axis)] = static_cast<std::int64_t>(indices.size());
    SD_TRY(takeBudget(shape));
    return fold::gather(x, axis, indices);
  }
  if (static_cast<std::int64_t>(indices.size()) > kMaxSelected) return fail("the result is too large");
  SD_TRY(takeBudget({static_cast<std::int64_t>(indices.size())}));
  if (indices.empty()) return fail("selects no elements of a computed value");
  Attrs attrs;
  attrs.set(Attr::Axis, axis);
  attrs.set(Attr::Indices, std::move(indices));
  return move(OpKind::Gather, x, std::move(attrs));
}

Expected<Value> Emitter::concat(std::vector<Value> xs, std::int64_t axis) {
  assert(!xs.empty() && axis >= 0 && axis < xs[0].rank());
  bool constant = true, secret = false, opened = false, openable = false;
  Shape shape = xs[0].shape();
  shape[static_cast<std::size_t>(axis)] = 0;
  for (const Value &x : xs) {
    if (x.quantisation() && xs.size() > 1) return fail("joins quantised values; dequantise them first");
    constant &= x.isConstant();
    secret |= !x.isConstant() && x.stage() == Value::Stage::Secret;
    opened |= x.isOpened();
    openable |= x.isOpenable();
    Shape other = x.shape();
    if (x.rank() != xs[0].rank() || x.isInteger() != xs[0].isInteger())
      return fail("joins {} and {}", describe(xs[0]), describe(x));
    std::int64_t &extent = other[static_cast<std::size_t>(axis)];
    if (__builtin_add_overflow(shape[static_cast<std::size_t>(axis)], extent, &extent))
      return fail("the result is too large");
    std::swap(shape[static_cast<std::size_t>(axis)], extent);
    if (std::ranges::mismatch(shape, other).in1 != shape.end()) {
      extent = shape[static_cast<std::size_t>(axis)];
      if (other != shape)
        return fail("joins shapes {} and {} along axis {}", toString(xs[0].shape()), toString(x.shape()), axis);
    }
  }
  if (opened && secret)
    return fail("joins a secret value with the result of {}, which is computed in the clear at the end of the network; "
                "make them separate outputs",
                nameOfClearEnd(*std::ranges::find_if(xs, &Value::isOpened)));
  if (!constant) // parts without elements, as a Split may leave
    std::erase_if(xs, [axis](const Value &x) { return x.shape()[static_cast<std::size_t>(axis)] == 0; });
  if (xs.size() == 1) return xs[0];
  if (constant) {
    SD_TRY(takeBudget(shape));
    return fold::concat(xs, axis);
  }
  SD_ASSIGN(const std::vector<Value> parts, withoutConstants(xs, axis));
  Value result = parts[0];
  if (parts.size() > 1) {
    Op op{OpKind::Concat, {}, kNoValue, {}, {}};
    for (const Value &part : parts)
      op.operands.push_back(part.id());
    op.attrs.set(Attr::Axis, axis);
    const auto stage = opened                ? Value::Stage::Opened
                       : secret || !openable ? Value::Stage::Secret
                                             : Value::Stage::Openable;
    SD_ASSIGN(result, add(std::move(op), stage, xs[0].isInteger()));
  }
  if (std::ranges::none_of(xs, &Value::isConstant)) return result;
  // The constants stand where the zeros are.
  if (opened) return fail("joins an opened value with a constant, which the hospital would learn");
  SD_TRY(takeBudget(shape));
  std::vector<Value> constants;
  for (const Value &x : xs)
    constants.push_back(x.isConstant() ? x : Value::of(Tensor<float>(x.shape(), 0.0f)));
  return arithmetic(OpKind::Add, result, fold::concat(constants, axis));
}

// The computed ones among `xs`, with zeros along `axis` in place of the constants.
Expected<std::vector<Value>> Emitter::withoutConstants(const std::vector<Value> &xs, std::int64_t axis) {
  std::vector<Value> parts;
  std::vector<std::pair<std::int64_t, std::int64_t>> zeros; // before and after each part
  std::int64_t leading = 0;
  for (const Value &x : xs) {
    const std::int64_t length = x.shape()[static_cast<std::size_t>(axis)];
    if (!x.isConstant()) {
      parts.push_back(x);
      zeros.emplace_back(std::exchange(leading, 0), 0);
    } else if (x.isInteger()) {
      return fail("joins computed integers with a constant; use floats");
    } else if (parts.empty()) {
      leading += length;
    } else {
      zeros.back().second += length;
    }
  }
  for (std::size_t i = 0; i < parts.size(); ++i) {
    std::vector<std::int64_t> pads(2 * static_cast<std::size_t>(parts[i].rank()), 0);
    pads[static_cast<std::size_t>(axis)] = zeros[i].first;
    pads[static_cast<std::size_t>(parts[i].rank() + axis)] = zeros[i].second;
    SD_ASSIGN(parts[i], pad(parts[i], std::move(pads), 0));
  }
  return parts;
}

Expected<Value> Emitter::pad(const Value &x, std::vector<std::int64_t> pads, double fill) {
  assert(static_cast<std::int64_t>(pads.size()) == 2 * x.rank());
  if (std::ranges::all_of(pads, [](std::int64_t pad) { return pad == 0; })) return x;
  Shape shape = x.shape();
  for (std::size_t i = 0; i < pads.size(); ++i) {
    std::int64_t &extent = shape[i % shape.size()];
    if (__builtin_add_overflow(extent, pads[i], &extent)) return fail("pads too much");
  }
  SD_TRY(checkedElementCount(shape));
  if (x.isConstant()) {
    SD_TRY(takeBudget(shape));
    return fold::pad(x, pads, fill);
  }
  if (x.quantisation()) return fail("pads a quantised value; dequantise it first");
  if (!std::isfinite(fill)) return fail("pads with {}, which fixed point cannot represent", fill);
  Attrs attrs;
  attrs.set(Attr::Pads, std::move(pads));
  attrs.set(Attr::Fill, fill);
  return add({OpKind::Pad, {x.id()}, kNoValue, std::move(attrs), {}}, x.stage(), x.isInteger());
}

Expected<Value> Emitter::broadcast(const Value &x, const Shape &shape) {
  if (x.shape() == shape) return x;
  SD_ASSIGN(const Shape common, broadcastShapes(x.shape(), shape));
  if (common != shape) return fail("cannot broadcast {} to {}", toString(x.shape()), toString(shape));
  Shape aligned(shape.size() - x.shape().size(), 1);
  aligned.insert(aligned.end(), x.shape().begin(), x.shape().end());
  SD_ASSIGN(Value out, reshape(x, aligned));
  for (std::size_t axis = 0; axis < shape.size(); ++axis)
    if (aligned[axis] != shape[axis]) {
      if (shape[axis] > kMaxSelected) return fail("the result is too large");
      SD_ASSIGN(out, gather(out, static_cast<std::int64_t>(axis),
                            std::vector<std::int64_t>(static_cast<std::size_t>(shape[axis]), 0)));
    }
  return out;
}

Expected<Value> Emitter::arithmetic(OpKind op, const Value &a, const Value &b) {
  for (const bool swapped : {false, true}) {
    const Value &opened = swapped ? b : a, &other = swapped ? a : b;
    if (!opened.isOpened() || other.isOpened() || (other.isConstant() && other.size() == 1)) continue;
    SD_ASSIGN(const auto secret, secretForm(*this, opened));
    if (secret) return swapped ? arithmetic(op, a, *secret) : arithmetic(op, *secret, b);
  }
  if (op == OpKind::Add) {
    if (const auto mask = maskFor(b, a)) return arithmetic(op, *mask, b);
    if (const auto mask = maskFor(a, b)) return arithmetic(op, a, *mask);
  }
  SD_TRY(checkPair(*this, op, a, b));
  SD_ASSIGN(const Shape shape, broadcastShapes(a.shape(), b.shape()));
  SD_TRY(checkedElementCount(shape));
  if (a.isConstant() && b.isConstant()) {
    SD_TRY(takeBudget(shape));
    return fold::arithmetic(op, a, b, shape);
  }
  if (op == OpKind::Div && !b.isConstant() && !b.isOpened()) {
    SD_ASSIGN(const Value inverse, reciprocalInside(*this, b));
    const bool isOne = a.isConstant() && a.size() == 1 && a.floats()->data[0] == 1;
    return isOne ? broadcast(inverse, shape) : arithmetic(OpKind::Mul, a, inverse);
  }
  if (op == OpKind::Div && b.isConstant() && std::ranges::find(b.floats()->data, 0.0f) != b.floats()->data.end())
    return fail("divides by zero");
  Value left = a, right = b;
  if (!a.isConstant() && !b.isConstant()) {
    SD_ASSIGN(left, broadcast(a, shape));
    SD_ASSIGN(right, broadcast(b, shape));
  } else {
    // The computed operand takes the result's shape, so that a constant never enlarges it.
    SD_ASSIGN((a.isConstant() ? right : left), broadcast(a.isConstant() ? b : a, shape));
  }
  SD_ASSIGN(const ValueId leftId, idOf(left));
  SD_ASSIGN(const ValueId rightId, idOf(right));
  Value::Stage stage = Value::Stage::Secret;
  if (a.isOpened() || b.isOpened())
    stage = Value::Stage::Opened;
  else if ((a.isOpenable() && b.isConstant() && b.size() == 1) || (b.isOpenable() && a.isConstant() && a.size() == 1))
    stage = Value::Stage::Openable;
  return add({op, {leftId, rightId}, kNoValue, {}, {}}, stage, false);
}

Expected<Value> Emitter::relu(const Value &x) {
  if (x.isConstant() && !x.isInteger()) {
    SD_TRY(takeBudget(x.shape()));
    return fold::map(x, [](float v) { return v < 0 ? 0.0f : v; });
  }
  return compute(OpKind::Relu, {x});
}

// The op's meaning on constants.
Expected<Value> Emitter::folded(OpKind op, const std::vector<Value> &operands, const Attrs &attrs) {
  std::vector<const Tensor<float> *> values;
  std::vector<Type> types;
  for (const Value &x : operands) {
    SD_TRY(expectFinite(x));
    values.push_back(x.floats().get());
    types.push_back(Type::clear(x.shape()));
  }
  SD_ASSIGN(const Type type, resultType(op, types, attrs));
  SD_TRY(takeBudget(type.shape));
  SD_TRY(takeWork(productsOf(op, types, attrs, type.shape)));
  SD_ASSIGN(Tensor<float> result, evaluateClear(op, values, attrs));
  return Value::of(std::move(result));
}

Expected<Value> Emitter::compute(OpKind op, const std::vector<Value> &operands, Attrs attrs) {
  if (operands.size() == 1 && operands[0].isOpened())
    if (const auto name = functionOf(op); !name.empty()) return function(name, operands[0]);
  bool constant = true;
  for (std::size_t i = 0; i < operands.size(); ++i) {
    if (!operands[i].isOpened()) continue;
    SD_ASSIGN(const auto secret, secretForm(*this, operands[i]));
    if (!secret) continue;
    std::vector<Value> others = operands;
    others[i] = *secret;
    return compute(op, others, std::move(attrs));
  }
  for (const Value &x : operands) {
    SD_TRY(expectComputed(x));
    if (x.isOpened())
      return fail("takes the result of {}, which is computed in the clear at the end of the network; remove that op or "
                  "end the network there",
                  nameOfClearEnd(x));
    if (x.quantisation()) return fail("needs floats but is given a quantised value; dequantise it first");
    if (x.isInteger()) return fail("needs floats but is given {}; insert a Cast", describe(x));
    constant &= x.isConstant();
  }
  if (constant) return folded(op, operands, attrs);
  Op out{op, {}, kNoValue, std::move(attrs), {}};
  for (const Value &x : operands) {
    SD_ASSIGN(const ValueId id, idOf(x));
    out.operands.push_back(id);
  }
  std::vector<Type> types;
  for (const ValueId id : out.operands)
    types.push_back(builder_.type(id));
  if (const auto result = resultType(op, types, out.attrs))
    if (const double products = productsOf(op, types, out.attrs, result->shape); products > mostProductsOf(op))
      return fail("takes {:.3g} multiply-adds for each record; at most {:.3g} of one op are supported", products,
                  mostProductsOf(op));
  return add(std::move(out), Value::Stage::Secret, false);
}

Expected<Value> Emitter::function(std::string_view name, const Value &x, bool isTruth) {
  const ScalarFunction *known = findFunction(name);
  assert(known);
  if (x.isConstant()) {
    SD_TRY(takeBudget(x.shape()));
    return fold::map(x, known->apply);
  }
  Attrs attrs;
  attrs.set(Attr::Function, std::string(name));
  SD_ASSIGN(Value result,
            add({OpKind::Function, {x.id()}, kNoValue, std::move(attrs), {}}, Value::Stage::Opened, isTruth));
  if (!x.isOpened()) openers_[x.id()].insert(result.id());
  return result;
}

bool Emitter::isWhole(const Value &x) {
  if (!x.isOpened()) return false;
  while (wholeValues_.size() <= x.id()) {
    const Op &op = maker(static_cast<ValueId>(wholeValues_.size()));
    const bool moves = op.kind == OpKind::Reshape || op.kind == OpKind::Transpose || op.kind == OpKind::Gather;
    const bool keeps = moves || op.kind == OpKind::Add || op.kind == OpKind::Sub || op.kind == OpKind::Mul;
    bool whole = op.kind == OpKind::ArgMax || op.kind == OpKind::ArgTopK;
    if (op.kind == OpKind::Function) whole = isStepFunction(op.attrs.str(Attr::Function));
    if (op.kind == OpKind::Constant)
      whole = std::ranges::all_of(op.attrs.floats(Attr::Value).data, [](float v) { return v == std::trunc(v); });
    if (keeps) whole = std::ranges::all_of(op.operands, [&](ValueId id) { return wholeValues_[id]; });
    wholeValues_.push_back(whole);
  }
  return wholeValues_[x.id()];
}

Expected<Value> Emitter::openAnd(OpKind op, const Value &x, Attrs attrs) {
  if (x.isInteger()) return fail("needs floats but is given {}; insert a Cast", describe(x));
  const bool isInteger = op == OpKind::ArgMax || op == OpKind::ArgTopK;
  if (x.isConstant()) {
    if (isInteger) return fail("is applied to a constant; replace it by its result");
    return folded(op, {x}, attrs);
  }
  const bool hasFixedPoint = op == OpKind::Sigmoid || op == OpKind::Softmax;
  const auto stage = hasFixedPoint && !x.isOpened() ? Value::Stage::Openable : Value::Stage::Opened;
  return add({op, {x.id()}, kNoValue, std::move(attrs), {}}, stage, isInteger);
}

const std::vector<std::string> *Emitter::classNames(ValueId value) const {
  while (true) {
    if (const auto found = classNames_.find(value); found != classNames_.end()) return &found->second;
    const Op &op = maker(value);
    if (op.kind != OpKind::Reshape && op.kind != OpKind::Identity) return nullptr;
    value = op.operands[0];
  }
}

} // namespace sd
