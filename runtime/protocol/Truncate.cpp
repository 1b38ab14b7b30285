#include "runtime/protocol/Truncate.h"

#include <cstring>

namespace sd {
namespace {

Expected<void> checkMaterial(bool fitting) {
  if (!fitting) return fail("the correlations of a truncation are spent, or were made for another op");
  return {};
}

} // namespace

template <RingWord R>
ServiceTruncate<R>::ServiceTruncate(const PlanEntry &entry, TruncateService<R> material, const MaskedTensor<R> &y,
                                    ThreadPool *pool)
    : ServiceOp<R>(entry.elements, entry.cost(kBitsOf<R>)), rounding_(entry.compare.truncation, kBoundBitsOf<R>),
      material_(std::move(material)), y_(y.span()), pool_(pool) {}

template <RingWord R>
Expected<std::unique_ptr<ServiceOp<R>>> ServiceTruncate<R>::make(const PlanEntry &entry, TruncateService<R> material,
                                                                 const MaskedTensor<R> &y, ThreadPool *pool) {
  ServiceMaterial<R> whole = std::move(material);
  SD_TRY(checkMaterial(entry.kind == EntryKind::Truncate && y.size() == entry.elements && fits(whole, entry)));
  return std::unique_ptr<ServiceOp<R>>(
      new ServiceTruncate<R>(entry, std::get<TruncateService<R>>(std::move(whole)), y, pool));
}

template <RingWord R>
void ServiceTruncate<R>::write(int, std::span<std::uint8_t> out) {
  const std::size_t n = this->elements();
  SecretVector<R> shifted(n);
  SecretPlanes top(n, 1);
  forPlaneWords(pool_, planeWords(n), [&](std::size_t begin, std::size_t end) {
    const std::size_t first = begin * kPlaneBits, last = std::min(n, end * kPlaneBits);
    for (std::size_t i = first; i < last; ++i)
      shifted[i] = y_[i] + rounding_.offset;
    wordsToPlanes(shifted.span().subspan(first, last - first), kBitsOf<R> - 1, 1, top.ref().at(begin));
    for (std::size_t w = begin; w < end; ++w)
      material_.c[0][w] ^= ~top[0][w]; // from here on: e
  });
  BitWriter writer(out);
  writer.plane(material_.c[0], n);
  writer.finish();
}

template <RingWord R>
Expected<void> ServiceTruncate<R>::read(int, std::span<const std::uint8_t> in) {
  const std::size_t n = this->elements();
  SecretVector<R> message(n);
  std::memcpy(message.data(), in.data(), n * sizeof(R));
  this->result_ = MaskedTensor<R>(n);
  forPlaneWords(pool_, planeWords(n), [&](std::size_t begin, std::size_t end) {
    const std::size_t first = begin * kPlaneBits, last = std::min(n, end * kPlaneBits);
    const TruncateWords<R> args{y_.data() + first, material_.wrap.data() + first, message.data() + first,
                                material_.c[0] + begin, this->result_.span().data() + first};
    truncateService(rounding_, args, last - first);
  });
  return {};
}

template <RingWord R>
ClientTruncate<R>::ClientTruncate(const PlanEntry &entry, TruncateClient<R> material, ThreadPool *pool)
    : ClientOp<R>(entry.elements, entry.cost(kBitsOf<R>)), rounding_(entry.compare.truncation, kBoundBitsOf<R>),
      material_(std::move(material)), pool_(pool) {}

template <RingWord R>
Expected<std::unique_ptr<ClientOp<R>>> ClientTruncate<R>::make(const PlanEntry &entry, TruncateClient<R> material,
                                                               ThreadPool *pool) {
  ClientMaterial<R> whole = std::move(material);
  SD_TRY(checkMaterial(entry.kind == EntryKind::Truncate && fits(whole, entry)));
  return std::unique_ptr<ClientOp<R>>(
      new ClientTruncate<R>(entry, std::get<TruncateClient<R>>(std::move(whole)), pool));
}

template <RingWord R>
Expected<void> ClientTruncate<R>::read(int, std::span<const std::uint8_t> in) {
  opened_ = SecretPlanes(this->elements(), 1);
  BitReader reader(in);
  reader.plane(opened_[0], this->elements());
  if (!reader.finish()) return fail("message 0 of a truncation ends in stray bits");
  return {};
}

template <RingWord R>
void ClientTruncate<R>::write(int, std::span<std::uint8_t> out) {
  const std::size_t n = this->elements();
  SecretVector<R> message(n);
  forPlaneWords(pool_, planeWords(n), [&](std::size_t begin, std::size_t end) {
    const std::size_t first = begin * kPlaneBits, last = std::min(n, end * kPlaneBits);
    const TruncateWords<R> args{material_.r.data() + first, material_.wrap.data() + first,
                                material_.mask.data() + first, opened_[0] + begin, message.data() + first};
    truncateClient(rounding_, args, last - first);
  });
  std::memcpy(out.data(), message.data(), n * sizeof(R));
}

template class ServiceTruncate<Ring32>;
template class ServiceTruncate<Ring64>;
template class ClientTruncate<Ring32>;
template class ClientTruncate<Ring64>;

} // namespace sd
