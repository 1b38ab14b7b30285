#include "ir/core/Integers.h"

#include <algorithm>

namespace sd {

Integers::Integers(Tensor<std::int64_t> values) {
  if (std::ranges::all_of(values.data, [](auto v) { return v == static_cast<std::int32_t>(v); }))
    values_ = Tensor<std::int32_t>(std::move(values.shape), {values.data.begin(), values.data.end()});
  else
    values_ = std::move(values);
}

} // namespace sd
