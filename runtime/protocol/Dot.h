// x y^T of two shared matrices, for each of a batch: x y^T = X Y^T + X s^T + r Y^T + r s^T for masks r, s.
// docs/protocols.md, products of matrices. Each element is opened once, however many products it is in.
//
//   0  P0 -> P1   words: X + alpha | words: Y + beta
//   1  P1 -> P0   words: (X + alpha) s^T + r (Y + beta)^T + r s^T - its share of alpha s^T + r beta^T - its new mask
#pragma once

#include "runtime/offline/Material.h"
#include "runtime/protocol/InteractiveOp.h"

namespace sd {

template <RingWord R>
class ServiceDot final : public ServiceOp<R> {
public:
  // Errors if the material is spent or made for another op. The operands outlive the run. `pool` may be null.
  static Expected<std::unique_ptr<ServiceOp<R>>> make(const PlanEntry &entry, ProductService<R> material,
                                                      const MaskedTensor<R> &x, const MaskedTensor<R> &y,
                                                      ThreadPool *pool);
  void write(int k, std::span<std::uint8_t> out) override;
  Expected<void> read(int k, std::span<const std::uint8_t> in) override;

private:
  ServiceDot(const PlanEntry &entry, ProductService<R> material, const MaskedTensor<R> &x, const MaskedTensor<R> &y,
             ThreadPool *pool);
  DotShape shape_;
  ProductService<R> material_;
  std::span<const R> x_, y_;
  ThreadPool *pool_;
};

template <RingWord R>
class ClientDot final : public ClientOp<R> {
public:
  static Expected<std::unique_ptr<ClientOp<R>>> make(const PlanEntry &entry, ProductClient<R> material,
                                                     ThreadPool *pool);
  void write(int k, std::span<std::uint8_t> out) override;
  Expected<void> read(int k, std::span<const std::uint8_t> in) override;

private:
  ClientDot(const PlanEntry &entry, ProductClient<R> material, ThreadPool *pool);
  DotShape shape_;
  ProductClient<R> material_;
  ThreadPool *pool_;
  SecretVector<R> opened_; // X + alpha, then Y + beta
};

} // namespace sd
