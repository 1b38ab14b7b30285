// How far the protocol's random rounding may carry an output from the reference's; between the files of the reference.
#pragma once

#include "ir/core/Interpreter.h"

namespace sd::reference {

// A run so far: the program and the residues of its shares and weights, by value; null where there are none.
template <RingWord R>
struct Trace {
  const ProgramView &program;
  std::vector<const Tensor<R> *> values;
};

// For each element of the share.output `op`: 8 standard deviations of all truncations' errors before it, and one unit,
// as reals. The deviation is first order and exact in it: the sum over every truncated element of its squared
// derivative (the chain rule, backwards from the output) times the truncation's own second moment. Interval or
// per-layer variances would not do: errors of one layer's outputs are correlated.
template <RingWord R>
Tensor<float> statedErrors(const Trace<R> &trace, std::size_t op);

// Adds to each operand's gradient what the result's gradient `g` brings it. Gradients are by value; empty: zero.
// Truncations divide by 2^t. Weights have none.
template <RingWord R>
void pullBack(const Trace<R> &trace, const OpView &op, const Tensor<float> &g, std::vector<Tensor<float>> &gradients);

// Zeroes the gradient of a share.relu's elements that are surely negative: `y` is its operand.
template <RingWord R>
void maskRelu(const Trace<R> &trace, const OpView &op, Tensor<float> &g);

// Bounds of the deviation behind share.output through a clear op, 0 for exact elements. `result` is the op's.
Tensor<float> carryError(OpKind kind, std::span<const Tensor<float> *const> values,
                         std::span<const Tensor<float> *const> errors, const Attrs &attrs, const Tensor<float> &result);

} // namespace sd::reference
