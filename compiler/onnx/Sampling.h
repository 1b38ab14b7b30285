// Weighted sums of a few elements of an image at constant places.
#pragma once

#include <span>

#include "compiler/onnx/Emitter.h"

namespace sd {

double cubicWeight(double distance, double a = -0.75); // of the cubic convolution kernel (Keys 1981)

enum class Padding : std::uint8_t { Zeros, Border, Reflection };

struct GridSampling {
  int taps = 2; // along an axis: 1 the nearest, 2 linear, 4 cubic
  Padding padding = Padding::Zeros;
  bool alignCorners = false;
};

// What lies beyond an axis: its coordinates are from low to high.
struct Border {
  double low, high;
  std::int64_t size;
};

// One element along an axis, or kZero, and its weight.
struct Tap {
  std::int64_t at;
  double weight;
};

// `how.taps` of them, of a place in units of elements.
std::vector<Tap> tapsAt(double place, const Border &border, const GridSampling &how);

// Of one image x [1,C,all elements], whose spatial sizes are given: at each place the sum over one tap of each axis,
// for all ways to take one, as [1,C,places]. `taps` has for each place those of the last axis first; each axis has
// `each`.
Expected<Value> sample(Emitter &emitter, const Value &x, std::span<const std::int64_t> sizes,
                       const std::vector<std::vector<Tap>> &taps, int each);

} // namespace sd
