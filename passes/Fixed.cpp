#include "passes/Fixed.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace sd {

Expected<Tensor<std::int64_t>> toFixed(std::span<const double> values, Shape shape, int scale) {
  std::vector<std::int64_t> data;
  data.reserve(values.size());
  for (double value : values) {
    const double q = std::round(std::ldexp(value, scale));
    if (!(std::abs(q) <= std::numeric_limits<std::int32_t>::max()))
      return fail("a constant of {:g} does not fit into 32 bits at scale 2^{}; compile with a smaller --scale", value,
                  scale);
    data.push_back(static_cast<std::int64_t>(q));
  }
  return Tensor<std::int64_t>(std::move(shape), std::move(data));
}

Expected<Tensor<std::int64_t>> toFixed(const Tensor<float> &tensor, int scale) {
  const std::vector<double> values(tensor.data.begin(), tensor.data.end());
  return toFixed(values, tensor.shape, scale);
}

} // namespace sd
