// The offline phase with a dealer, as the two parties see it (DealerMessages.h has the chart). A provider lives as long
// as the session and serves one program.
#pragma once

#include <map>

#include "runtime/offline/DealerMessages.h"
#include "runtime/offline/Provider.h"

namespace sd {

struct DealerProviderOptions {
  Connection &dealer; // outlives the provider, as does
  Connection &peer;   // that to the other party
  DealerSession session{};
  Seed seed; // of this party for this session: fresh, never used before
};

template <RingWord R>
class DealerService final : public ServiceProvider<R> {
public:
  explicit DealerService(const DealerProviderOptions &options);
  Expected<void> prepare(const OfflineJob &job, const WeightSet<R> &weights,
                         const Sink<ServiceMaterial<R>> &sink) override;

private:
  Expected<void> begin(const OfflineJob &job, const WeightSet<R> &weights);
  DealerProviderOptions options_;
  std::uint64_t number_ = 0;
  bool begun_ = false;
};

template <RingWord R>
class DealerClient final : public ClientProvider<R> {
public:
  // `maps` are those of the program; they outlive the provider.
  DealerClient(const DealerProviderOptions &options, LinearMaps<R> &maps);
  Expected<void> prepare(const OfflineJob &job, MaskWalk<R> &walk, const Sink<ClientMaterial<R>> &sink) override;

private:
  Expected<void> begin(const OfflineJob &job);
  Expected<void> prepareLinear(std::size_t entry, const PlanEntry &plan, MaskWalk<R> &walk, std::span<const R> v);
  DealerProviderOptions options_;
  LinearMaps<R> &maps_;
  std::map<std::uint32_t, SecretVector<R>> differences_; // W - A by index of the matrix
  std::uint64_t number_ = 0;
  bool begun_ = false;
};

// The first Linear entry of each matrix, by the index of the matrix.
std::map<std::uint32_t, std::size_t> linearMatrices(const Plan &plan);

} // namespace sd
