// y / 2^t of a shared y, |y| <= 2^kBoundBitsOf<R> - 2^t, off by less than one unit, unbiased. docs/protocols.md,
// step 1.
//
//   0  P0 -> P1   one masked bit an element: e = nX ^ c
//   1  P1 -> P0   words: its share of the result - its new mask
#pragma once

#include "runtime/offline/Material.h"
#include "runtime/protocol/InteractiveOp.h"
#include "runtime/protocol/SelectKernels.h"

namespace sd {

template <RingWord R>
class ServiceTruncate final : public ServiceOp<R> {
public:
  // Errors if the material is spent or made for another op. `y` outlives the run.
  static Expected<std::unique_ptr<ServiceOp<R>>> make(const PlanEntry &entry, TruncateService<R> material,
                                                      const MaskedTensor<R> &y, ThreadPool *pool);
  void write(int k, std::span<std::uint8_t> out) override;
  Expected<void> read(int k, std::span<const std::uint8_t> in) override;

private:
  ServiceTruncate(const PlanEntry &entry, TruncateService<R> material, const MaskedTensor<R> &y, ThreadPool *pool);
  WordRounding<R> rounding_;
  TruncateService<R> material_;
  std::span<const R> y_;
  ThreadPool *pool_;
};

template <RingWord R>
class ClientTruncate final : public ClientOp<R> {
public:
  static Expected<std::unique_ptr<ClientOp<R>>> make(const PlanEntry &entry, TruncateClient<R> material,
                                                     ThreadPool *pool);
  void write(int k, std::span<std::uint8_t> out) override;
  Expected<void> read(int k, std::span<const std::uint8_t> in) override;

private:
  ClientTruncate(const PlanEntry &entry, TruncateClient<R> material, ThreadPool *pool);
  WordRounding<R> rounding_;
  TruncateClient<R> material_;
  SecretPlanes opened_; // e
  ThreadPool *pool_;
};

} // namespace sd
