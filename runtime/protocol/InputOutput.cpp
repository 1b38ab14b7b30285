#include "runtime/protocol/InputOutput.h"

#include <cassert>
#include <cstring>

namespace sd {

ServiceInput::ServiceInput(const PlanEntry &entry) : ServiceOp(entry.elements, entry.cost()) {}

void ServiceInput::write(int, std::span<std::uint8_t>) { assert(false && "the service has nothing to say here"); }

Expected<void> ServiceInput::read(int, std::span<const std::uint8_t> in) {
  result_ = MaskedTensor(elements());
  std::memcpy(result_.span().data(), in.data(), in.size());
  return {};
}

ClientInput::ClientInput(const PlanEntry &entry, SecretVector<Ring> masked)
    : ClientOp(entry.elements, entry.cost()), masked_(std::move(masked)) {}

Expected<std::unique_ptr<ClientOp>> ClientInput::make(const PlanEntry &entry, InputMaterial material,
                                                      std::span<const Ring> x) {
  if (x.size() != entry.elements)
    return fail("an input of {} elements where {} are expected", x.size(), entry.elements);
  if (material.mask.size() != x.size()) return fail("the mask of an input is spent, or was made for another one");
  for (std::size_t i = 0; i < x.size(); ++i)
    material.mask[i] = x[i] - material.mask[i];
  return std::unique_ptr<ClientOp>(new ClientInput(entry, std::move(material.mask)));
}

void ClientInput::write(int, std::span<std::uint8_t> out) { std::memcpy(out.data(), masked_.data(), out.size()); }

Expected<void> ClientInput::read(int, std::span<const std::uint8_t>) { return fail("an input has no message to P1"); }

ServiceOutput::ServiceOutput(const PlanEntry &entry, const MaskedTensor &x)
    : ServiceOp(entry.elements, entry.cost()), x_(x.span()) {}

Expected<std::unique_ptr<ServiceOp>> ServiceOutput::make(const PlanEntry &entry, const MaskedTensor &x) {
  if (x.size() != entry.elements)
    return fail("an output of {} elements where {} are expected", x.size(), entry.elements);
  return std::unique_ptr<ServiceOp>(new ServiceOutput(entry, x));
}

void ServiceOutput::write(int, std::span<std::uint8_t> out) { std::memcpy(out.data(), x_.data(), out.size()); }

Expected<void> ServiceOutput::read(int, std::span<const std::uint8_t>) {
  return fail("an output has no message to P0");
}

ClientOutput::ClientOutput(const PlanEntry &entry, OutputMaterial material)
    : ClientOp(entry.elements, entry.cost()), r_(std::move(material.r)) {}

Expected<std::unique_ptr<ClientOp>> ClientOutput::make(const PlanEntry &entry, OutputMaterial material) {
  if (material.r.size() != entry.elements) return fail("the mask of an output is spent, or was made for another one");
  return std::unique_ptr<ClientOp>(new ClientOutput(entry, std::move(material)));
}

void ClientOutput::write(int, std::span<std::uint8_t>) { assert(false && "the client has nothing to say here"); }

Expected<void> ClientOutput::read(int, std::span<const std::uint8_t> in) {
  opened_ = SecretVector<Ring>(elements());
  std::memcpy(opened_.data(), in.data(), in.size());
  for (std::size_t i = 0; i < elements(); ++i)
    opened_[i] += r_[i];
  r_ = {};
  return {};
}

} // namespace sd
