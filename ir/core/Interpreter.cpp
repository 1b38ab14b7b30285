#include "ir/core/Interpreter.h"

#include <algorithm>
#include <cmath>
#include <memory>

#include "ir/core/OpFamilies.h"
#include "ir/core/ReferenceLinear.h"

namespace sd {

namespace {

using namespace reference;

template <RingWord R>
constexpr double kHalfOf = static_cast<double>(R{1} << (kBitsOf<R> - 1)); // integers of this size and beyond wrap
constexpr double kExactDouble = 9007199254740992.0;                       // integers below 2^53 are exact in double

template <RingWord R>
struct Value {
  std::shared_ptr<const Tensor<float>> clear;
  std::shared_ptr<const Tensor<R>> ring; // shares and weights
  // With InterpreterOptions::observe: what this value would have been outside the ring, if it wrapped.
  std::shared_ptr<const Tensor<double>> wide;
};

template <class T>
std::shared_ptr<const T> owned(T value) {
  return std::make_shared<const T>(std::move(value));
}
template <class T>
std::shared_ptr<const T> borrowed(const T &value) {
  return {std::shared_ptr<void>(), &value};
}

template <RingWord R>
double real(R value) {
  return static_cast<double>(static_cast<SignedOf<R>>(value));
}

double largestOf(const Tensor<double> &values) {
  double largest = 0;
  for (const double v : values.data)
    largest = std::max(largest, std::abs(v));
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
    // Rounded as the numbers of a record are: 0.1 is within 0 to 0.1.
    const auto low = static_cast<float>(op.attrs->f(Attr::Low)), high = static_cast<float>(op.attrs->f(Attr::High));
    for (std::int64_t i = 0; i < x.size(); ++i)
      if (!(x.data[i] >= low && x.data[i] <= high))
        return fail("input '{}': element {} is {}, outside the declared range {} to {}", name, i, x.data[i], low, high);
  }
  return x;
}

// One run: the values so far.
template <RingWord R>
class Run {
public:
  Run(const ProgramView &program, const std::vector<Tensor<R>> &weights, const InterpreterOptions &options)
      : program_(program), weights_(weights), options_(options), values_(program.types.size()) {}

  Expected<void> step(std::size_t index, const std::map<std::string, Tensor<float>> &inputs);
  void drop(std::uint32_t value) { values_[value] = {}; }
  RunResult take() { return std::move(result_); }

private:
  const Value<R> &operand(const OpView &op, std::size_t i) const { return values_[op.operands[i]]; }

  template <class T>
  std::vector<const T *> all(const OpView &op, std::shared_ptr<const T> Value<R>::*member) const {
    std::vector<const T *> pointers;
    for (auto id : op.operands)
      pointers.push_back((values_[id].*member).get());
    return pointers;
  }

  Expected<Value<R>> clearOp(const OpView &op);
  Expected<Value<R>> shareOp(std::size_t index, const OpView &op);
  std::vector<Tensor<double>> integers(const OpView &op) const;
  Value<R> integersExactly(const OpView &op);
  void observe(std::size_t index, const OpView &op);
  void returnOp(const OpView &op);

