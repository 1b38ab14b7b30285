#include "runtime/protocol/SelectKernels.h"

#include "runtime/kernels/RingDispatch.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "runtime/protocol/SelectKernels.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace sd::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// All ones in the lanes of elements i, i + 1, ... whose bit is set.
template <class D>
auto spread(D d, const std::uint64_t *plane, std::size_t i) {
  const std::uint64_t bits = plane[i / 64] >> (i % 64);
  return hn::VecFromMask(d, hn::LoadMaskBits(d, reinterpret_cast<const std::uint8_t *>(&bits)));
}

// -v where the lane of `sign` is all ones.
template <class V>
V negateIf(V sign, V v) {
  return hn::Sub(hn::Xor(v, sign), sign);
}

// mu z + (1 - 2 mu) k.
template <class V>
V select(V mu, V z, V k) {
  return hn::Add(negateIf(mu, k), hn::And(mu, z));
}

// w 2^(bits - t), also for t = 0.
template <class V>
V raise(V w, int t) {
  return hn::ShiftLeft<1>(hn::ShiftLeftSame(w, kBitsOf<hn::TFromV<V>> - 1 - t));
}

template <class D, class R>
auto load(D d, const R *words, std::size_t i) {
  return hn::LoadU(d, words + i);
}

template <class D, class R>
auto roundedWord(D d, const WordRounding<R> &rounding, const R *y, std::size_t i) {
  const auto shifted = hn::ShiftRightSame(hn::Add(load(d, y, i), hn::Set(d, rounding.offset)), rounding.t);
  return hn::Add(shifted, hn::Set(d, rounding.correction));
}

// Calls step(d, i) for every vector of elements; those left over one by one.
template <class R, class Step>
void overElements(std::size_t n, Step step) {
  const hn::CappedTag<R, 16> d;
  std::size_t i = 0;
  for (; i + hn::Lanes(d) <= n; i += hn::Lanes(d))
    step(d, i);
  for (; i < n; ++i)
    step(hn::CappedTag<R, 1>(), i);
}

// Shares of the bit that is opened as w under rho, of which `carry` is a share as a word; P0 has the public part.
template <class D, class R>
auto carryWord(D d, const std::uint64_t *w, const R *carry, std::size_t i, bool service) {
  const auto opened = spread(d, w, i);
  const auto share = negateIf(opened, load(d, carry, i));
  return service ? hn::Sub(share, opened) : share; // the lanes of `opened` are 0 or -1
}

template <class R>
void openWordImpl(const WordRounding<R> &rounding, const OpenWord<R> &a, std::size_t n) {
  overElements<R>(n, [&](auto d, std::size_t i) {
    const auto q = negateIf(spread(d, a.l, i), roundedWord(d, rounding, a.y, i));
    hn::StoreU(hn::Add(q, load(d, a.d, i)), d, a.out + i);
  });
}

template <class R>
void selectServiceImpl(const WordRounding<R> &rounding, const SelectService<R> &a, std::size_t n) {
  overElements<R>(n, [&](auto d, std::size_t i) {
    const auto mu = spread(d, a.mu, i);
    const auto q = roundedWord(d, rounding, a.y, i);
    auto z = select(mu, q, hn::Add(load(d, a.select, i), hn::And(spread(d, a.l, i), q)));
    if (a.wrap) {
      const auto eA = spread(d, a.wrap->eA, i), eB = spread(d, a.wrap->eB, i);
      const auto s = hn::Add(negateIf(eB, load(d, a.wrap->b, i)), negateIf(eA, load(d, a.wrap->la, i)));
      const auto w = select(mu, negateIf(eA, load(d, a.wrap->a, i)), s);
      z = hn::Add(z, raise(w, rounding.t));
      z = hn::Add(z, carryWord(d, a.wrap->w, a.wrap->carry, i, true));
    }
    z = hn::Add(z, load(d, a.message, i));
    if (a.addend) z = hn::Add(z, load(d, a.addend, i));
    hn::StoreU(z, d, a.out + i);
  });
}

