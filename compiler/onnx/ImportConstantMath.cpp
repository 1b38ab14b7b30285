// Functions that fixed point does not have, of constants alone.
#include "compiler/onnx/Handlers.h"

#include <algorithm>
#include <cmath>

#include "compiler/onnx/Fold.h"
#include "compiler/onnx/OpTable.h"

namespace sd {
namespace {

struct Function {
  std::string_view name;
  float (*apply)(float);
};
constexpr Function kFunctions[] = {
    {"Sqrt", [](float v) { return std::sqrt(v); }}, {"Reciprocal", [](float v) { return 1 / v; }},
    {"Exp", [](float v) { return std::exp(v); }},   {"Sin", [](float v) { return std::sin(v); }},
    {"Cos", [](float v) { return std::cos(v); }},   {"Floor", [](float v) { return std::floor(v); }},
    {"Ceil", [](float v) { return std::ceil(v); }},
};

Expected<void> expectConstants(const Node &node) {
  for (std::size_t i = 0; i < node.inputCount(); ++i)
    if (!node.input(i).isConstant()) return fail("is supported for constants only; {}", adviceFor(node.op()));
  return {};
}

} // namespace

Expected<void> importConstantFunction(Node &node, Emitter &emitter) {
  SD_TRY(expectConstants(node));
  const Value &x = node.input(0);
  if (x.isInteger()) return fail("needs floats but is given {}", describe(x));
  SD_TRY(emitter.takeBudget(x.shape()));
  for (const Function &function : kFunctions)
    if (function.name == node.op()) node.setOutput(0, fold::map(x, function.apply));
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

} // namespace

Expected<void> importComparison(Node &node, Emitter &emitter) {
  SD_ASSIGN(const auto operands, constantPair(node, emitter));
  const auto &[a, b] = operands;
  const auto &comparison = *std::ranges::find(kComparisons, node.op(), &Comparison::name);
  if (!a.isInteger() && !comparison.floats) return fail("needs truth values, not {}", describe(a));
  node.setOutput(0, a.isInteger() ? combined<std::int64_t>(*a.ints(), *b.ints(), comparison.integers)
                                  : combined<std::int64_t>(*a.floats(), *b.floats(), comparison.floats));
  return {};
}

Expected<void> importNot(Node &node, Emitter &emitter) {
  SD_TRY(expectConstants(node));
  if (!node.input(0).isInteger()) return fail("needs truth values, not {}", describe(node.input(0)));
  SD_TRY(emitter.takeBudget(node.input(0).shape()));
  Tensor<std::int64_t> out = *node.input(0).ints();
  for (std::int64_t &element : out.data)
    element = !element;
  node.setOutput(0, Value::of(std::move(out)));
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

} // namespace

Expected<void> importWhere(Node &node, Emitter &emitter) {
  SD_TRY(expectConstants(node));
  const Value &condition = node.input(0), &a = node.input(1), &b = node.input(2);
  if (!condition.isInteger() || a.isInteger() != b.isInteger())
    return fail("chooses by {} between {} and {}", describe(condition), describe(a), describe(b));
  SD_ASSIGN(Shape shape, broadcastShapes(a.shape(), b.shape()));
  SD_ASSIGN(shape, broadcastShapes(shape, condition.shape()));
  SD_TRY(emitter.takeBudget(shape));
  SD_ASSIGN(const Value choose, emitter.broadcast(condition, shape));
  SD_ASSIGN(const Value yes, emitter.broadcast(a, shape));
  SD_ASSIGN(const Value no, emitter.broadcast(b, shape));
  node.setOutput(0, yes.isInteger() ? chosen(*choose.ints(), *yes.ints(), *no.ints())
                                    : chosen(*choose.ints(), *yes.floats(), *no.floats()));
  return {};
}

} // namespace sd
