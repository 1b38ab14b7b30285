// Runs a whole verified op list with the reference's meaning: a module, or a compiled program with its weights.
#pragma once

#include <map>
#include <string>
#include <variant>

#include "ir/core/Reference.h"

namespace sd {

// Weights as they are held: a program's are as wide as its ring, a module's as they need to be.
using WeightsView = std::variant<std::monostate, const Tensor<std::int32_t> *, const Tensor<std::int64_t> *>;

// What the interpreter needs of an op list; a module and a program both give one (ir/Run.h, ir/bytecode/ProgramView.h).
// It points into them.
struct OpView {
  OpKind kind;
  std::span<const std::uint32_t> operands; // indices into ProgramView::types, defined by earlier ops
  std::uint32_t result = 0;                // likewise; unused for nn.return
  const Attrs *attrs = nullptr;
  WeightsView weights; // of share.constant
  std::string_view source;
};
struct ProgramView {
  std::vector<OpView> ops;
  std::span<const Type> types;
  int ringBits = kBitsOf<Ring32>; // isRingBits()
};

struct InterpreterOptions {
  bool observe = false; // measure the values before truncations and comparisons
};

// The largest |y| that entered an op with a bound, against what the op promises: 2^k - 2^t; or an output, which takes
// what the ring does. Both as integers, though the ring's may have wrapped.
struct Observation {
  std::size_t op; // index into ProgramView::ops
  double largest, limit;
};

// A secure run within the program's bounds gives exactly these outputs.
struct RunResult {
  std::vector<std::string> names; // of the outputs, as nn.return has them
  std::vector<Tensor<float>> outputs;
  std::vector<Observation> observations;
};

class Interpreter {
public:
  // The view's targets must outlive the interpreter. Error if an op uses what no earlier op defines.
  static Expected<Interpreter> create(ProgramView program);

  // Inputs by name. Refuses a missing or unknown name, another shape, and values outside an input's declared range.
  Expected<RunResult> run(const std::map<std::string, Tensor<float>> &inputs,
                          const InterpreterOptions &options = {}) const;

private:
  // By op; empty for others than share.constant.
  template <RingWord R>
  using Weights = std::vector<Tensor<R>>;

  explicit Interpreter(ProgramView program) : program_(std::move(program)) {}
  template <RingWord R>
  Expected<RunResult> runIn(const Weights<R> &weights, const std::map<std::string, Tensor<float>> &inputs,
                            const InterpreterOptions &options) const;

  ProgramView program_;
  std::variant<Weights<Ring32>, Weights<Ring64>> weights_; // of the program's ring
  std::vector<std::size_t> lastUse_;                       // by value: the op after which it is dropped
};

} // namespace sd
