#include "ir/core/Interpreter.h"

#include <algorithm>
#include <cmath>
#include <memory>

#include "ir/core/ReferenceError.h"
#include "ir/core/ReferenceLinear.h"

namespace sd {

namespace {

using namespace reference;

constexpr double kRingHalf = 2147483648.0;          // integers of this size and beyond wrap
constexpr double kExactDouble = 9007199254740992.0; // integers below 2^53 are exact in double

struct Value {
  std::shared_ptr<const Tensor<float>> clear;
  std::shared_ptr<const Tensor<Ring>> ring; // shares and weights
  // With RunOptions::observe: the largest integer that this value would have been, were it not mod 2^32, if it wrapped.
  double wrapped = 0;
  std::shared_ptr<const Tensor<float>> error; // with RunOptions::errors: of clear values
};

template <class T>
std::shared_ptr<const T> owned(T value) {
  return std::make_shared<const T>(std::move(value));
}
template <class T>
std::shared_ptr<const T> borrowed(const T &value) {
  return {std::shared_ptr<void>(), &value};
}

double real(Ring value) { return static_cast<SignedRing>(value); }

double largestOf(const Tensor<Ring> &values) {
  double largest = 0;
  for (auto v : values.data)
    largest = std::max(largest, std::abs(real(v)));
  return largest;
}

Expected<Tensor<float>> takeInput(const OpView &op, const Shape &shape,
                                  const std::map<std::string, Tensor<float>> &inputs) {
  const std::string &name = op.attrs->str(Attr::Name);
  auto it = inputs.find(name);
  if (it == inputs.end()) return fail("input '{}' is missing", name);
  const Tensor<float> &x = it->second;
  if (x.shape != shape) return fail("input '{}' is {}, not {}", name, toString(x.shape), toString(shape));
  if (op.attrs->has(Attr::Low)) {
    const double low = op.attrs->f(Attr::Low), high = op.attrs->f(Attr::High);
    for (std::int64_t i = 0; i < x.size(); ++i)
      if (!(x.data[i] >= low && x.data[i] <= high))
        return fail("input '{}': element {} is {}, outside the declared range {} to {}", name, i, x.data[i], low, high);
  }
  return x;
}

// One run: the values so far.
class Run {
public:
  Run(const ProgramView &program, const std::vector<Tensor<Ring>> &weights, const RunOptions &options)
      : program_(program), weights_(weights), options_(options), rounding_(options.rounding),
        values_(program.types.size()) {}

  Expected<void> step(std::size_t index, const std::map<std::string, Tensor<float>> &inputs);
  void drop(std::uint32_t value) {
    if (!options_.errors || !values_[value].ring) values_[value] = {}; // the error statement looks back at shares
  }
  RunResult take() { return std::move(result_); }

private:
  const Value &operand(const OpView &op, std::size_t i) const { return values_[op.operands[i]]; }

  template <class T>
  std::vector<const T *> all(const OpView &op, std::shared_ptr<const T> Value::*member) const {
    std::vector<const T *> pointers;
    for (auto id : op.operands)
      pointers.push_back((values_[id].*member).get());
    return pointers;
  }

  Trace trace() const {
    Trace trace{program_, {}};
    for (auto &value : values_)
      trace.values.push_back(value.ring.get());
    return trace;
  }

  Expected<Value> clearOp(const OpView &op);
  Expected<Value> shareOp(std::size_t index, const OpView &op);
  Expected<Value> linearExactly(const OpView &op);
  void observe(std::size_t index, const OpView &op);
  void returnOp(const OpView &op);

