// What each op means, in plain code: the oracle of the tests, the folder of constants, and the hospital's own clear
// ops.
#pragma once

#include <span>

#include "ir/core/OpRules.h"
#include "ir/core/Ring.h"

namespace sd {

// How a truncation rounds y / 2^t. Nearest: half up. Stochastic: as the protocol does, to floor or ceiling with the
// probability of the fraction, from a small generator of its own (for simulation; not for secrets).
struct Rounding {
  bool stochastic = false;
  std::uint64_t state = 0;

  static Rounding nearest() { return {}; }
  static Rounding seeded(std::uint64_t seed) { return {true, seed}; }
  SignedRing truncate(SignedRing y, int bits);
};

// The result of a nn op (not nn.input or nn.return) on floats; sums are accumulated in double. Error if the operands
// break the op's rule.
Expected<Tensor<float>> evaluateClear(OpKind kind, std::span<const Tensor<float> *const> operands, const Attrs &attrs);

// nn.relu, nn.sigmoid, nn.tanh, nn.erf, nn.elu, nn.softplus, nn.softsign of one number.
double evaluateScalar(OpKind kind, double x);

// The result of a share op (not share.constant, share.input, share.output) on residues mod 2^32; weights likewise.
// Truncations take their operand centred, in [-2^31, 2^31).
Expected<Tensor<Ring>> evaluateShare(OpKind kind, std::span<const Tensor<Ring> *const> operands, const Attrs &attrs,
                                     Rounding &rounding);

// share.input: the nearest integer to x 2^scale, half away from zero. Refuses NaN, infinity and |q| >= 2^30, naming the
// element.
Expected<Tensor<Ring>> quantize(const Tensor<float> &x, int scale);

// share.output: q / 2^scale, q centred.
Tensor<float> dequantize(const Tensor<Ring> &q, int scale);

Tensor<Ring> toRing(const Tensor<std::int32_t> &weights);

} // namespace sd
