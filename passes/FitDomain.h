// Piecewise linear forms of functions that grow, or that only some numbers have: exp, 1 / x, sqrt, log, powers.
#pragma once

#include "passes/FitPiecewise.h"

namespace sd {

struct DomainFit {
  std::vector<PiecewiseLinear> parts; // their sum
  double error = 0;                   // times max(|f(x)|, kLeastWeight), on the domain

  std::size_t knots() const;
};
inline constexpr double kLeastWeight = 0x1p-4;

// What integers at twice the scale have room for is the limit of x and of f(x). For all x below it where f has values
// for negative ones too; else from 0, or from the least x with |f(x)| of half the limit. Where f is beyond the limit or
// does not exist, the fit is beyond it, for the analysis of ranges to see. The error is as large as the scale leaves
// it.
Expected<DomainFit> fitOnDomain(const std::function<double(double)> &f, const FitOptions &options);

} // namespace sd
