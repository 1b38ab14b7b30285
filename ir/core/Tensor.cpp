#include "ir/core/Tensor.h"

namespace sd {

Expected<std::int64_t> checkedElementCount(const Shape &shape) {
  if (shape.size() > kMaxRank)
    return fail("shape {} has {} dimensions; at most {} are supported", toString(shape), shape.size(), kMaxRank);
  std::int64_t count = 1;
  for (auto d : shape) {
    if (d < 0) return fail("shape {} has a negative dimension", toString(shape));
    if (d != 0 && count > kMaxElements / d) return fail("shape {} has more than 2^31 elements", toString(shape));
    count *= d;
  }
  return count;
}

std::int64_t elementCount(const Shape &shape) {
  std::int64_t count = 1;
  for (auto d : shape)
    count *= d;
  return count;
}

std::string toString(const Shape &shape) { return shape.empty() ? "scalar" : fmt::format("{}", fmt::join(shape, "x")); }

Shape rowMajorStrides(const Shape &shape) {
  Shape strides(shape.size());
  std::int64_t step = 1;
  for (std::size_t i = shape.size(); i-- > 0; step *= shape[i])
    strides[i] = step;
  return strides;
}

} // namespace sd
