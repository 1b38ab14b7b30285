#include "runtime/protocol/InputOutput.h"

#include <cassert>
#include <cstring>

namespace sd {

template <RingWord R>
ServiceInput<R>::ServiceInput(const PlanEntry &entry) : ServiceOp<R>(entry.elements, entry.cost(kBitsOf<R>)) {}

template <RingWord R>
void ServiceInput<R>::write(int, std::span<std::uint8_t>) {
  assert(false && "the service has nothing to say here");
}

template <RingWord R>
Expected<void> ServiceInput<R>::read(int, std::span<const std::uint8_t> in) {
  this->result_ = MaskedTensor<R>(this->elements());
  std::memcpy(this->result_.span().data(), in.data(), in.size());
  return {};
}

template <RingWord R>
ClientInput<R>::ClientInput(const PlanEntry &entry, SecretVector<R> masked)
    : ClientOp<R>(entry.elements, entry.cost(kBitsOf<R>)), masked_(std::move(masked)) {}

template <RingWord R>
Expected<std::unique_ptr<ClientOp<R>>> ClientInput<R>::make(const PlanEntry &entry, InputMaterial<R> material,
                                                            std::span<const R> x) {
  if (x.size() != entry.elements)
    return fail("an input of {} elements where {} are expected", x.size(), entry.elements);
  if (material.mask.size() != x.size()) return fail("the mask of an input is spent, or was made for another one");
  for (std::size_t i = 0; i < x.size(); ++i)
    material.mask[i] = x[i] - material.mask[i];
  return std::unique_ptr<ClientOp<R>>(new ClientInput<R>(entry, std::move(material.mask)));
}

template <RingWord R>
void ClientInput<R>::write(int, std::span<std::uint8_t> out) {
  std::memcpy(out.data(), masked_.data(), out.size());
}

template <RingWord R>
Expected<void> ClientInput<R>::read(int, std::span<const std::uint8_t>) {
  return fail("an input has no message to P1");
}

template <RingWord R>
ServiceOutput<R>::ServiceOutput(const PlanEntry &entry, const MaskedTensor<R> &x)
    : ServiceOp<R>(entry.elements, entry.cost(kBitsOf<R>)), x_(x.span()) {}

template <RingWord R>
Expected<std::unique_ptr<ServiceOp<R>>> ServiceOutput<R>::make(const PlanEntry &entry, const MaskedTensor<R> &x) {
  if (x.size() != entry.elements)
    return fail("an output of {} elements where {} are expected", x.size(), entry.elements);
  return std::unique_ptr<ServiceOp<R>>(new ServiceOutput<R>(entry, x));
}

template <RingWord R>
void ServiceOutput<R>::write(int, std::span<std::uint8_t> out) {
  std::memcpy(out.data(), x_.data(), out.size());
}

template <RingWord R>
Expected<void> ServiceOutput<R>::read(int, std::span<const std::uint8_t>) {
  return fail("an output has no message to P0");
}

template <RingWord R>
ClientOutput<R>::ClientOutput(const PlanEntry &entry, OutputMaterial<R> material)
    : ClientOp<R>(entry.elements, entry.cost(kBitsOf<R>)), r_(std::move(material.r)) {}

template <RingWord R>
Expected<std::unique_ptr<ClientOp<R>>> ClientOutput<R>::make(const PlanEntry &entry, OutputMaterial<R> material) {
  if (material.r.size() != entry.elements) return fail("the mask of an output is spent, or was made for another one");
  return std::unique_ptr<ClientOp<R>>(new ClientOutput<R>(entry, std::move(material)));
}

template <RingWord R>
void ClientOutput<R>::write(int, std::span<std::uint8_t>) {
  assert(false && "the client has nothing to say here");
}

template <RingWord R>
Expected<void> ClientOutput<R>::read(int, std::span<const std::uint8_t> in) {
  this->opened_ = SecretVector<R>(this->elements());
  std::memcpy(this->opened_.data(), in.data(), in.size());
  for (std::size_t i = 0; i < this->elements(); ++i)
    this->opened_[i] += r_[i];
  r_ = {};
  return {};
}

template class ServiceInput<Ring32>;
template class ServiceInput<Ring64>;
template class ClientInput<Ring32>;
template class ClientInput<Ring64>;
template class ServiceOutput<Ring32>;
template class ServiceOutput<Ring64>;
template class ClientOutput<Ring32>;
template class ClientOutput<Ring64>;

} // namespace sd
