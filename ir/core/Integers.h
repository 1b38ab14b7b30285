// The integers of a quantised constant. Each takes 32 bits where all of them fit, which halves what a compilation
// holds.
#pragma once

#include <variant>

#include "ir/core/Tensor.h"

namespace sd {

class Integers {
public:
  Integers(Tensor<std::int32_t> values) : values_(std::move(values)) {}
  Integers(Tensor<std::int64_t> values);
  Integers(Shape shape, std::vector<std::int64_t> values) : Integers(Tensor(std::move(shape), std::move(values))) {}

  // f of the tensor that holds them: of std::int32_t if all of them fit, else of std::int64_t.
  template <class F>
  decltype(auto) visit(F &&f) const {
    return std::visit(std::forward<F>(f), values_);
  }

  const Shape &shape() const {
    return visit([](const auto &tensor) -> const Shape & { return tensor.shape; });
  }
  std::int64_t size() const {
    return visit([](const auto &tensor) { return tensor.size(); });
  }
  std::int64_t operator[](std::int64_t i) const {
    if (const auto *narrow = std::get_if<Tensor<std::int32_t>>(&values_)) return narrow->data[i];
    return std::get_if<Tensor<std::int64_t>>(&values_)->data[i];
  }

  bool operator==(const Integers &) const = default; // by value, since the width follows from the values

private:
  std::variant<Tensor<std::int32_t>, Tensor<std::int64_t>> values_;
};

} // namespace sd
