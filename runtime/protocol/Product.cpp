#include "runtime/protocol/Product.h"

#include <cstring>

namespace sd {
namespace {

Expected<void> checkMaterial(bool fitting) {
  if (!fitting) return fail("the correlations of a product are spent, or were made for another op");
  return {};
}

} // namespace

ServiceProduct::ServiceProduct(const PlanEntry &entry, ProductService material, const MaskedTensor &x,
                               const MaskedTensor &y)
    : ServiceOp(entry.elements, entry.cost()), material_(std::move(material)), x_(x.span()), y_(y.span()) {}

Expected<std::unique_ptr<ServiceOp>> ServiceProduct::make(const PlanEntry &entry, ProductService material,
                                                          const MaskedTensor &x, const MaskedTensor &y) {
  ServiceMaterial whole = std::move(material);
  SD_TRY(checkMaterial(entry.kind == EntryKind::Product && x.size() == entry.elements && y.size() == entry.elements &&
                       fits(whole, entry)));
  return std::unique_ptr<ServiceOp>(new ServiceProduct(entry, std::get<ProductService>(std::move(whole)), x, y));
}

void ServiceProduct::write(int, std::span<std::uint8_t> out) {
  const std::size_t n = elements();
  SecretVector<Ring> message(2 * n);
  for (std::size_t i = 0; i < n; ++i) {
    message[i] = x_[i] + material_.alpha[i];
    message[n + i] = y_[i] + material_.beta[i];
  }
  std::memcpy(out.data(), message.data(), out.size());
}

Expected<void> ServiceProduct::read(int, std::span<const std::uint8_t> in) {
  const std::size_t n = elements();
  SecretVector<Ring> z(n);
  std::memcpy(z.data(), in.data(), in.size());
  for (std::size_t i = 0; i < n; ++i)
    z[i] += x_[i] * y_[i] - material_.product[i];
  result_ = MaskedTensor(std::move(z));
  return {};
}

ClientProduct::ClientProduct(const PlanEntry &entry, ProductClient material)
    : ClientOp(entry.elements, entry.cost()), material_(std::move(material)) {}

Expected<std::unique_ptr<ClientOp>> ClientProduct::make(const PlanEntry &entry, ProductClient material) {
  ClientMaterial whole = std::move(material);
  SD_TRY(checkMaterial(entry.kind == EntryKind::Product && fits(whole, entry)));
  return std::unique_ptr<ClientOp>(new ClientProduct(entry, std::get<ProductClient>(std::move(whole))));
}

Expected<void> ClientProduct::read(int, std::span<const std::uint8_t> in) {
  opened_ = SecretVector<Ring>(2 * elements());
  std::memcpy(opened_.data(), in.data(), in.size());
  return {};
}

void ClientProduct::write(int, std::span<std::uint8_t> out) {
  const std::size_t n = elements();
  const ProductClient &m = material_;
  SecretVector<Ring> message(n);
  for (std::size_t i = 0; i < n; ++i)
    message[i] = opened_[i] * m.s[i] + m.r[i] * opened_[n + i] + m.r[i] * m.s[i] - m.product[i] - m.mask[i];
  std::memcpy(out.data(), message.data(), out.size());
}

} // namespace sd