template <class R>
void selectClientImpl(const WordRounding<R> &rounding, const SelectClient<R> &a, std::size_t n) {
  overElements<R>(n, [&](auto d, std::size_t i) {
    const auto mu = spread(d, a.mu, i), l = spread(d, a.l, i);
    const auto q = hn::ShiftRightSame(load(d, a.r, i), rounding.t);
    auto z = select(mu, q, hn::Add(load(d, a.select, i), hn::And(l, load(d, a.word, i))));
    if (a.wrap) {
      const auto eA = spread(d, a.wrap->eA, i), eB = spread(d, a.wrap->eB, i);
      const auto nr = hn::And(spread(d, a.wrap->nr, i), hn::Set(d, 1));
      const auto whole = hn::Add(hn::And(eA, nr), negateIf(eA, load(d, a.wrap->a, i)));
      auto s = hn::Add(negateIf(eB, load(d, a.wrap->b, i)), negateIf(eA, load(d, a.wrap->la, i)));
      s = hn::Add(s, hn::Add(hn::And(eB, negateIf(l, nr)), hn::And(hn::And(eA, l), nr)));
      z = hn::Add(z, raise(select(mu, whole, s), rounding.t));
      z = hn::Add(z, carryWord(d, a.wrap->w, a.wrap->carry, i, false));
    }
    z = hn::Sub(z, load(d, a.mask, i));
    if (a.addend) z = hn::Add(z, load(d, a.addend, i));
    hn::StoreU(z, d, a.out + i);
  });
}

template <class R>
void truncateServiceImpl(const WordRounding<R> &rounding, const TruncateWords<R> &a, std::size_t n) {
  overElements<R>(n, [&](auto d, std::size_t i) {
    const auto w = negateIf(spread(d, a.e, i), load(d, a.wrap, i));
    auto z = hn::Add(roundedWord(d, rounding, a.value, i), raise(w, rounding.t));
    z = hn::Add(z, carryWord(d, a.w, a.carry, i, true));
    hn::StoreU(hn::Add(z, load(d, a.other, i)), d, a.out + i);
  });
}

template <class R>
void truncateClientImpl(const WordRounding<R> &rounding, const TruncateWords<R> &a, std::size_t n) {
  overElements<R>(n, [&](auto d, std::size_t i) {
    const auto e = spread(d, a.e, i), r = load(d, a.value, i);
    const auto nr = hn::Sub(hn::Set(d, 1), hn::ShiftRight<kBitsOf<R> - 1>(r));
    const auto w = hn::Add(hn::And(e, nr), negateIf(e, load(d, a.wrap, i)));
    auto z = hn::Add(hn::ShiftRightSame(r, rounding.t), raise(w, rounding.t));
    z = hn::Add(z, carryWord(d, a.w, a.carry, i, false));
    hn::StoreU(hn::Sub(z, load(d, a.other, i)), d, a.out + i);
  });
}

SD_RING_KERNEL(openWord);
SD_RING_KERNEL(selectService);
SD_RING_KERNEL(selectClient);
SD_RING_KERNEL(truncateService);
SD_RING_KERNEL(truncateClient);

} // namespace sd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace sd {

SD_RING_EXPORT(openWord);
SD_RING_EXPORT(selectService);
SD_RING_EXPORT(selectClient);
SD_RING_EXPORT(truncateService);
SD_RING_EXPORT(truncateClient);

template <RingWord R>
void openWord(const WordRounding<R> &rounding, const OpenWord<R> &args, std::size_t n) {
  SD_RING_DISPATCH(R, openWord)(rounding, args, n);
}
template <RingWord R>
void selectService(const WordRounding<R> &rounding, const SelectService<R> &args, std::size_t n) {
  SD_RING_DISPATCH(R, selectService)(rounding, args, n);
}
template <RingWord R>
void selectClient(const WordRounding<R> &rounding, const SelectClient<R> &args, std::size_t n) {
  SD_RING_DISPATCH(R, selectClient)(rounding, args, n);
}
template <RingWord R>
void truncateService(const WordRounding<R> &rounding, const TruncateWords<R> &args, std::size_t n) {
  SD_RING_DISPATCH(R, truncateService)(rounding, args, n);
}
template <RingWord R>
void truncateClient(const WordRounding<R> &rounding, const TruncateWords<R> &args, std::size_t n) {
  SD_RING_DISPATCH(R, truncateClient)(rounding, args, n);
}

template void openWord(const WordRounding<Ring32> &, const OpenWord<Ring32> &, std::size_t);
template void openWord(const WordRounding<Ring64> &, const OpenWord<Ring64> &, std::size_t);
template void selectService(const WordRounding<Ring32> &, const SelectService<Ring32> &, std::size_t);
template void selectService(const WordRounding<Ring64> &, const SelectService<Ring64> &, std::size_t);
template void selectClient(const WordRounding<Ring32> &, const SelectClient<Ring32> &, std::size_t);
template void selectClient(const WordRounding<Ring64> &, const SelectClient<Ring64> &, std::size_t);
template void truncateService(const WordRounding<Ring32> &, const TruncateWords<Ring32> &, std::size_t);
template void truncateService(const WordRounding<Ring64> &, const TruncateWords<Ring64> &, std::size_t);
template void truncateClient(const WordRounding<Ring32> &, const TruncateWords<Ring32> &, std::size_t);
template void truncateClient(const WordRounding<Ring64> &, const TruncateWords<Ring64> &, std::size_t);

} // namespace sd
#endif