  const ProgramView &program_;
  const std::vector<Tensor<R>> &weights_;
  const InterpreterOptions &options_;
  std::vector<Value<R>> values_;
  RunResult result_;
};

template <RingWord R>
Expected<Value<R>> Run<R>::clearOp(const OpView &op) {
  Value<R> value;
  auto operands = all(op, &Value<R>::clear);
  if (op.kind == OpKind::Constant)
    value.clear = borrowed(op.attrs->floats(Attr::Value));
  else {
    SD_ASSIGN(auto result, evaluateClear(op.kind, operands, *op.attrs));
    value.clear = owned(std::move(result));
  }
  return value;
}

// The operands as they would be without the ring.
template <RingWord R>
std::vector<Tensor<double>> Run<R>::integers(const OpView &op) const {
  std::vector<Tensor<double>> wide;
  for (auto id : op.operands)
    wide.push_back(values_[id].wide ? *values_[id].wide : map<double>(*values_[id].ring, real<R>));
  return wide;
}

// The result without the ring, to see whether it fits; as residues too where doubles hold them exactly.
template <RingWord R>
Value<R> Run<R>::integersExactly(const OpView &op) {
  const std::vector<Tensor<double>> wide = integers(op);
  std::vector<const Tensor<double> *> pointers;
  for (auto &each : wide)
    pointers.push_back(&each);
  const Shape &shape = program_.types[op.result].shape;
  auto result = evaluateLinear<double>(op.kind, pointers, *op.attrs, shape);
  Value<R> value;
  const double largest = largestOf(result);
  if (kBitsOf<R> == 32 && largest < kExactDouble)
    value.ring = owned(map<R>(result, [](double v) { return static_cast<R>(static_cast<std::int64_t>(v)); }));
  if (largest >= kHalfOf<R>) value.wide = owned(std::move(result));
  return value;
}

template <RingWord R>
void Run<R>::observe(std::size_t index, const OpView &op) {
  std::vector<Tensor<double>> in = integers(op);
  double largest = 0;
  if (op.kind == OpKind::ShareMax) {
    std::ranges::transform(in[0].data, in[1].data, in[0].data.begin(), std::minus<>());
    for (auto id : op.operands) // the maximum of what wrapped is wrong, though the difference may fit
      if (values_[id].wide) largest = std::max(largest, largestOf(*values_[id].wide));
  }
  const double limit = op.kind == OpKind::ShareOutput
                           ? kHalfOf<R> - 1
                           : std::ldexp(1.0, static_cast<int>(op.attrs->i(Attr::Bound))) -
                                 std::ldexp(1.0, static_cast<int>(op.attrs->i(Attr::Bits, 0)));
  result_.observations.push_back({index, std::max(largest, largestOf(in[0])), limit});
}

template <RingWord R>
Expected<Value<R>> Run<R>::shareOp(std::size_t index, const OpView &op) {
  Value<R> value;
  const Type &type = program_.types[op.result];
  bool exact = false; // in integers of any size
  switch (op.kind) {
  case OpKind::ShareConstant:
    value.ring = borrowed(weights_[index]);
    return value;
  case OpKind::ShareInput: {
    SD_ASSIGN(auto quantized, quantize<R>(*operand(op, 0).clear, type.scale,
                                          static_cast<int>(op.attrs->i(Attr::Bound, kBoundBitsOf<R>))));
    value.ring = owned(std::move(quantized));
    return value;
  }
  case OpKind::ShareOutput: {
    if (options_.observe) observe(index, op);
    const int scale = program_.types[op.operands[0]].scale;
    value.clear = owned(dequantize<R>(*operand(op, 0).ring, scale));
    return value;
  }
  case SD_SHARE_PACKED:
  case OpKind::ShareAddW:
  case SD_SHARE_SUMS:
  case SD_SHARE_CONSTANTS:
  case SD_SHARE_PRODUCTS:
  case SD_SHARE_LAYOUT:
    exact = true;
    break;
  case SD_SHARE_COMPARISONS:
#include "ir/core/NnCases.def"
    break;
  }
  if (options_.observe && op.attrs->has(Attr::Bound)) observe(index, op);
  if (options_.observe && exact) value = integersExactly(op);
  auto operands = all(op, &Value<R>::ring);
  if (!value.ring) {
    SD_ASSIGN(auto result, evaluateShare<R>(op.kind, operands, *op.attrs));
    value.ring = owned(std::move(result));
  }
  return value;
}

template <RingWord R>
void Run<R>::returnOp(const OpView &op) {
  result_.names = op.attrs->strings(Attr::Names);
  for (auto id : op.operands)
    result_.outputs.push_back(*values_[id].clear);
}

template <RingWord R>
Expected<void> Run<R>::step(std::size_t index, const std::map<std::string, Tensor<float>> &inputs) {
  const OpView &op = program_.ops[index];
  if (op.kind == OpKind::Return) {
    returnOp(op);
    return {};
  }
  if (op.kind == OpKind::Input) {
    Value<R> value;
    SD_ASSIGN(auto input, takeInput(op, program_.types[op.result].shape, inputs));
    value.clear = owned(std::move(input));
    values_[op.result] = std::move(value);
    return {};
  }
  auto value = info(op.kind).level == Level::Nn ? clearOp(op) : shareOp(index, op);
  if (!value) {
    if (op.source.empty()) return tl::unexpected(std::move(value).error());
    return failAs(value.error(), "{}: {}", op.source, value.error().message);
  }
  values_[op.result] = *std::move(value);
  return {};
}

bool hasShape(const WeightsView &weights, const Shape &shape) {
  return std::visit(
      [&]<class Held>(const Held &held) {
        if constexpr (std::is_pointer_v<Held>)
          return held && held->shape == shape;
        else
          return false;
      },
      weights);
}

Expected<void> checkOp(const ProgramView &program, const OpView &op, std::vector<bool> &defined) {
  std::vector<Type> operands;
  for (auto id : op.operands) {
    if (id >= defined.size() || !defined[id])
      return fail("{} uses a value before its definition", info(op.kind).mnemonic);
    operands.push_back(program.types[id]);
  }
  if (!info(op.kind).hasResult()) {
    SD_TRY(resultType(op.kind, operands, *op.attrs, nullptr, program.ringBits));
    return {};
  }
  if (op.result >= defined.size() || defined[op.result])
    return fail("{} defines a value twice, or one without a type", info(op.kind).mnemonic);
  defined[op.result] = true;
  SD_TRY(resultType(op.kind, operands, *op.attrs, &program.types[op.result], program.ringBits));
  if (op.kind == OpKind::ShareConstant && !hasShape(op.weights, program.types[op.result].shape))
    return fail("the weights of a share.constant are missing or of another shape");
  return {};
}

} // namespace

