#include "runtime/protocol/Product.h"

#include <cstring>

namespace sd {
namespace {

Expected<void> checkMaterial(bool fitting) {
  if (!fitting) return fail("the correlations of a product are spent, or were made for another op");
  return {};
}

} // namespace

template <RingWord R>
ServiceProduct<R>::ServiceProduct(const PlanEntry &entry, ProductService<R> material, const MaskedTensor<R> &x,
                                  const MaskedTensor<R> &y)
    : ServiceOp<R>(entry.elements, entry.cost(kBitsOf<R>)), material_(std::move(material)), x_(x.span()), y_(y.span()) {
}

template <RingWord R>
Expected<std::unique_ptr<ServiceOp<R>>> ServiceProduct<R>::make(const PlanEntry &entry, ProductService<R> material,
                                                                const MaskedTensor<R> &x, const MaskedTensor<R> &y) {
  ServiceMaterial<R> whole = std::move(material);
  SD_TRY(checkMaterial(entry.kind == EntryKind::Product && x.size() == entry.elements && y.size() == entry.elements &&
                       fits(whole, entry)));
  return std::unique_ptr<ServiceOp<R>>(
      new ServiceProduct<R>(entry, std::get<ProductService<R>>(std::move(whole)), x, y));
}

template <RingWord R>
void ServiceProduct<R>::write(int, std::span<std::uint8_t> out) {
  const std::size_t n = this->elements();
  SecretVector<R> message(2 * n);
  for (std::size_t i = 0; i < n; ++i) {
    message[i] = x_[i] + material_.alpha[i];
    message[n + i] = y_[i] + material_.beta[i];
  }
  std::memcpy(out.data(), message.data(), out.size());
}

template <RingWord R>
Expected<void> ServiceProduct<R>::read(int, std::span<const std::uint8_t> in) {
  const std::size_t n = this->elements();
  SecretVector<R> z(n);
  std::memcpy(z.data(), in.data(), in.size());
  for (std::size_t i = 0; i < n; ++i)
    z[i] += x_[i] * y_[i] - material_.product[i];
  this->result_ = MaskedTensor<R>(std::move(z));
  return {};
}

template <RingWord R>
ClientProduct<R>::ClientProduct(const PlanEntry &entry, ProductClient<R> material)
    : ClientOp<R>(entry.elements, entry.cost(kBitsOf<R>)), material_(std::move(material)) {}

template <RingWord R>
Expected<std::unique_ptr<ClientOp<R>>> ClientProduct<R>::make(const PlanEntry &entry, ProductClient<R> material) {
  ClientMaterial<R> whole = std::move(material);
  SD_TRY(checkMaterial(entry.kind == EntryKind::Product && fits(whole, entry)));
  return std::unique_ptr<ClientOp<R>>(new ClientProduct<R>(entry, std::get<ProductClient<R>>(std::move(whole))));
}

template <RingWord R>
Expected<void> ClientProduct<R>::read(int, std::span<const std::uint8_t> in) {
  opened_ = SecretVector<R>(2 * this->elements());
  std::memcpy(opened_.data(), in.data(), in.size());
  return {};
}

template <RingWord R>
void ClientProduct<R>::write(int, std::span<std::uint8_t> out) {
  const std::size_t n = this->elements();
  const ProductClient<R> &m = material_;
  SecretVector<R> message(n);
  for (std::size_t i = 0; i < n; ++i)
    message[i] = opened_[i] * m.s[i] + m.r[i] * opened_[n + i] + m.r[i] * m.s[i] - m.product[i] - m.mask[i];
  std::memcpy(out.data(), message.data(), out.size());
}

template class ServiceProduct<Ring32>;
template class ServiceProduct<Ring64>;
template class ClientProduct<Ring32>;
template class ClientProduct<Ring64>;

} // namespace sd
