// Transforms of a program's weight polynomials, kept for its next inferences, those of other sessions too, as far as a
// budget of memory goes. All polynomials gain alike, the time of their transform for their bytes, so the first ones of
// the program are kept: the same ones in every run.
#pragma once

#include <deque>
#include <memory>
#include <mutex>

#include "runtime/he/Rlwe.h"

namespace sd {

// Those of one layer. Thread-safe.
class LayerTransforms {
public:
  explicit LayerTransforms(std::size_t count) : kept_(std::make_unique<Kept[]>(count)), count_(count) {}

  // Polynomial number `index` of the layer, from make() at the first call; null if it is not one of those kept.
  template <class Make>
  const RlwePoly *find(std::size_t index, const Make &make) {
    if (index >= count_) return nullptr;
    Kept &kept = kept_[index];
    std::call_once(kept.once, [&] { kept.poly = make(); });
    return &kept.poly;
  }

private:
  struct Kept {
    std::once_flag once;
    RlwePoly poly;
  };
  std::unique_ptr<Kept[]> kept_;
  std::size_t count_;
};

// Thread-safe. Serves one program and its one set of weights.
class WeightTransforms {
public:
  static constexpr std::uint64_t kDefaultBudget = 256'000'000;

  explicit WeightTransforms(std::uint64_t budgetBytes) : left_(budgetBytes) {}

  // Those of the program's RLWE layer number `layer`, counted from 0, of `polynomials` polynomials of so many bytes.
  // Every session asks for the layers in order.
  LayerTransforms &of(std::size_t layer, std::size_t polynomials, std::size_t polynomialBytes);

private:
  std::mutex mutex_;
  std::deque<LayerTransforms> layers_;
  std::uint64_t left_;
};

} // namespace sd
