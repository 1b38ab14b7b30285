// The linear entries of a plan between two parties alone, each from RLWE (runtime/he/LinearCorrelation.h) or, where
// that is cheaper, from oblivious transfer (LinearTransfers.h), and its products of secret matrices
// (runtime/he/DotCorrelation.h).
//
// P1 uploads what each entry needs as soon as its r is known, and on another thread collects the replies and announces
// their v, so that entries which read free masks take one round trip together, whatever their number and method.
#pragma once

#include <optional>
#include <variant>

#include "runtime/he/DotCorrelation.h"
#include "runtime/he/LinearCorrelation.h"
#include "runtime/offline/LinearTransfers.h"
#include "runtime/offline/Provider.h"

namespace sd {

// A Linear or Dot entry with its method.
struct LinearEntry {
  std::size_t index = 0; // in the plan
  std::variant<LinearLayer, LinearTaps, DotPacking> method;
};

// P0's side of a session, for each inference of the same program. `seeds`: of the entries by transfers, in order.
template <RingWord R>
class ServiceLinear {
public:
  // `transforms`: of the same program and weights; null: none are kept.
  ServiceLinear(Channel &channel, const Seed &seed, std::shared_ptr<WeightTransforms> transforms)
      : channel_(channel), seed_(seed), transforms_(std::move(transforms)) {}
  Expected<void> run(const OfflineJob &job, const WeightSet<R> &weights, std::vector<SenderSeeds> seeds,
                     const Sink<ServiceMaterial<R>> &sink);

private:
  Channel &channel_;
  Seed seed_;
  std::shared_ptr<WeightTransforms> transforms_;
  std::optional<LinearService<R>> rlwe_; // from the first entry that needs it
  std::optional<DotService<R>> dots_;
  std::vector<LinearEntry> entries_;
};

// P1's side.
template <RingWord R>
class ClientLinear {
public:
  ClientLinear(Channel &channel, const Seed &seed) : channel_(channel), seed_(seed) {}
  // All free masks must be announced. Announces the mask of every Linear entry's result. `products` takes P1's share of
  // each Dot entry's products, on one thread.
  Expected<void> run(const OfflineJob &job, MaskWalk<R> &walk, std::vector<ReceiverSeeds<R>> seeds,
                     const std::function<Expected<void>(std::size_t entry, SecretVector<R> share)> &products);

private:
  Channel &channel_;
  Seed seed_;
  std::optional<LinearHospital<R>> rlwe_;
  std::optional<DotHospital<R>> dots_;
  std::vector<LinearEntry> entries_;
};

} // namespace sd
