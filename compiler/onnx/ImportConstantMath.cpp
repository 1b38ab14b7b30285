// Functions that fixed point does not have, of constants alone.
#include "compiler/onnx/Handlers.h"

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
    {"Exp", [](float v) { return std::exp(v); }},   {"Floor", [](float v) { return std::floor(v); }},
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

Expected<void> importEqual(Node &node, Emitter &emitter) {
  SD_TRY(expectConstants(node));
  const Value &a = node.input(0), &b = node.input(1);
  if (!a.isInteger() || !b.isInteger()) return fail("is supported for integers only");
  SD_ASSIGN(const Value difference, emitter.arithmetic(OpKind::Sub, a, b));
  Tensor<std::int64_t> equal = *difference.ints();
  for (std::int64_t &element : equal.data)
    element = element == 0;
  node.setOutput(0, Value::of(std::move(equal)));
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
  SD_ASSIGN(const Value choose, emitter.broadcast(condition, shape));
  SD_ASSIGN(const Value yes, emitter.broadcast(a, shape));
  SD_ASSIGN(const Value no, emitter.broadcast(b, shape));
  node.setOutput(0, yes.isInteger() ? chosen(*choose.ints(), *yes.ints(), *no.ints())
                                    : chosen(*choose.ints(), *yes.floats(), *no.floats()));
  return {};
}

} // namespace sd
