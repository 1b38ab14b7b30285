// Dense row-major tensors and their shapes.
#pragma once

#include <cassert>
#include <cstdint>
#include <string>
#include <vector>

#include "ir/core/Error.h"

namespace sd {

using Shape = std::vector<std::int64_t>; // {} is a scalar

// No tensor of the project has more elements or dimensions than this; readers refuse larger ones before allocating.
inline constexpr std::int64_t kMaxElements = std::int64_t{1} << 31;
inline constexpr std::size_t kMaxRank = 8;

// Number of elements; error if a dimension is negative, or the product exceeds kMaxElements, or the rank kMaxRank.
Expected<std::int64_t> checkedElementCount(const Shape &shape);

// The same for a shape known to be valid.
std::int64_t elementCount(const Shape &shape);

std::string toString(const Shape &shape); // "1x3x32x32"; "scalar" for {}

Shape rowMajorStrides(const Shape &shape); // in elements

template <class T>
struct Tensor {
  Shape shape;
  std::vector<T> data;

  Tensor() = default;
  Tensor(Shape s, std::vector<T> d) : shape(std::move(s)), data(std::move(d)) {
    assert(elementCount(shape) == static_cast<std::int64_t>(data.size()));
  }
  explicit Tensor(Shape s, T fill = {}) : shape(std::move(s)), data(elementCount(shape), fill) {}

  std::int64_t size() const { return static_cast<std::int64_t>(data.size()); }
  bool operator==(const Tensor &) const = default;
};

} // namespace sd
