#include "passes/Fixed.h"

#include <cmath>

namespace sd {

namespace {

template <class Integer>
Expected<Integers> fixedIn(std::span<const float> values, Shape shape, int scale, int ringBits) {
  Tensor<Integer> fixed(std::move(shape));
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double q = std::round(std::ldexp(static_cast<double>(values[i]), scale));
    if (!(std::abs(q) < std::ldexp(1.0, ringBits - 1)))
      return fail("a constant of {:g} does not fit into {} bits at scale 2^{}{}", values[i], ringBits, scale,
                  values[i] < -1e30f ? "; a mask such as minus infinity may only come before a softmax" : "");
    fixed.data[i] = static_cast<Integer>(q);
  }
  return fixed;
}

} // namespace

Expected<Integers> toFixed(std::span<const float> values, Shape shape, int scale, int ringBits) {
  return ringBits == kBitsOf<Ring32> ? fixedIn<std::int32_t>(values, std::move(shape), scale, ringBits)
                                     : fixedIn<std::int64_t>(values, std::move(shape), scale, ringBits);
}

} // namespace sd
