// Floats to integers at a scale, as constants of share ops.
#pragma once

#include "passes/Rewrite.h"

namespace sd {

// round(v 2^scale), half away from zero. Error naming the largest element if one does not fit into 32 bits.
Expected<Tensor<std::int64_t>> toFixed(const Tensor<float> &tensor, int scale);
Expected<Tensor<std::int64_t>> toFixed(std::span<const double> values, Shape shape, int scale);

} // namespace sd
