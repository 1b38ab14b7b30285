// 1 / sqrt(T + offset) of integers T >= 0 over all the octaves that the ring has, small relative to itself: what
// normalisations divide by.
#pragma once

#include <cstdint>
#include <vector>

namespace sd {

// Of max(T - low, 0) up to high - low, in units of 2^bits, rounded: constant + slopes[0] X + sum of
// (slopes[i + 1] - slopes[i]) max(X - knots[i], 0). It is 0 from `high` on, which the last band does not have (0).
struct InverseRootBand {
  std::int64_t low = 0, high = 0;
  int bits = 0;
  std::vector<std::int64_t> knots, slopes;
  std::int64_t constant = 0;
  int slopeBits = 0; // the band's value is that sum / 2^slopeBits, rounded

  std::int64_t operator()(std::int64_t t) const;
};

struct InverseRoot {
  std::vector<InverseRootBand> bands; // their sum, plus `rest`, is 2^scale / sqrt(T + offset) times `factor`
  std::int64_t rest = 0;
  double error = 0;       // the largest relative to the value, for T from `least` on
  std::int64_t least = 0; // below, T itself is too coarse

  std::int64_t operator()(std::int64_t t) const;
  std::size_t knots() const; // comparisons
};

struct InverseRootOptions {
  double offset = 0;  // in units of T, not negative
  double factor = 1;  // of the result
  int scale = 14;     // of the result
  int boundBits = 30; // integers stay below 2^boundBits, T among them
  double error = 0x1p-9;
};

// Largest result that is possible: of T = 0, or of T = 1 if the offset is less.
double largestInverseRoot(const InverseRootOptions &options);

// Knots in geometric order, so many that chords are within the error; bands of six octaves each. The result of
// largestInverseRoot() must be below 2^(boundBits - 2).
InverseRoot fitInverseRoot(const InverseRootOptions &options);

} // namespace sd
