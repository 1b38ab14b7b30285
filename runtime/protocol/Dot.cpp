#include "runtime/protocol/Dot.h"

#include <cstring>

#include "runtime/kernels/MatMul.h"

namespace sd {
namespace {

Expected<void> checkMaterial(bool fitting) {
  if (!fitting) return fail("the correlations of a product of matrices are spent, or were made for another op");
  return {};
}

template <RingWord R>
SecretVector<R> product(ThreadPool *pool, const DotShape &shape, std::span<const R> a, std::span<const R> b) {
  ThreadPool single(1);
  SecretVector<R> result(static_cast<std::size_t>(shape.result()));
  multiplyDot<R>(pool ? *pool : single, shape, a, b, result.span());
  return result;
}

} // namespace

template <RingWord R>
ServiceDot<R>::ServiceDot(const PlanEntry &entry, ProductService<R> material, const MaskedTensor<R> &x,
                          const MaskedTensor<R> &y, ThreadPool *pool)
    : ServiceOp<R>(entry.elements, entry.cost(kBitsOf<R>)), shape_(entry.dot), material_(std::move(material)),
      x_(x.span()), y_(y.span()), pool_(pool) {}

template <RingWord R>
Expected<std::unique_ptr<ServiceOp<R>>> ServiceDot<R>::make(const PlanEntry &entry, ProductService<R> material,
                                                            const MaskedTensor<R> &x, const MaskedTensor<R> &y,
                                                            ThreadPool *pool) {
  ServiceMaterial<R> whole = std::move(material);
  SD_TRY(checkMaterial(entry.kind == EntryKind::Dot && x.size() == entry.left() && y.size() == entry.right() &&
                       fits(whole, entry)));
  return std::unique_ptr<ServiceOp<R>>(
      new ServiceDot<R>(entry, std::get<ProductService<R>>(std::move(whole)), x, y, pool));
}

template <RingWord R>
void ServiceDot<R>::write(int, std::span<std::uint8_t> out) {
  SecretVector<R> message(x_.size() + y_.size());
  for (std::size_t i = 0; i < x_.size(); ++i)
    message[i] = x_[i] + material_.alpha[i];
  for (std::size_t i = 0; i < y_.size(); ++i)
    message[x_.size() + i] = y_[i] + material_.beta[i];
  std::memcpy(out.data(), message.data(), out.size());
}

template <RingWord R>
Expected<void> ServiceDot<R>::read(int, std::span<const std::uint8_t> in) {
  SecretVector<R> z = product<R>(pool_, shape_, x_, y_), answer(z.size());
  std::memcpy(answer.data(), in.data(), in.size());
  for (std::size_t i = 0; i < z.size(); ++i)
    z[i] += answer[i] - material_.product[i];
  this->result_ = MaskedTensor<R>(std::move(z));
  return {};
}

template <RingWord R>
ClientDot<R>::ClientDot(const PlanEntry &entry, ProductClient<R> material, ThreadPool *pool)
    : ClientOp<R>(entry.elements, entry.cost(kBitsOf<R>)), shape_(entry.dot), material_(std::move(material)),
      pool_(pool) {}

template <RingWord R>
Expected<std::unique_ptr<ClientOp<R>>> ClientDot<R>::make(const PlanEntry &entry, ProductClient<R> material,
                                                          ThreadPool *pool) {
  ClientMaterial<R> whole = std::move(material);
  SD_TRY(checkMaterial(entry.kind == EntryKind::Dot && fits(whole, entry)));
  return std::unique_ptr<ClientOp<R>>(new ClientDot<R>(entry, std::get<ProductClient<R>>(std::move(whole)), pool));
}

template <RingWord R>
Expected<void> ClientDot<R>::read(int, std::span<const std::uint8_t> in) {
  opened_ = SecretVector<R>(material_.r.size() + material_.s.size());
  std::memcpy(opened_.data(), in.data(), in.size());
  return {};
}

template <RingWord R>
void ClientDot<R>::write(int, std::span<std::uint8_t> out) {
  const ProductClient<R> &m = material_;
  const auto opened = opened_.span();
  SecretVector<R> left(m.r.size()); // X + alpha + r: times s it is the first product and the last
  for (std::size_t i = 0; i < left.size(); ++i)
    left[i] = opened[i] + m.r[i];
  SecretVector<R> message = product<R>(pool_, shape_, left.span(), m.s.span());
  const SecretVector<R> right = product<R>(pool_, shape_, m.r.span(), opened.subspan(m.r.size()));
  for (std::size_t i = 0; i < message.size(); ++i)
    message[i] += right[i] - m.product[i] - m.mask[i];
  std::memcpy(out.data(), message.data(), out.size());
}

template class ServiceDot<Ring32>;
template class ServiceDot<Ring64>;
template class ClientDot<Ring32>;
template class ClientDot<Ring64>;

} // namespace sd
