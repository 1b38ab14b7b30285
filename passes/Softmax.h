// Softmax on shares: exp(x - max x) as a piecewise linear function e, and e / sum e by another one for the reciprocal.
#pragma once

#include "ir/Module.h"
#include "passes/FitPiecewise.h"

namespace sd {

struct SoftmaxFit {
  PiecewiseLinear exponential;              // exp(min(x, 0)); exactly 0 far left
  std::vector<PiecewiseLinear> reciprocals; // their sum is 1 / x from 15/16 to 17/16 n
  int guard = 0;                            // bits that all keep below the scale
  double error = 0;                         // the largest of a probability, whatever the n scores

  std::size_t knots() const;
};

// Of n >= 2 scores, off by about `options.error` at most, which the result's `error` says; refused if it would be
// several times that.
Expected<SoftmaxFit> fitSoftmax(std::int64_t n, const FitOptions &options);

// Softmax of x along an axis, of `fit`'s n scores, in nn ops.
ValueId appendSoftmax(Builder &builder, ValueId x, std::int64_t axis, const SoftmaxFit &fit, const std::string &source);

} // namespace sd
