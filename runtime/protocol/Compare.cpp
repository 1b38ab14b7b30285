#include "runtime/protocol/Compare.h"

#include <cstring>

namespace sd {
namespace {

template <RingWord R>
constexpr int kSignBit = kBitsOf<R> - 1;

// A truncation alone is right up to the ring's own bound, whatever is promised.
template <RingWord R>
WordRounding<R> roundingOf(const CompareShape &shape) {
  return {shape.truncation, shape.selects ? shape.bound : kBoundBitsOf<R>};
}

template <class M>
CompareRun::Material takeRun(M &m) {
  return {std::move(m.tables), std::move(m.masks), std::move(m.products), std::move(m.ends)};
}

// The material of a comparison, if it is of this entry's.
template <class Material, class Whole>
Expected<Material> takeFitting(Material material, const PlanEntry &entry, bool fitting) {
  Whole whole = std::move(material);
  if (!fitting || !fits(whole, entry))
    return fail("the correlations of a comparison are spent, or were made for another op");
  return std::get<Material>(std::move(whole));
}

// From element `first` and plane word `begin` on; of a truncation.
template <RingWord R, class M>
SelectWrap<R> wrapAt(const M &m, SecretPlanes &choices, CompareRun &run, std::size_t first, std::size_t begin) {
  return {m.wrapA.data() + first, m.wrapLA.data() + first, m.wrapB.data() + first, m.carry.data() + first,
          choices[0] + begin,     choices[1] + begin,      run.opened(1) + begin,  nullptr};
}

// Where P1's words travel: the last message.
bool carriesWords(int k, const ProtocolCost &cost) { return k == cost.messages() - 1; }

Expected<void> checkEnd(const BitReader &reader, int k) {
  if (!reader.finish()) return fail("message {} of a comparison ends in stray bits", k);
  return {};
}

// Calls body(first element, elements, first plane word, end) in parallel.
template <class Body>
void forElements(const CompareRun &run, std::size_t n, const Body &body) {
  forPlaneWords(run.pool(), run.words(), [&](std::size_t begin, std::size_t end) {
    body(begin * kPlaneBits, std::min(n, end * kPlaneBits) - begin * kPlaneBits, begin, end);
  });
}

} // namespace

// ---------------------------------------------------------------------------------------------------- P0

template <RingWord R>
ServiceCompare<R>::ServiceCompare(const PlanEntry &entry, CompareService<R> m, ThreadPool *pool)
    : ServiceOp<R>(entry.elements, entry.cost(kBitsOf<R>)), shape_(entry.compare), rounding_(roundingOf<R>(shape_)),
      run_(shape_, Party::Service, entry.elements, takeRun(m), pool), material_(std::move(m)) {}

template <RingWord R>
Expected<std::unique_ptr<ServiceCompare<R>>> ServiceCompare<R>::make(const PlanEntry &entry, CompareService<R> material,
                                                                     ThreadPool *pool, bool fitting) {
  SD_ASSIGN(auto own, (takeFitting<CompareService<R>, ServiceMaterial<R>>(std::move(material), entry, fitting)));
  return std::unique_ptr<ServiceCompare<R>>(new ServiceCompare<R>(entry, std::move(own), pool));
}

template <RingWord R>
Expected<std::unique_ptr<ServiceOp<R>>> ServiceCompare<R>::makeRelu(const PlanEntry &entry, CompareService<R> material,
                                                                    const MaskedTensor<R> &y, ThreadPool *pool,
                                                                    std::span<const R> turned) {
  const bool fitting =
      entry.kind == EntryKind::Compare && y.size() == entry.elements && (turned.empty() || turned.size() == y.size());
  SD_ASSIGN(auto op, make(entry, std::move(material), pool, fitting));
  op->y_ = y.span(), op->turned_ = turned;
  return op;
}

template <RingWord R>
Expected<std::unique_ptr<ServiceOp<R>>> ServiceCompare<R>::makeTruncate(const PlanEntry &entry,
                                                                        CompareService<R> material,
                                                                        const MaskedTensor<R> &y, ThreadPool *pool) {
  const bool fitting = entry.kind == EntryKind::Truncate && y.size() == entry.elements;
  SD_ASSIGN(auto op, make(entry, std::move(material), pool, fitting));
  op->y_ = y.span();
  return op;
}

template <RingWord R>
Expected<std::unique_ptr<ServiceOp<R>>>
ServiceCompare<R>::makeMaximum(const PlanEntry &entry, CompareService<R> material, const MaskedTensor<R> &a,
                               const MaskedTensor<R> &b, ThreadPool *pool) {
  const bool fitting = entry.kind == EntryKind::Maximum && a.size() == entry.elements && b.size() == entry.elements;
  SD_ASSIGN(auto op, make(entry, std::move(material), pool, fitting));
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
  const int bits = run_.tree().bits;
  const bool selects = shape_.selects;
  SecretPlanes &wraps = material_.wrapChoice;
  SecretVector<R> word(selects ? n : 0), shifted(n);
  SecretPlanes digits(n, bits), sign(n, selects ? 1 : 0), top(n, 1), turn(turned_.empty() ? 0 : n, 1);
  forElements(run_, n, [&](std::size_t first, std::size_t count, std::size_t begin, std::size_t end) {
    for (std::size_t i = first; i < first + count; ++i)
      shifted[i] = y_[i] + rounding_.offset;
    const auto part = std::span<const R>(shifted.data() + first, count);
    wordsToPlanes(part, 0, bits, digits.ref().at(begin));
    wordsToPlanes(part, kSignBit<R>, 1, top.ref().at(begin));
    for (int j = 0; j < bits; ++j)
      xorPlanes(digits[j] + begin, material_.c[j] + begin, end - begin);
    if (selects) {
      const OpenWord<R> args{y_.data() + first, material_.d.data() + first, run_.ends()[0] + begin,
                             word.data() + first};
      openWord(rounding_, args, count);
      wordsToPlanes(part, shape_.bound, 1, sign.ref().at(begin));
    }
    if (!turned_.empty()) {
      wordsToPlanes(turned_.subspan(first, count), 0, 1, turn.ref().at(begin));
      xorPlanes(sign[0] + begin, turn[0] + begin, end - begin);
    }
    for (int j = 0; j < wraps.count(); ++j) // eA = nX ^ cA, eB = nX l0 ^ cB
      for (std::size_t w = begin; w < end; ++w)
        wraps[j][w] ^= ~top[0][w] & (j ? run_.ends()[0][w] : ~std::uint64_t{0});
  });
  if (selects) std::memcpy(out.data(), word.data(), word.size() * sizeof(R));
  BitWriter writer(out.subspan(word.size() * sizeof(R)));
  for (int j = 0; j < bits; ++j)
    writer.plane(digits[j], n);
  for (int j = 0; j < wraps.count(); ++j)
    writer.plane(wraps[j], n);
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
  const CompareService<R> &m = material_;
  run_.finish();
  SecretVector<R> message(n);
  std::memcpy(message.data(), in.data(), n * sizeof(R));
  this->result_ = MaskedTensor<R>(n);
  forElements(run_, n, [&](std::size_t first, std::size_t count, std::size_t begin, std::size_t) {
    R *out = this->result_.span().data() + first;
    if (!shape_.selects)
      return truncateService(rounding_,
                             {y_.data() + first, m.wrapA.data() + first, m.carry.data() + first, message.data() + first,
                              m.wrapChoice[0] + begin, run_.opened(0) + begin, out},
                             count);
    SelectWrap<R> wrap{};
    if (rounding_.t) wrap = wrapAt<R>(m, material_.wrapChoice, run_, first, begin);
    const SelectService<R> args{y_.data() + first,
                                m.select.data() + first,
                                message.data() + first,
                                addend_.empty() ? nullptr : addend_.data() + first,
                                run_.ends()[0] + begin,
                                run_.opened(0) + begin,
                                rounding_.t ? &wrap : nullptr,
                                out};
    selectService(rounding_, args, count);
  });
}

// ---------------------------------------------------------------------------------------------------- P1

template <RingWord R>
ClientCompare<R>::ClientCompare(const PlanEntry &entry, CompareClient<R> m, ThreadPool *pool)
    : ClientOp<R>(entry.elements, entry.cost(kBitsOf<R>)), shape_(entry.compare), rounding_(roundingOf<R>(shape_)),
      run_(shape_, Party::Client, entry.elements, takeRun(m), pool), material_(std::move(m)) {}

template <RingWord R>
Expected<std::unique_ptr<ClientOp<R>>> ClientCompare<R>::make(const PlanEntry &entry, CompareClient<R> material,
                                                              ThreadPool *pool) {
  const bool fitting = compares(entry.kind);
  SD_ASSIGN(auto own, (takeFitting<CompareClient<R>, ClientMaterial<R>>(std::move(material), entry, fitting)));
  return std::unique_ptr<ClientOp<R>>(new ClientCompare<R>(entry, std::move(own), pool));
}

template <RingWord R>
Expected<void> ClientCompare<R>::readOpening(std::span<const std::uint8_t> in) {
  const std::size_t n = this->elements();
  word_ = SecretVector<R>(shape_.selects ? n : 0);
  if (shape_.selects) std::memcpy(word_.data(), in.data(), word_.size() * sizeof(R));
  BitReader reader(in.subspan(word_.size() * sizeof(R)));
  SecretPlanes digits(n, run_.tree().bits), sign(n, shape_.selects ? 1 : 0);
  wraps_ = SecretPlanes(n, shape_.wraps());
  for (int j = 0; j < digits.count(); ++j)
    reader.plane(digits[j], n);
  for (int j = 0; j < wraps_.count(); ++j)
    reader.plane(wraps_[j], n);
  run_.readParts(0, reader);
  SD_TRY(checkEnd(reader, 0));
  if (shape_.selects) wordsToPlanes(material_.r.span(), shape_.bound, 1, sign.ref());
  run_.openLeaves(std::move(digits), std::move(sign));
  return {};
}

template <RingWord R>
Expected<void> ClientCompare<R>::read(int k, std::span<const std::uint8_t> in) {
  if (k == 0) return readOpening(in);
  BitReader reader(in);
  run_.readParts(k, reader);
  return checkEnd(reader, k);
}

template <RingWord R>
void ClientCompare<R>::write(int k, std::span<std::uint8_t> out) {
  const bool last = carriesWords(k, this->cost());
  BitWriter writer(last ? out.subspan(this->elements() * sizeof(R)) : out);
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
  forElements(run_, n, [&](std::size_t first, std::size_t count, std::size_t begin, std::size_t end) {
    if (!shape_.selects)
      return truncateClient(rounding_,
                            {m.r.data() + first, m.wrapA.data() + first, m.carry.data() + first, m.mask.data() + first,
                             wraps_[0] + begin, run_.opened(0) + begin, message.data() + first},
                            count);
    SelectWrap<R> wrap{};
    if (rounding_.t) {
      wordsToPlanes(m.r.span().subspan(first, count), kSignBit<R>, 1, nr.ref().at(begin));
      for (std::size_t w = begin; w < end; ++w)
        nr[0][w] = ~nr[0][w];
      wrap = wrapAt<R>(m, wraps_, run_, first, begin);
      wrap.nr = nr[0] + begin;
    }
    const SelectClient<R> args{m.r.data() + first,     m.select.data() + first,
                               word_.data() + first,   m.addend.empty() ? nullptr : m.addend.data() + first,
                               m.mask.data() + first,  run_.ends()[0] + begin,
                               run_.opened(0) + begin, rounding_.t ? &wrap : nullptr,
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
