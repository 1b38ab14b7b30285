// Arithmetic on the constants of nn.conv and nn.matmul, in doubles until the last rounding.
#pragma once

#include <span>

#include "passes/Rewrite.h"

namespace sd {

inline bool isLinear(OpKind kind) { return kind == OpKind::Conv || kind == OpKind::MatMul; }

// Elements of a layer's operand or result. Larger layers are refused later; their geometry is not worth its memory.
inline constexpr std::int64_t kMostPackedElements = std::int64_t{1} << 27;

// A conv or matmul whose weights, and bias if any, are constants, and whose first operand is not.
bool hasConstantWeights(const Graph &graph, const Op &op);

// The axis of the result, or of x, that the weights' outputs, or inputs, run along.
std::size_t outputAxis(const Op &linear, const Shape &result);
std::size_t inputAxis(const Op &linear, const Shape &x);

// W with output m, or input k, multiplied by factors[m], or factors[k]. `group` of a convolution is honoured.
Tensor<float> scaleOutputs(const Op &linear, const Tensor<float> &weights, std::span<const double> factors);
Tensor<float> scaleInputs(const Op &linear, const Tensor<float> &weights, std::span<const double> factors);

// A linear op of its own: constants of `op`, ready to be changed and emitted.
struct LinearParts {
  const Op *op = nullptr;
  Tensor<float> weights;
  std::vector<double> bias; // [M], zeros if there is none
};
LinearParts partsOf(const Graph &graph, const Op &linear);
std::vector<double> biasOf(const Graph &graph, const Op &linear); // LinearParts::bias

// Appends the op with the changed constants, on the already rewritten `x`.
ValueId emit(Rewriter &rewriter, LinearParts parts, ValueId x);

// x -> factor x + summand, from nn.add, nn.sub, nn.mul, nn.div (by) or of (sub only) one constant; the result has x's
// shape. Tensors of one element, or of any shape that broadcasts to x's.
struct Affine {
  ValueId x = kNoValue;
  Tensor<float> factor{Shape{}, {1.0f}}, summand{Shape{}, {0.0f}};
  bool scales = false, adds = false; // whether factor, summand differ from 1, 0
};
std::optional<Affine> affineOf(const Graph &graph, const Op &op);

// If `linear` takes an affine image of a value, by ops among `folds` (by op), one after the other: appends the linear
// op on that value itself, with changed weights and bias (and behind it, where zero padding makes the bias depend on
// the position, a sum with a constant), maps its result and returns true. Exact in the reals. False, and nothing
// appended, if it can't.
Expected<bool> foldAffineInto(const Graph &graph, Rewriter &rewriter, const Op &linear, const std::vector<bool> &folds);

} // namespace sd
