// The two ends of a run. docs/protocols.md, values and local ops.
//
//   Input    1  P1 -> P0   words: x - r
//   Output   0  P0 -> P1   words: X; P1 adds r. This is the one place where a value is opened.
#pragma once

#include "runtime/offline/Material.h"
#include "runtime/protocol/InteractiveOp.h"

namespace sd {

template <RingWord R>
class ServiceInput final : public ServiceOp<R> {
public:
  explicit ServiceInput(const PlanEntry &entry);
  void write(int k, std::span<std::uint8_t> out) override;
  Expected<void> read(int k, std::span<const std::uint8_t> in) override;
};

template <RingWord R>
class ClientInput final : public ClientOp<R> {
public:
  // `x` is the quantised record; it is copied. Errors if the mask is spent or of another size.
  static Expected<std::unique_ptr<ClientOp<R>>> make(const PlanEntry &entry, InputMaterial<R> material,
                                                     std::span<const R> x);
  void write(int k, std::span<std::uint8_t> out) override;
  Expected<void> read(int k, std::span<const std::uint8_t> in) override;

private:
  ClientInput(const PlanEntry &entry, SecretVector<R> masked);
  SecretVector<R> masked_;
};

template <RingWord R>
class ServiceOutput final : public ServiceOp<R> {
public:
  static Expected<std::unique_ptr<ServiceOp<R>>> make(const PlanEntry &entry, const MaskedTensor<R> &x);
  void write(int k, std::span<std::uint8_t> out) override;
  Expected<void> read(int k, std::span<const std::uint8_t> in) override;

private:
  ServiceOutput(const PlanEntry &entry, const MaskedTensor<R> &x);
  std::span<const R> x_;
};

template <RingWord R>
class ClientOutput final : public ClientOp<R> {
public:
  static Expected<std::unique_ptr<ClientOp<R>>> make(const PlanEntry &entry, OutputMaterial<R> material);
  void write(int k, std::span<std::uint8_t> out) override;
  Expected<void> read(int k, std::span<const std::uint8_t> in) override;

private:
  ClientOutput(const PlanEntry &entry, OutputMaterial<R> material);
  SecretVector<R> r_;
};

} // namespace sd
