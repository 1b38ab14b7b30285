// x y mod 2^32 of two shared values, elementwise: x y = XY + X s + r Y + r s for masks r, s. docs/protocols.md,
// products and ends.
//
//   0  P0 -> P1   words: X + alpha | words: Y + beta
//   1  P1 -> P0   words: (X + alpha) s + r (Y + beta) + r s - its share of alpha s + beta r - its new mask
#pragma once

#include "runtime/offline/Material.h"
#include "runtime/protocol/InteractiveOp.h"

namespace sd {

class ServiceProduct final : public ServiceOp {
public:
  // Errors if the material is spent or made for another op. The operands outlive the run.
  static Expected<std::unique_ptr<ServiceOp>> make(const PlanEntry &entry, ProductService material,
                                                   const MaskedTensor &x, const MaskedTensor &y);
  void write(int k, std::span<std::uint8_t> out) override;
  Expected<void> read(int k, std::span<const std::uint8_t> in) override;

private:
  ServiceProduct(const PlanEntry &entry, ProductService material, const MaskedTensor &x, const MaskedTensor &y);
  ProductService material_;
  std::span<const Ring> x_, y_;
};

class ClientProduct final : public ClientOp {
public:
  static Expected<std::unique_ptr<ClientOp>> make(const PlanEntry &entry, ProductClient material);
  void write(int k, std::span<std::uint8_t> out) override;
  Expected<void> read(int k, std::span<const std::uint8_t> in) override;

private:
  ClientProduct(const PlanEntry &entry, ProductClient material);
  ProductClient material_;
  SecretVector<Ring> opened_; // X + alpha, then Y + beta
};

} // namespace sd
