// x y of two shared values, elementwise: x y = XY + X s + r Y + r s for masks r, s. docs/protocols.md,
// products and ends.
//
//   0  P0 -> P1   words: X + alpha | words: Y + beta
//   1  P1 -> P0   words: (X + alpha) s + r (Y + beta) + r s - its share of alpha s + beta r - its new mask
#pragma once

#include "runtime/offline/Material.h"
#include "runtime/protocol/InteractiveOp.h"

namespace sd {

template <RingWord R>
class ServiceProduct final : public ServiceOp<R> {
public:
  // Errors if the material is spent or made for another op. The operands outlive the run.
  static Expected<std::unique_ptr<ServiceOp<R>>> make(const PlanEntry &entry, ProductService<R> material,
                                                      const MaskedTensor<R> &x, const MaskedTensor<R> &y);
  void write(int k, std::span<std::uint8_t> out) override;
  Expected<void> read(int k, std::span<const std::uint8_t> in) override;

private:
  ServiceProduct(const PlanEntry &entry, ProductService<R> material, const MaskedTensor<R> &x,
                 const MaskedTensor<R> &y);
  ProductService<R> material_;
  std::span<const R> x_, y_;
};

template <RingWord R>
class ClientProduct final : public ClientOp<R> {
public:
  static Expected<std::unique_ptr<ClientOp<R>>> make(const PlanEntry &entry, ProductClient<R> material);
  void write(int k, std::span<std::uint8_t> out) override;
  Expected<void> read(int k, std::span<const std::uint8_t> in) override;

private:
  ClientProduct(const PlanEntry &entry, ProductClient<R> material);
  ProductClient<R> material_;
  SecretVector<R> opened_; // X + alpha, then Y + beta
};

} // namespace sd
