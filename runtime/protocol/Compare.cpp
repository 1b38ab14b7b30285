#include "runtime/protocol/Compare.h"

#include <cstring>

namespace sd {
namespace {

template <RingWord R>
constexpr int kSignBit = kBitsOf<R> - 1;

Expected<void> checkMaterial(bool fitting) {
  if (!fitting) return fail("the correlations of a comparison are spent, or were made for another op");
  return {};
}

// Where P1's words travel: the last message.
bool carriesWords(int k, const ProtocolCost &cost) { return k == cost.messages() - 1; }

Expected<void> checkEnd(const BitReader &reader, int k) {
  if (!reader.finish()) return fail("message {} of a comparison ends in stray bits", k);
  return {};
}

template <RingWord R>
std::span<std::uint8_t> afterWords(std::span<std::uint8_t> out, std::size_t n) {
  return out.subspan(n * sizeof(R));
}

} // namespace

// ---------------------------------------------------------------------------------------------------- P0

template <RingWord R>
ServiceCompare<R>::ServiceCompare(const PlanEntry &entry, CompareService<R> m, ThreadPool *pool)
    : ServiceOp<R>(entry.elements, entry.cost(kBitsOf<R>)), rounding_(entry.compare.truncation, entry.compare.bound),
      bound_(entry.compare.bound),
      run_(entry.compare, Party::Service, entry.elements,
           {std::move(m.tables), std::move(m.masks), std::move(m.products), std::move(m.l)}, pool),
      c_(std::move(m.c)), wrapChoice_(std::move(m.wrapChoice)), d_(std::move(m.d)), select_(std::move(m.select)),
      wrapA_(std::move(m.wrapA)), wrapLA_(std::move(m.wrapLA)), wrapB_(std::move(m.wrapB)) {}

template <RingWord R>
Expected<std::unique_ptr<ServiceOp<R>>> ServiceCompare<R>::makeRelu(const PlanEntry &entry, CompareService<R> material,
                                                                    const MaskedTensor<R> &y, ThreadPool *pool,
                                                                    std::span<const R> turned) {
  ServiceMaterial<R> whole = std::move(material);
  SD_TRY(checkMaterial(entry.kind == EntryKind::Compare && y.size() == entry.elements &&
                       (turned.empty() || turned.size() == y.size()) && fits(whole, entry)));
  std::unique_ptr<ServiceCompare<R>> op(
      new ServiceCompare<R>(entry, std::get<CompareService<R>>(std::move(whole)), pool));
  op->y_ = y.span(), op->turned_ = turned;
  return op;
}

template <RingWord R>
Expected<std::unique_ptr<ServiceOp<R>>>
ServiceCompare<R>::makeMaximum(const PlanEntry &entry, CompareService<R> material, const MaskedTensor<R> &a,
                               const MaskedTensor<R> &b, ThreadPool *pool) {
  ServiceMaterial<R> whole = std::move(material);
  SD_TRY(checkMaterial(entry.kind == EntryKind::Maximum && a.size() == entry.elements && b.size() == entry.elements &&
                       fits(whole, entry)));
  std::unique_ptr<ServiceCompare<R>> op(
      new ServiceCompare<R>(entry, std::get<CompareService<R>>(std::move(whole)), pool));
  op->difference_ = SecretVector<R>(entry.elements);
  for (std::size_t i = 0; i < entry.elements; ++i)
    op->difference_[i] = a.span()[i] - b.span()[i];
  op->y_ = op->difference_.span();
  op->addend_ = b.span();
  return op;
}

template <RingWord R>
void ServiceCompare<R>::writeOpening(std::span<std::uint8_t> out) {
  const std::size_t n = this->elements();
  const int bits = run_.tree().bits, t = rounding_.t;
  SecretVector<R> word(n), shifted(n);
  SecretPlanes digits(n, bits), sign(n, 1), notTop(n, 1), turn(turned_.empty() ? 0 : n, 1);
  forPlaneWords(run_.pool(), run_.words(), [&](std::size_t begin, std::size_t end) {
    const std::size_t first = begin * kPlaneBits, count = std::min(n, end * kPlaneBits) - first;
    const OpenWord<R> args{y_.data() + first, d_.data() + first, run_.l()[0] + begin, word.data() + first};
    openWord(rounding_, args, count);
    for (std::size_t i = first; i < first + count; ++i)
      shifted[i] = y_[i] + rounding_.offset;
    const auto part = std::span<const R>(shifted.data() + first, count);
    wordsToPlanes(part, t, bits, digits.ref().at(begin));
    wordsToPlanes(part, bound_, 1, sign.ref().at(begin));
    wordsToPlanes(part, kSignBit<R>, 1, notTop.ref().at(begin));
    if (!turned_.empty()) {
      wordsToPlanes(turned_.subspan(first, count), 0, 1, turn.ref().at(begin));
      xorPlanes(sign[0] + begin, turn[0] + begin, end - begin);
    }
    for (int j = 0; j < bits; ++j)
      xorPlanes(digits[j] + begin, c_[j] + begin, end - begin);
    if (t == 0) return;
    for (std::size_t w = begin; w < end; ++w) { // eA = nX ^ cA, eB = nX l0 ^ cB
      const std::uint64_t nX = ~notTop[0][w];
      wrapChoice_[0][w] ^= nX;
      wrapChoice_[1][w] ^= nX & run_.l()[0][w];
    }
  });
  std::memcpy(out.data(), word.data(), n * sizeof(R));
  BitWriter writer(afterWords<R>(out, n));
  for (int j = 0; j < bits; ++j)
    writer.plane(digits[j], n);
  for (int j = 0; j < wrapChoice_.count(); ++j)
    writer.plane(wrapChoice_[j], n);
  run_.openLeaves(std::move(digits), std::move(sign));
  run_.writeParts(0, writer);
  writer.finish();
}

template <RingWord R>
void ServiceCompare<R>::write(int k, std::span<std::uint8_t> out) {
  if (k == 0) return writeOpening(out);
  BitWriter writer(out);
  run_.writeParts(k, writer);
  writer.finish();
}

template <RingWord R>
Expected<void> ServiceCompare<R>::read(int k, std::span<const std::uint8_t> in) {
  const bool last = carriesWords(k, this->cost());
  BitReader reader(last ? in.subspan(this->elements() * sizeof(R)) : in);
  run_.readParts(k, reader);
  SD_TRY(checkEnd(reader, k));
  if (last) finish(in);
  return {};
}

template <RingWord R>
void ServiceCompare<R>::finish(std::span<const std::uint8_t> in) {
  const std::size_t n = this->elements();
  run_.finish();
  SecretVector<R> message(n);
  std::memcpy(message.data(), in.data(), n * sizeof(R));
  this->result_ = MaskedTensor<R>(n);
  forPlaneWords(run_.pool(), run_.words(), [&](std::size_t begin, std::size_t end) {
    const std::size_t first = begin * kPlaneBits, count = std::min(n, end * kPlaneBits) - first;
    SelectWrap<R> wrap{};
    if (rounding_.t)
      wrap = {wrapA_.data() + first,  wrapLA_.data() + first, wrapB_.data() + first,
              wrapChoice_[0] + begin, wrapChoice_[1] + begin, nullptr};
    const SelectService<R> args{y_.data() + first,
                                select_.data() + first,
                                message.data() + first,
                                addend_.empty() ? nullptr : addend_.data() + first,
                                run_.l()[0] + begin,
                                run_.mu() + begin,
                                rounding_.t ? &wrap : nullptr,
                                this->result_.span().data() + first};
    selectService(rounding_, args, count);
  });
}

// ---------------------------------------------------------------------------------------------------- P1

template <RingWord R>
ClientCompare<R>::ClientCompare(const PlanEntry &entry, CompareClient<R> m, ThreadPool *pool)
    : ClientOp<R>(entry.elements, entry.cost(kBitsOf<R>)), rounding_(entry.compare.truncation, entry.compare.bound),
      bound_(entry.compare.bound),
      run_(entry.compare, Party::Client, entry.elements,
           {std::move(m.tables), std::move(m.masks), std::move(m.products), std::move(m.l)}, pool),
      material_(std::move(m)) {}

template <RingWord R>
Expected<std::unique_ptr<ClientOp<R>>> ClientCompare<R>::make(const PlanEntry &entry, CompareClient<R> material,
                                                              ThreadPool *pool) {
  ClientMaterial<R> whole = std::move(material);
  SD_TRY(checkMaterial((entry.kind == EntryKind::Compare || entry.kind == EntryKind::Maximum) && fits(whole, entry)));
  return std::unique_ptr<ClientOp<R>>(new ClientCompare<R>(entry, std::get<CompareClient<R>>(std::move(whole)), pool));
}

template <RingWord R>
Expected<void> ClientCompare<R>::read(int k, std::span<const std::uint8_t> in) {
  if (k > 0) {
    BitReader reader(in);
    run_.readParts(k, reader);
    return checkEnd(reader, k);
  }
  const std::size_t n = this->elements();
  word_ = SecretVector<R>(n);
  std::memcpy(word_.data(), in.data(), n * sizeof(R));
  BitReader reader(in.subspan(n * sizeof(R)));
  SecretPlanes digits(n, run_.tree().bits), sign(n, 1);
  opened_ = SecretPlanes(n, rounding_.t ? 2 : 0);
  for (int j = 0; j < digits.count(); ++j)
    reader.plane(digits[j], n);
  for (int j = 0; j < opened_.count(); ++j)
    reader.plane(opened_[j], n);
  run_.readParts(0, reader);
  SD_TRY(checkEnd(reader, 0));
  wordsToPlanes(material_.r.span(), bound_, 1, sign.ref());
  run_.openLeaves(std::move(digits), std::move(sign));
  return {};
}

template <RingWord R>
void ClientCompare<R>::write(int k, std::span<std::uint8_t> out) {
  const bool last = carriesWords(k, this->cost());
  BitWriter writer(last ? afterWords<R>(out, this->elements()) : out);
  run_.writeParts(k, writer);
  writer.finish();
  if (last) writeWords(out);
}

template <RingWord R>
void ClientCompare<R>::writeWords(std::span<std::uint8_t> out) {
  const std::size_t n = this->elements();
  run_.finish();
  SecretPlanes nr(n, rounding_.t ? 1 : 0);
  SecretVector<R> message(n);
  const CompareClient<R> &m = material_;
  forPlaneWords(run_.pool(), run_.words(), [&](std::size_t begin, std::size_t end) {
    const std::size_t first = begin * kPlaneBits, count = std::min(n, end * kPlaneBits) - first;
    SelectWrap<R> wrap{};
    if (rounding_.t) {
      wordsToPlanes(m.r.span().subspan(first, count), kSignBit<R>, 1, nr.ref().at(begin));
      for (std::size_t w = begin; w < end; ++w)
        nr[0][w] = ~nr[0][w];
      wrap = {m.wrapA.data() + first, m.wrapLA.data() + first, m.wrapB.data() + first,
              opened_[0] + begin,     opened_[1] + begin,      nr[0] + begin};
    }
    const SelectClient<R> args{m.r.data() + first,    m.select.data() + first,
                               word_.data() + first,  m.addend.empty() ? nullptr : m.addend.data() + first,
                               m.mask.data() + first, run_.l()[0] + begin,
                               run_.mu() + begin,     rounding_.t ? &wrap : nullptr,
                               message.data() + first};
    selectClient(rounding_, args, count);
  });
  std::memcpy(out.data(), message.data(), n * sizeof(R));
}

template class ServiceCompare<Ring32>;
template class ServiceCompare<Ring64>;
template class ClientCompare<Ring32>;
template class ClientCompare<Ring64>;

} // namespace sd
