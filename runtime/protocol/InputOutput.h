// The two ends of a run. docs/protocols.md, values and local ops.
//
//   Input    1  P1 -> P0   words: x - r
//   Output   0  P0 -> P1   words: X; P1 adds r. This is the one place where a value is opened.
#pragma once

#include "runtime/offline/Material.h"
#include "runtime/protocol/InteractiveOp.h"

namespace sd {

class ServiceInput final : public ServiceOp {
public:
  explicit ServiceInput(const PlanEntry &entry);
  void write(int k, std::span<std::uint8_t> out) override;
  Expected<void> read(int k, std::span<const std::uint8_t> in) override;
};

class ClientInput final : public ClientOp {
public:
  // `x` is the quantised record; it is copied. Errors if the mask is spent or of another size.
  static Expected<std::unique_ptr<ClientOp>> make(const PlanEntry &entry, InputMaterial material,
                                                  std::span<const Ring> x);
  void write(int k, std::span<std::uint8_t> out) override;
  Expected<void> read(int k, std::span<const std::uint8_t> in) override;

private:
  ClientInput(const PlanEntry &entry, SecretVector<Ring> masked);
  SecretVector<Ring> masked_;
};

class ServiceOutput final : public ServiceOp {
public:
  static Expected<std::unique_ptr<ServiceOp>> make(const PlanEntry &entry, const MaskedTensor &x);
  void write(int k, std::span<std::uint8_t> out) override;
  Expected<void> read(int k, std::span<const std::uint8_t> in) override;

private:
  ServiceOutput(const PlanEntry &entry, const MaskedTensor &x);
  std::span<const Ring> x_;
};

class ClientOutput final : public ClientOp {
public:
  static Expected<std::unique_ptr<ClientOp>> make(const PlanEntry &entry, OutputMaterial material);
  void write(int k, std::span<std::uint8_t> out) override;
  Expected<void> read(int k, std::span<const std::uint8_t> in) override;

private:
  ClientOutput(const PlanEntry &entry, OutputMaterial material);
  SecretVector<Ring> r_;
};

} // namespace sd
