// Continuous piecewise linear functions of one number: arithmetic on them, and what nn.piecewise holds.
#pragma once

#include <utility>
#include <vector>

#include "ir/core/Attributes.h"

namespace sd {

// slopes[0] left of knots[0], slopes[i + 1] right of knots[i]; `offset` at knots[0], or at 0 if there is no knot.
struct PiecewiseLinear {
  std::vector<double> knots, slopes{1};
  double offset = 0;

  double operator()(double x) const;
  // Least and largest value over low <= x <= high.
  std::pair<double, double> range(double low, double high) const;

  static PiecewiseLinear of(const Attrs &attrs); // of nn.piecewise
  Attrs attrs() const;                           // likewise; it has a knot
};

PiecewiseLinear operator+(const PiecewiseLinear &a, const PiecewiseLinear &b);
PiecewiseLinear operator*(const PiecewiseLinear &f, double factor);
PiecewiseLinear operator+(const PiecewiseLinear &f, double addend);
PiecewiseLinear positivePart(const PiecewiseLinear &f); // max(f, 0)

// Where and how finely a function is evaluated.
struct PieceFormat {
  int scale = 10;
  int guard = 0;      // bits that the result keeps below the scale
  int boundBits = 30; // integers stay below 2^boundBits
};

// f in integers: y 2^(scale + slopeBits) = c + M[0] X + sum (M[i + 1] - M[i]) max(X - K[i], 0) for X = x 2^scale. K and
// M are rounded such that the values at the knots stay within a rounding of one slope, however many there are; the
// outer slopes are the nearest there are.
struct IntegerPieces {
  std::vector<std::int64_t> knots, slopes;
  std::int64_t constant = 0; // c
  int scale = 0, slopeBits = 0;

  PiecewiseLinear reals() const;
};
// Knots and slopes of this size and beyond are refused.
inline constexpr int kIntegerPieceBits = 30;
// Bits of slopes: as many as the scale has; a few more where f is constant on either side, so that results stay small,
// and where the values of f then stay below the bound; or where all slopes are small.
int slopeBitsOf(const PiecewiseLinear &f, const PieceFormat &format);
IntegerPieces rounded(const PiecewiseLinear &f, const PieceFormat &format);

} // namespace sd