  const ProgramView &program_;
  const std::vector<Tensor<Ring>> &weights_;
  const RunOptions &options_;
  Rounding rounding_;
  std::vector<Value> values_;
  RunResult result_;
};

Expected<Value> Run::clearOp(const OpView &op) {
  Value value;
  auto operands = all(op, &Value::clear);
  if (op.kind == OpKind::Constant)
    value.clear = borrowed(op.attrs->floats(Attr::Value));
  else {
    SD_ASSIGN(auto result, evaluateClear(op.kind, operands, *op.attrs));
    value.clear = owned(std::move(result));
  }
  if (!options_.errors) return value;
  auto errors = all(op, &Value::error);
  auto exact = [](auto *error) { return std::ranges::all_of(error->data, [](float e) { return e == 0; }); };
  value.error =
      owned(std::ranges::all_of(errors, exact) ? Tensor<float>(value.clear->shape)
                                               : carryError(op.kind, operands, errors, *op.attrs, *value.clear));
  return value;
}

// Integers as they would be without the ring, to see whether they fit.
Expected<Value> Run::linearExactly(const OpView &op) {
  std::vector<Tensor<double>> wide;
  for (auto *each : all(op, &Value::ring))
    wide.push_back(map<double>(*each, real));
  std::vector<const Tensor<double> *> pointers;
  for (auto &each : wide)
    pointers.push_back(&each);
  const auto sums = evaluateLinear<double>(op.kind, pointers, *op.attrs, program_.types[op.result].shape);
  Value value;
  double largest = 0;
  for (auto v : sums.data)
    largest = std::max(largest, std::abs(v));
  if (largest < kExactDouble)
    value.ring = owned(map<Ring>(sums, [](double v) { return static_cast<Ring>(static_cast<std::int64_t>(v)); }));
  if (largest >= kRingHalf) value.wrapped = largest;
  return value;
}

void Run::observe(std::size_t index, const OpView &op) {
  const Tensor<Ring> &x = *operand(op, 0).ring;
  const double bound = std::ldexp(1.0, static_cast<int>(op.attrs->i(Attr::Bound)));
  Observation seen{index, largestOf(x), bound - std::ldexp(1.0, static_cast<int>(op.attrs->i(Attr::Bits, 0)))};
  if (op.kind == OpKind::ShareMax) {
    const Tensor<Ring> &y = *operand(op, 1).ring;
    seen.largest = 0;
    for (std::size_t i = 0; i < x.data.size(); ++i)
      seen.largest = std::max(seen.largest, std::abs(real(x.data[i]) - real(y.data[i])));
  }
  for (auto id : op.operands)
    seen.largest = std::max(seen.largest, values_[id].wrapped);
  result_.observations.push_back(seen);
}

Expected<Value> Run::shareOp(std::size_t index, const OpView &op) {
  Value value;
  const Type &type = program_.types[op.result];
  switch (op.kind) {
  case OpKind::ShareConstant:
    value.ring = borrowed(weights_[index]);
    return value;
  case OpKind::ShareInput: {
    SD_ASSIGN(auto quantized, quantize(*operand(op, 0).clear, type.scale));
    value.ring = owned(std::move(quantized));
    return value;
  }
  case OpKind::ShareOutput: {
    const int scale = program_.types[op.operands[0]].scale;
    value.clear = owned(dequantize(*operand(op, 0).ring, scale));
    if (options_.errors) value.error = owned(statedErrors(trace(), index));
    return value;
  }
  default:
    break;
  }
  const bool bounded = op.attrs->has(Attr::Bound);
  if (options_.observe && bounded) observe(index, op);
  if (options_.observe && isLinear(op.kind)) {
    SD_ASSIGN(value, linearExactly(op));
  }
  auto operands = all(op, &Value::ring);
  if (!value.ring) {
    SD_ASSIGN(auto result, evaluateShare(op.kind, operands, *op.attrs, rounding_));
    value.ring = owned(std::move(result));
  }
  if (!bounded) // what wrapped before a bounded op has been reported there
    for (auto id : op.operands)
      value.wrapped = std::max(value.wrapped, values_[id].wrapped);
  return value;
}

void Run::returnOp(const OpView &op) {
  result_.names = op.attrs->strings(Attr::Names);
  for (auto id : op.operands) {
    result_.outputs.push_back(*values_[id].clear);
    if (options_.errors) result_.errors.push_back(*values_[id].error);
  }
}

Expected<void> Run::step(std::size_t index, const std::map<std::string, Tensor<float>> &inputs) {
  const OpView &op = program_.ops[index];
  if (op.kind == OpKind::Return) {
    returnOp(op);
    return {};
  }
  if (op.kind == OpKind::Input) {
    Value value;
    SD_ASSIGN(auto input, takeInput(op, program_.types[op.result].shape, inputs));
    if (options_.errors) value.error = owned(Tensor<float>(input.shape));
    value.clear = owned(std::move(input));
    values_[op.result] = std::move(value);
    return {};
  }
  auto value = info(op.kind).level == Level::Nn ? clearOp(op) : shareOp(index, op);
  if (!value) {
    if (op.source.empty()) return tl::unexpected(std::move(value).error());
    return fail("{}: {}", op.source, value.error().message);
  }
  values_[op.result] = *std::move(value);
  return {};
}

Expected<void> checkOp(const ProgramView &program, const OpView &op, std::vector<bool> &defined) {
  std::vector<Type> operands;
  for (auto id : op.operands) {
    if (id >= defined.size() || !defined[id])
      return fail("{} uses a value before its definition", info(op.kind).mnemonic);
    operands.push_back(program.types[id]);
  }
  if (!info(op.kind).hasResult()) {
    SD_TRY(resultType(op.kind, operands, *op.attrs));
    return {};
  }
  if (op.result >= defined.size() || defined[op.result])
    return fail("{} defines a value twice, or one without a type", info(op.kind).mnemonic);
  defined[op.result] = true;
  SD_TRY(resultType(op.kind, operands, *op.attrs, &program.types[op.result]));
  if (op.kind == OpKind::ShareConstant && (!op.weights || op.weights->shape != program.types[op.result].shape))
    return fail("the weights of a share.constant are missing or of another shape");
  return {};
}

} // namespace

Expected<Interpreter> Interpreter::create(ProgramView program) {
  std::vector<bool> defined(program.types.size());
  for (auto &op : program.ops)
    SD_TRY(checkOp(program, op, defined));
  Interpreter interpreter(std::move(program));
  interpreter.weights_.resize(interpreter.program_.ops.size());
  interpreter.lastUse_.resize(defined.size());
  for (std::size_t i = 0; i < interpreter.program_.ops.size(); ++i) {
    const OpView &op = interpreter.program_.ops[i];
    if (op.weights) interpreter.weights_[i] = toRing(*op.weights);
    for (auto id : op.operands)
      interpreter.lastUse_[id] = i;
  }
  return interpreter;
}

Expected<RunResult> Interpreter::run(const std::map<std::string, Tensor<float>> &inputs,
                                     const RunOptions &options) const {
  for (auto &[name, tensor] : inputs)
    if (std::ranges::none_of(program_.ops, [&, &wanted = name](auto &op) {
          return op.kind == OpKind::Input && op.attrs->str(Attr::Name) == wanted;
        }))
      return fail("the program has no input '{}'", name);
  Run run(program_, weights_, options);
  for (std::size_t i = 0; i < program_.ops.size(); ++i) {
    SD_TRY(run.step(i, inputs));
    for (auto id : program_.ops[i].operands)
      if (lastUse_[id] == i) run.drop(id);
  }
  return run.take();
}

} // namespace sd
