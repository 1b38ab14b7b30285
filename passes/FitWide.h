// Piecewise linear functions close to those that no line approaches, such as exp: over the numbers that fixed point
// holds.
#pragma once

#include "passes/FitPiecewise.h"

namespace sd {

// The error is |f(x) - fit(x)| <= error max(|f(x)|, 1), for all |x| < 2^(boundBits - 1 - scale) and `reach`, or
// 0 <= x of those with `nonNegative`, where |f(x)| < 2^(boundBits - 2 - scale) and 2^18. Where f is larger the fit goes
// on in a straight line, so that the analysis of ranges sees what may be reached; outside all that it is constant.
// Error if f has no value somewhere there, or would need more than maxKnots, or rounding leaves it too far off.
Expected<Fit> fitWide(const std::function<double(double)> &f, bool nonNegative, double reach, FitOptions options);

// For a factor of values that may be large where it is small: the error is at most error max(|f(x)|, 1/16), and the
// results have bits below the scale.
Expected<Fit> fitFactor(const std::function<double(double)> &f, bool nonNegative, FitOptions options);

} // namespace sd
