#include "runtime/he/WeightTransforms.h"

#include <algorithm>
#include <cassert>

namespace sd {

LayerTransforms &WeightTransforms::of(std::size_t layer, std::size_t polynomials, std::size_t polynomialBytes) {
  const std::lock_guard lock(mutex_);
  assert(layer <= layers_.size());
  if (layer == layers_.size()) {
    const auto kept = std::min<std::uint64_t>(polynomials, left_ / polynomialBytes);
    left_ -= kept * polynomialBytes;
    layers_.emplace_back(kept);
  }
  return layers_[layer];
}

} // namespace sd