Expected<Interpreter> Interpreter::create(ProgramView program) {
  assert(isRingBits(program.ringBits));
  std::vector<bool> defined(program.types.size());
  for (auto &op : program.ops)
    SD_TRY(checkOp(program, op, defined));
  Interpreter interpreter(std::move(program));
  interpreter.lastUse_.resize(defined.size());
  const auto &ops = interpreter.program_.ops;
  for (std::size_t i = 0; i < ops.size(); ++i)
    for (auto id : ops[i].operands)
      interpreter.lastUse_[id] = i;
  withRing(interpreter.program_.ringBits, [&]<RingWord R>() {
    Weights<R> weights(ops.size());
    for (std::size_t i = 0; i < ops.size(); ++i)
      std::visit(
          [&]<class Held>(const Held &held) {
            if constexpr (std::is_pointer_v<Held>) weights[i] = toRing<R>(*held);
          },
          ops[i].weights);
    interpreter.weights_ = std::move(weights);
  });
  return interpreter;
}

Expected<RunResult> Interpreter::run(const std::map<std::string, Tensor<float>> &inputs,
                                     const InterpreterOptions &options) const {
  for (auto &[name, tensor] : inputs)
    if (std::ranges::none_of(program_.ops, [&, &wanted = name](auto &op) {
          return op.kind == OpKind::Input && op.attrs->str(Attr::Name) == wanted;
        }))
      return fail("the program has no input '{}'", name);
  return std::visit([&]<class R>(const std::vector<Tensor<R>> &weights) { return runIn<R>(weights, inputs, options); },
                    weights_);
}

template <RingWord R>
Expected<RunResult> Interpreter::runIn(const Weights<R> &weights, const std::map<std::string, Tensor<float>> &inputs,
                                       const InterpreterOptions &options) const {
  Run<R> run(program_, weights, options);
  for (std::size_t i = 0; i < program_.ops.size(); ++i) {
    SD_TRY(run.step(i, inputs));
    for (auto id : program_.ops[i].operands)
      if (lastUse_[id] == i) run.drop(id);
  }
  return run.take();
}

} // namespace sd
