// Piecewise linear functions close to smooth ones, with as few knots as it takes.
#pragma once

#include <functional>

#include "ir/core/Error.h"
#include "passes/PiecewiseLinear.h"

namespace sd {

struct FitOptions {
  double error = 0x1p-8; // wanted: |f(x) - fit(x)| <= error for all real x
  int boundBits = 30;    // integers stay below 2^boundBits
  int scale = 10;        // knots are multiples of 2^-scale, slopes of 2^-slopeBitsOf
  int guard = 0;         // bits that results keep below the scale
  std::size_t maxKnots = 256;
  std::function<double(double)> weight = {}; // positive; |f(x) - fit(x)| <= error weight(x) is wanted; 1 if none
};

struct Fit {
  PiecewiseLinear function;
  // Measured on a dense grid from -2^30 to 2^30, but for slopeError |x| on the outer pieces; in units of the weight.
  double error = 0;
  // How far the outer slopes are from f's; 0 if those can be written.
  double slopeError = 0;
  int guard = 0;    // of the options
  double reach = 0; // fitWide(): the largest |x| at which f is followed; 0: no limit
};

// For a continuous f that is nearly linear for large |x| on either side (constant, for instance), smooth but for bends:
// a shortest path of segments inside the tube f +- error, between the lines that f approaches (Imai and Iri, 1986, on a
// grid that is finer where f bends), then the least tube that still takes so few. Coarse scales may leave an error
// larger than wanted. Error if f has no such lines, or would need more than maxKnots.
Expected<Fit> fitPiecewise(const std::function<double(double)> &f, const FitOptions &options);

} // namespace sd
