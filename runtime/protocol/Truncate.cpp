#include "runtime/protocol/Truncate.h"

#include <cstring>

namespace sd {
namespace {

Expected<void> checkMaterial(bool fitting) {
  if (!fitting) return fail("the correlations of a truncation are spent, or were made for another op");
  return {};
}

} // namespace

ServiceTruncate::ServiceTruncate(const PlanEntry &entry, TruncateService material, const MaskedTensor &y,
                                 ThreadPool *pool)
    : ServiceOp(entry.elements, entry.cost()), rounding_(entry.compare.truncation, kBoundBits),
      material_(std::move(material)), y_(y.span()), pool_(pool) {}

Expected<std::unique_ptr<ServiceOp>> ServiceTruncate::make(const PlanEntry &entry, TruncateService material,
                                                           const MaskedTensor &y, ThreadPool *pool) {
  ServiceMaterial whole = std::move(material);
  SD_TRY(checkMaterial(entry.kind == EntryKind::Truncate && y.size() == entry.elements && fits(whole, entry)));
  return std::unique_ptr<ServiceOp>(new ServiceTruncate(entry, std::get<TruncateService>(std::move(whole)), y, pool));
}

void ServiceTruncate::write(int, std::span<std::uint8_t> out) {
  const std::size_t n = elements();
  SecretVector<Ring> shifted(n);
  SecretPlanes top(n, 1);
  forPlaneWords(pool_, planeWords(n), [&](std::size_t begin, std::size_t end) {
    const std::size_t first = begin * kPlaneBits, last = std::min(n, end * kPlaneBits);
    for (std::size_t i = first; i < last; ++i)
      shifted[i] = y_[i] + rounding_.offset;
    wordsToPlanes(shifted.span().subspan(first, last - first), kRingBits - 1, 1, top.ref().at(begin));
    for (std::size_t w = begin; w < end; ++w)
      material_.c[0][w] ^= ~top[0][w]; // from here on: e
  });
  BitWriter writer(out);
  writer.plane(material_.c[0], n);
  writer.finish();
}

Expected<void> ServiceTruncate::read(int, std::span<const std::uint8_t> in) {
  const std::size_t n = elements();
  SecretVector<Ring> message(n);
  std::memcpy(message.data(), in.data(), n * sizeof(Ring));
  result_ = MaskedTensor(n);
  forPlaneWords(pool_, planeWords(n), [&](std::size_t begin, std::size_t end) {
    const std::size_t first = begin * kPlaneBits, last = std::min(n, end * kPlaneBits);
    const TruncateWords args{y_.data() + first, material_.wrap.data() + first, message.data() + first,
                             material_.c[0] + begin, result_.span().data() + first};
    truncateService(rounding_, args, last - first);
  });
  return {};
}

ClientTruncate::ClientTruncate(const PlanEntry &entry, TruncateClient material, ThreadPool *pool)
    : ClientOp(entry.elements, entry.cost()), rounding_(entry.compare.truncation, kBoundBits),
      material_(std::move(material)), pool_(pool) {}

Expected<std::unique_ptr<ClientOp>> ClientTruncate::make(const PlanEntry &entry, TruncateClient material,
                                                         ThreadPool *pool) {
  ClientMaterial whole = std::move(material);
  SD_TRY(checkMaterial(entry.kind == EntryKind::Truncate && fits(whole, entry)));
  return std::unique_ptr<ClientOp>(new ClientTruncate(entry, std::get<TruncateClient>(std::move(whole)), pool));
}

Expected<void> ClientTruncate::read(int, std::span<const std::uint8_t> in) {
  opened_ = SecretPlanes(elements(), 1);
  BitReader reader(in);
  reader.plane(opened_[0], elements());
  if (!reader.finish()) return fail("message 0 of a truncation ends in stray bits");
  return {};
}

void ClientTruncate::write(int, std::span<std::uint8_t> out) {
  const std::size_t n = elements();
  SecretVector<Ring> message(n);
  forPlaneWords(pool_, planeWords(n), [&](std::size_t begin, std::size_t end) {
    const std::size_t first = begin * kPlaneBits, last = std::min(n, end * kPlaneBits);
    const TruncateWords args{material_.r.data() + first, material_.wrap.data() + first, material_.mask.data() + first,
                             opened_[0] + begin, message.data() + first};
    truncateClient(rounding_, args, last - first);
  });
  std::memcpy(out.data(), message.data(), n * sizeof(Ring));
}

} // namespace sd
