// Floats to integers at a scale, as constants of share ops.
#pragma once

#include "passes/Rewrite.h"

namespace sd {

// round(v 2^scale), half away from zero. Error naming an element that does not fit into the ring.
Expected<Integers> toFixed(std::span<const float> values, Shape shape, int scale, int ringBits);

} // namespace sd
