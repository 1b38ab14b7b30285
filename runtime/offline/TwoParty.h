// The offline phase of two parties alone: linear correlations from RLWE or, for small layers, from oblivious transfer
// (LinearPhase.h), bit correlations from oblivious transfer (docs/protocols.md, offline phase). One provider lives as
// long as the session, and serves one program: what it sets up at the first use is kept.
//
// P0 receives the OTs (its choice bits become the random parts of its material); P1 sends them. In the opposite
// direction go only the random OTs behind `d` and those of small linear layers. Semi-honest.
#pragma once

#include <memory>
#include <optional>

#include "runtime/net/Channel.h"
#include "runtime/offline/LinearPhase.h"
#include "runtime/offline/Provider.h"
#include "runtime/offline/TwoPartyLayout.h"

namespace sd {

// Streams of the connection that the providers use.
inline constexpr std::uint16_t kForwardOtStream = 0x10, kReverseOtStream = 0x11, kBitStream = 0x12,
                               kLinearStream = 0x13;

struct TwoPartyOptions {
  Connection &connection;                                 // outlives the provider
  Seed seed;                                              // of this party for this session: fresh, never used before
  std::shared_ptr<WeightTransforms> transforms = nullptr; // P0: kept for the next inferences and sessions, if not null
};

template <RingWord R>
class TwoPartyService final : public ServiceProvider<R> {
public:
  explicit TwoPartyService(const TwoPartyOptions &options);
  ~TwoPartyService() override;
  Expected<void> prepare(const OfflineJob &job, const WeightSet<R> &weights,
                         const Sink<ServiceMaterial<R>> &sink) override;
  // All that the next inference of such a plan makes of OTs, with the set-up that it still needs: everything but RLWE.
  TwoPartyCost bitCost(const Plan &plan) const;

private:
  class Bits;
  std::unique_ptr<Bits> bits_;
  std::optional<ServiceLinear<R>> linear_;
  TwoPartyOptions options_;
};

template <RingWord R>
class TwoPartyClient final : public ClientProvider<R> {
public:
  explicit TwoPartyClient(const TwoPartyOptions &options);
  ~TwoPartyClient() override;
  Expected<void> prepare(const OfflineJob &job, MaskWalk<R> &walk, const Sink<ClientMaterial<R>> &sink) override;
  TwoPartyCost bitCost(const Plan &plan) const;

private:
  class Bits;
  std::unique_ptr<Bits> bits_;
  std::optional<ClientLinear<R>> linear_;
  TwoPartyOptions options_;
};

} // namespace sd
