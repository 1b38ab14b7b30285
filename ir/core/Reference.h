// What each op means, in plain code: the oracle of the tests, the folder of constants, and the hospital's own clear
// ops.
#pragma once

#include <span>

#include "ir/core/OpRules.h"
#include "ir/core/Ring.h"

namespace sd {

// floor((y + 2^(bits - 1)) / 2^bits) of a residue of either ring, centred: y / 2^bits to the nearest integer, half up.
// What the protocol gives, bit for bit. bits = 0: y.
template <std::signed_integral Centred>
constexpr Centred truncate(Centred y, int bits) {
  return bits == 0 ? y : static_cast<Centred>((y >> bits) + (y >> (bits - 1) & 1));
}

// The result of a nn op (not nn.input or nn.return) on floats; sums are accumulated in double. Error if the operands
// break the op's rule.
Expected<Tensor<float>> evaluateClear(OpKind kind, std::span<const Tensor<float> *const> operands, const Attrs &attrs);

// nn.relu, nn.sigmoid, nn.tanh, nn.erf, nn.elu, nn.softplus, nn.softsign of one number.
double evaluateScalar(OpKind kind, double x);

// The result of a share op (not share.constant, share.input, share.output) on residues of R; weights likewise.
// Truncations take their operand centred.
template <RingWord R>
Expected<Tensor<R>> evaluateShare(OpKind kind, std::span<const Tensor<R> *const> operands, const Attrs &attrs);

// share.input: the nearest integer to x 2^scale, half away from zero. Refuses NaN, infinity and |q| >= 2^bound, naming
// the element; bound is the instruction's own, or what every value obeys.
template <RingWord R>
Expected<Tensor<R>> quantize(const Tensor<float> &x, int scale, int bound = kBoundBitsOf<R>);

// share.output: q / 2^scale, q centred.
template <RingWord R>
Tensor<float> dequantize(const Tensor<R> &q, int scale);

// Weights as residues.
template <RingWord R, std::signed_integral Integer>
Tensor<R> toRing(const Tensor<Integer> &weights) {
  return {weights.shape, {weights.data.begin(), weights.data.end()}};
}

} // namespace sd
