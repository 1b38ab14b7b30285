// How far the protocol's rounding may carry a value from the reference's, op by op; between the files of the reference.
#pragma once

#include "ir/core/Reference.h"

namespace sd::reference {

// Second moments of the deviation, in squared units of the value's integers; one for each element.
using Variance = Tensor<double>;

// A truncation's own: the protocol gives floor or ceiling with the probability of the fraction f, the reference the
// nearer one, so that E[d^2] = min(f, 1 - f) <= 1/2.
inline constexpr double kRoundingVariance = 0.5;

// Of the result of a share op. A weight's variance is an empty pointer; `values` are the operands' residues. Elements
// count as independent, which is exact for one layer and close for wide ones; ReLU and maximum are 1-Lipschitz.
Variance propagate(OpKind kind, std::span<const Tensor<Ring> *const> values, std::span<const Variance *const> variances,
                   const Attrs &attrs, const Shape &shape);

// share.output: 8 standard deviations and one unit, as reals.
Tensor<float> statedError(const Variance &variance, int scale);

// Bounds of the deviation behind share.output through a clear op, 0 for exact elements. `result` is the op's.
Tensor<float> carryError(OpKind kind, std::span<const Tensor<float> *const> values,
                         std::span<const Tensor<float> *const> errors, const Attrs &attrs, const Tensor<float> &result);

} // namespace sd::reference
