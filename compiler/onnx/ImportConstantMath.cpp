// Functions and comparisons that fixed point does not have: of constants, or in the clear at the end of the network.
#include "compiler/onnx/ClearEnd.h"
#include "compiler/onnx/Handlers.h"

#include <algorithm>
#include <cmath>

#include "compiler/onnx/Fold.h"
#include "compiler/onnx/LinearMap.h"
#include "compiler/onnx/MaskedSoftmax.h"
#include "compiler/onnx/OpTable.h"

namespace sd {
namespace {

Expected<void> expectConstants(const Node &node) {
  for (std::size_t i = 0; i < node.inputCount(); ++i)
    if (!node.input(i).isConstant()) return fail("is supported for constants only; {}", adviceFor(node.op()));
  return {};
}

// The program holds the real numbers that quantised integers stand for, not these.
Expected<void> expectNothingQuantised(const Node &node) {
  for (std::size_t i = 0; i < node.inputCount(); ++i)
    if (node.input(i).quantisation()) return fail("is given a quantised value; dequantise it first");
  return {};
}

} // namespace

// Its name in lower case is that of ir/core/Functions.h.
Expected<void> importFunction(Node &node, Emitter &emitter) {
  const Value &x = node.input(0);
  if (x.isInteger()) return fail("needs floats but is given {}; insert a Cast", describe(x));
  std::string name = node.op();
  name[0] = static_cast<char>(name[0] - 'A' + 'a');
  SD_ASSIGN(Value result, emitter.function(name, x));
  node.setOutput(0, std::move(result));
  return {};
}

namespace {

struct Comparison {
  std::string_view name;
  bool (*floats)(float, float); // null: of integers alone
  bool (*integers)(std::int64_t, std::int64_t);
};
constexpr Comparison kComparisons[] = {
    {"Equal", [](float a, float b) { return a == b; }, [](std::int64_t a, std::int64_t b) { return a == b; }},
    {"Greater", [](float a, float b) { return a > b; }, [](std::int64_t a, std::int64_t b) { return a > b; }},
    {"GreaterOrEqual", [](float a, float b) { return a >= b; }, [](std::int64_t a, std::int64_t b) { return a >= b; }},
    {"Less", [](float a, float b) { return a < b; }, [](std::int64_t a, std::int64_t b) { return a < b; }},
    {"LessOrEqual", [](float a, float b) { return a <= b; }, [](std::int64_t a, std::int64_t b) { return a <= b; }},
    {"And", nullptr, [](std::int64_t a, std::int64_t b) { return a && b; }},
    {"Or", nullptr, [](std::int64_t a, std::int64_t b) { return a || b; }},
};

template <class To, class From, class F>
Value combined(const Tensor<From> &a, const Tensor<From> &b, F f) {
  Tensor<To> out(a.shape);
  std::ranges::transform(a.data, b.data, out.data.begin(), [&](From x, From y) { return static_cast<To>(f(x, y)); });
  return Value::of(std::move(out));
}

// The two operands, both floats or both integers, in one shape.
Expected<std::pair<Value, Value>> constantPair(const Node &node, Emitter &emitter) {
  SD_TRY(expectConstants(node));
  const Value &a = node.input(0), &b = node.input(1);
  if (a.isInteger() != b.isInteger()) return fail("mixes {} and {}", describe(a), describe(b));
  SD_ASSIGN(const Shape shape, broadcastShapes(a.shape(), b.shape()));
  SD_TRY(emitter.takeBudget(shape));
  SD_ASSIGN(Value left, emitter.broadcast(a, shape));
  SD_ASSIGN(Value right, emitter.broadcast(b, shape));
  return std::pair(std::move(left), std::move(right));
}

// Truth values as the numbers 0 and 1.
Value asNumbers(const Value &x) {
  if (!x.isConstant()) return Value::computed(x.id(), x.shape(), x.stage(), false);
  if (!x.isInteger()) return x;
  Tensor<float> out(x.shape());
  std::ranges::transform(x.ints()->data, out.data.begin(), [](std::int64_t v) { return static_cast<float>(v); });
  return Value::of(std::move(out));
}
Value asTruths(const Value &x) { return Value::computed(x.id(), x.shape(), x.stage(), true); }

Expected<Value> complement(Emitter &emitter, const Value &x) {
  return emitter.arithmetic(OpKind::Sub, Value::scalar(1), x);
}

// a > b.
Expected<Value> isGreater(Emitter &emitter, const Value &a, const Value &b) {
  SD_ASSIGN(const auto pair, openedPair(emitter, OpKind::Sub, a, b));
  SD_ASSIGN(const Value difference, emitter.arithmetic(OpKind::Sub, pair.first, pair.second));
  return emitter.function("step", difference, true);
}

// By the hospital in the clear; secret operands are opened.
Expected<Value> comparedInTheClear(Emitter &emitter, std::string_view op, const Value &left, const Value &right) {
  const Value a = asNumbers(left), b = asNumbers(right);
  if (op == "Greater") return isGreater(emitter, a, b);
  if (op == "Less") return isGreater(emitter, b, a);
  if (op == "And" || op == "Or") {
    if (!left.isInteger() || !right.isInteger()) return fail("needs truth values");
    SD_ASSIGN(const Value both, emitter.arithmetic(OpKind::Mul, a, b));
    if (op == "And") return both;
    SD_ASSIGN(const Value sum, emitter.arithmetic(OpKind::Add, a, b));
    return emitter.arithmetic(OpKind::Sub, sum, both);
  }
  SD_ASSIGN(const Value less, isGreater(emitter, b, a));
  SD_ASSIGN(const Value notLess, complement(emitter, asNumbers(less)));
  if (op == "GreaterOrEqual") return notLess;
  SD_ASSIGN(const Value greater, isGreater(emitter, a, b));
  SD_ASSIGN(const Value notGreater, complement(emitter, asNumbers(greater)));
  if (op == "LessOrEqual") return notGreater;
  return emitter.arithmetic(OpKind::Mul, notLess, notGreater); // Equal
}

} // namespace

Expected<void> importComparison(Node &node, Emitter &emitter) {
  SD_TRY(expectNothingQuantised(node));
  if (!node.input(0).isConstant() || !node.input(1).isConstant()) {
    SD_ASSIGN(const Value result, comparedInTheClear(emitter, node.op(), node.input(0), node.input(1)));
    node.setOutput(0, asTruths(result));
    return {};
  }
  SD_ASSIGN(const auto operands, constantPair(node, emitter));
  const auto &[a, b] = operands;
  const auto &comparison = *std::ranges::find(kComparisons, node.op(), &Comparison::name);
  if (!a.isInteger() && !comparison.floats) return fail("needs truth values, not {}", describe(a));
  node.setOutput(0, a.isInteger() ? combined<std::int64_t>(*a.ints(), *b.ints(), comparison.integers)
                                  : combined<std::int64_t>(*a.floats(), *b.floats(), comparison.floats));
  return {};
}

Expected<void> importNot(Node &node, Emitter &emitter) {
  SD_TRY(expectNothingQuantised(node));
  const Value &x = node.input(0);
  if (!x.isInteger()) return fail("needs truth values, not {}", describe(x));
  if (!x.isConstant()) {
    SD_ASSIGN(const Value result, complement(emitter, asNumbers(x)));
    node.setOutput(0, asTruths(result));
    return {};
  }
  SD_TRY(emitter.takeBudget(x.shape()));
  Tensor<std::int64_t> out = *x.ints();
  for (std::int64_t &element : out.data)
    element = !element;
  node.setOutput(0, Value::of(std::move(out)));
  return {};
}

// x where x > alpha, else 0.
Expected<void> importThresholdedRelu(Node &node, Emitter &emitter) {
  SD_ASSIGN(const double alpha, node.real("alpha", 1.0));
  SD_ASSIGN(const Value x, openedValue(emitter, node.input(0)));
  SD_ASSIGN(const Value keeps, isGreater(emitter, x, Value::scalar(static_cast<float>(alpha))));
  SD_ASSIGN(Value result, emitter.arithmetic(OpKind::Mul, x, asNumbers(keeps)));
  node.setOutput(0, std::move(result));
  return {};
}

// x + bias where x < -lambd, x - bias where x > lambd, else 0.
Expected<void> importShrink(Node &node, Emitter &emitter) {
  SD_ASSIGN(const double bias, node.real("bias", 0.0));
  SD_ASSIGN(const double lambda, node.real("lambd", 0.5));
  SD_ASSIGN(const Value x, openedValue(emitter, node.input(0)));
  const auto shifted = [&](double by) {
    return emitter.arithmetic(OpKind::Add, x, Value::scalar(static_cast<float>(by)));
  };
  SD_ASSIGN(const Value below, isGreater(emitter, Value::scalar(static_cast<float>(-lambda)), x));
  SD_ASSIGN(const Value above, isGreater(emitter, x, Value::scalar(static_cast<float>(lambda))));
  SD_ASSIGN(const Value raised, shifted(bias));
  SD_ASSIGN(const Value lowered, shifted(-bias));
  SD_ASSIGN(const Value left, emitter.arithmetic(OpKind::Mul, raised, asNumbers(below)));
  SD_ASSIGN(const Value right, emitter.arithmetic(OpKind::Mul, lowered, asNumbers(above)));
  SD_ASSIGN(Value result, emitter.arithmetic(OpKind::Add, left, right));
  node.setOutput(0, std::move(result));
  return {};
}

// 1 at the first maximum along an axis, else 0.
Expected<void> importHardmax(Node &node, Emitter &emitter) {
  constexpr std::int64_t kLongest = 1024;
  const bool coerces = node.opset() < 13; // to a matrix: the axes before `axis`, and all others together
  Value x = node.input(0);
  SD_ASSIGN(std::int64_t axis, node.integer("axis", coerces ? 1 : -1));
  SD_ASSIGN(axis, normalizedAxis(axis, x.rank()));
  if (coerces) {
    Shape matrix = {1, 1};
    for (std::int64_t i = 0; i < x.rank(); ++i)
      matrix[i < axis ? 0 : 1] *= x.shape()[static_cast<std::size_t>(i)];
    SD_ASSIGN(x, emitter.reshape(x, matrix));
    axis = 1;
  }
  const std::int64_t length = x.shape()[static_cast<std::size_t>(axis)];
  if (length > kLongest) return fail("marks one of {} elements, more than {}; use ArgMax", length, kLongest);
  const Attrs attrs = {{Attr::Axis, axis}, {Attr::KeepDims, std::int64_t{1}}, {Attr::SelectLast, std::int64_t{0}}};
  SD_ASSIGN(const Value found, emitter.openAnd(OpKind::ArgMax, x, attrs));
  std::vector<Value> marks;
  for (std::int64_t i = 0; i < length; ++i) {
    SD_ASSIGN(const Value same, comparedInTheClear(emitter, "Equal", found, Value::scalar(static_cast<float>(i))));
    marks.push_back(asNumbers(same));
  }
  SD_ASSIGN(const Value joined, emitter.concat(std::move(marks), axis));
  SD_ASSIGN(Value result, emitter.reshape(joined, node.input(0).shape()));
  node.setOutput(0, std::move(result));
  return {};
}

// The remainder has the divisor's sign, or with fmod the dividend's.
Expected<void> importMod(Node &node, Emitter &emitter) {
  SD_ASSIGN(const bool fmod, node.integer("fmod", 0));
  SD_ASSIGN(const auto operands, constantPair(node, emitter));
  const auto &[a, b] = operands;
  if (!a.isInteger()) {
    if (!fmod) return fail("needs fmod = 1 for floats");
    node.setOutput(0, combined<float>(*a.floats(), *b.floats(), [](float x, float y) { return std::fmod(x, y); }));
    return {};
  }
  if (std::ranges::find(b.ints()->data, 0) != b.ints()->data.end()) return fail("divides by zero");
  node.setOutput(0, combined<std::int64_t>(*a.ints(), *b.ints(), [fmod](std::int64_t x, std::int64_t y) {
                   if (y == -1) return std::int64_t{0}; // the least number has no quotient
                   const std::int64_t rest = x % y;
                   return !fmod && rest != 0 && (rest < 0) != (y < 0) ? rest + y : rest;
                 }));
  return {};
}

namespace {

template <class T>
Value chosen(const Tensor<std::int64_t> &condition, const Tensor<T> &yes, const Tensor<T> &no) {
  Tensor<T> out(condition.shape);
  for (std::size_t i = 0; i < out.data.size(); ++i)
    out.data[i] = condition.data[i] ? yes.data[i] : no.data[i];
  return Value::of(std::move(out));
}

// By a constant condition: the elements of a and b side by side, from which each is taken.
Expected<Value> picked(Emitter &emitter, const Value &condition, const Value &a, const Value &b) {
  const std::int64_t size = condition.size();
  if (size > kMaxSelected) return fail("is too large");
  SD_ASSIGN(const Value left, emitter.reshape(a, {size}));
  SD_ASSIGN(const Value right, emitter.reshape(b, {size}));
  SD_ASSIGN(const Value both, emitter.concat({left, right}, 0));
  std::vector<std::int64_t> indices;
  for (std::int64_t i = 0; i < size; ++i)
    indices.push_back(condition.ints()->data[static_cast<std::size_t>(i)] ? i : size + i);
  return gatherElements(emitter, both, std::move(indices), condition.shape());
}

// c a + (1 - c) b, by the hospital.
Expected<Value> chosenInTheClear(Emitter &emitter, const Value &condition, const Value &a, const Value &b) {
  SD_ASSIGN(const Value left, openedValue(emitter, a));
  SD_ASSIGN(const Value right, openedValue(emitter, b));
  const Value c = asNumbers(condition);
  SD_ASSIGN(const Value rest, complement(emitter, c));
  SD_ASSIGN(const Value yes, emitter.arithmetic(OpKind::Mul, c, left));
  SD_ASSIGN(const Value no, emitter.arithmetic(OpKind::Mul, rest, right));
  return emitter.arithmetic(OpKind::Add, yes, no);
}

} // namespace

Expected<void> importWhere(Node &node, Emitter &emitter) {
  SD_TRY(expectNothingQuantised(node));
  const Value &condition = node.input(0), &a = node.input(1), &b = node.input(2);
  if (!condition.isInteger() || a.isInteger() != b.isInteger())
    return fail("chooses by {} between {} and {}", describe(condition), describe(a), describe(b));
  if (!condition.isConstant()) {
    if (!condition.isOpened()) return fail("chooses by secret integers; {}", adviceFor(node.op()));
    SD_ASSIGN(Value result, chosenInTheClear(emitter, condition, asNumbers(a), asNumbers(b)));
    node.setOutput(0, a.isInteger() ? asTruths(result) : std::move(result));
    return {};
  }
  SD_ASSIGN(Shape shape, broadcastShapes(a.shape(), b.shape()));
  SD_ASSIGN(shape, broadcastShapes(shape, condition.shape()));
  SD_TRY(emitter.takeBudget(shape));
  SD_ASSIGN(const Value choose, emitter.broadcast(condition, shape));
  SD_ASSIGN(const Value yes, emitter.broadcast(a, shape));
  SD_ASSIGN(const Value no, emitter.broadcast(b, shape));
  if (!a.isConstant() || !b.isConstant()) {
    SD_ASSIGN(Value result, picked(emitter, choose, maskFor(no, yes).value_or(yes), maskFor(yes, no).value_or(no)));
    node.setOutput(0, std::move(result));
    return {};
  }
  node.setOutput(0, yes.isInteger() ? chosen(*choose.ints(), *yes.ints(), *no.ints())
                                    : chosen(*choose.ints(), *yes.floats(), *no.floats()));
  return {};
}

} // namespace sd
