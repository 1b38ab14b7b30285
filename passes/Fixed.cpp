#include "passes/Fixed.h"

#include <cmath>

namespace sd {

Expected<Tensor<std::int64_t>> toFixed(std::span<const float> values, Shape shape, int scale, int ringBits) {
  std::vector<std::int64_t> data;
  data.reserve(values.size());
  for (const float value : values) {
    const double q = std::round(std::ldexp(static_cast<double>(value), scale));
    if (!(std::abs(q) < std::ldexp(1.0, ringBits - 1)))
      return fail("a constant of {:g} does not fit into {} bits at scale 2^{}", value, ringBits, scale);
    data.push_back(static_cast<std::int64_t>(q));
  }
  return Tensor<std::int64_t>(std::move(shape), std::move(data));
}

} // namespace sd
