#include "runtime/kernels/ByteLimbs.h"

#include <cstring>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "runtime/kernels/ByteLimbs.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace sd::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// One row, tap and block: channels [0, count) of the block, `taps` words apart.
void packRow(const Ring32 *w, std::int64_t taps, std::int64_t count, std::uint8_t *out) {
  const hn::CappedTag<Ring32, 16> d;
  const hn::Rebind<std::int32_t, decltype(d)> index;
  const hn::Rebind<std::uint8_t, decltype(d)> bytes;
  const std::int64_t lanes = static_cast<std::int64_t>(hn::Lanes(d));
  const auto steps = hn::Mul(hn::Iota(index, 0), hn::Set(index, static_cast<std::int32_t>(taps)));
  constexpr std::int64_t kLimbBytes = kByteRows * kByteDepth;
  std::int64_t c = 0;
  for (; c + lanes <= count; c += lanes) {
    auto words = taps == 1 ? hn::LoadU(d, w + c) : hn::GatherIndex(d, w + c * taps, steps);
    for (int i = 0; i < kLimbs; ++i, words = hn::ShiftRight<8>(words))
      hn::StoreU(hn::TruncateTo(bytes, words), bytes, out + i * kLimbBytes + c);
  }
  for (; c < kByteDepth; ++c)
    for (int i = 0; i < kLimbs; ++i)
      out[i * kLimbBytes + c] = c < count ? static_cast<std::uint8_t>(w[c * taps] >> 8 * i) : 0;
}

void packQuad(const Ring32 *a, const Ring32 *b, const Ring32 *c, const Ring32 *e, std::int64_t size, Ring32 *out,
              std::int64_t limbStride) {
  const hn::ScalableTag<Ring32> d;
  const std::int64_t lanes = static_cast<std::int64_t>(hn::Lanes(d));
  const auto low = hn::Set(d, 0xff), second = hn::Set(d, 0xff00), lowHalf = hn::Set(d, 0xffff);
  const auto pack = [&](auto va, auto vb, auto vc, auto ve, std::int64_t q) {
    // Pairs of limbs first: bytes 0 and 1 of a and b, of c and e; then bytes 2 and 3.
    for (int half = 0; half < 2; ++half) {
      const auto even = [&](auto x, auto y) { return hn::Or(hn::And(x, low), hn::And(hn::ShiftLeft<8>(y), second)); };
      const auto odd = [&](auto x, auto y) { return hn::Or(hn::And(hn::ShiftRight<8>(x), low), hn::And(y, second)); };
      const auto join = [&](auto x, auto y) { return hn::Or(hn::And(x, lowHalf), hn::ShiftLeft<16>(y)); };
      hn::StoreU(join(even(va, vb), even(vc, ve)), d, out + 2 * half * limbStride + q);
      hn::StoreU(join(odd(va, vb), odd(vc, ve)), d, out + (2 * half + 1) * limbStride + q);
      va = hn::ShiftRight<16>(va), vb = hn::ShiftRight<16>(vb);
      vc = hn::ShiftRight<16>(vc), ve = hn::ShiftRight<16>(ve);
    }
  };
  std::int64_t q = 0;
  for (; q + lanes <= size; q += lanes)
    pack(hn::LoadU(d, a + q), hn::LoadU(d, b + q), hn::LoadU(d, c + q), hn::LoadU(d, e + q), q);
  for (; q < size; ++q)
    for (int i = 0; i < kLimbs; ++i)
      out[i * limbStride + q] = (a[q] >> 8 * i & 255) | (b[q] >> 8 * i & 255) << 8 | (c[q] >> 8 * i & 255) << 16 |
                                (e[q] >> 8 * i & 255) << 24;
}

} // namespace sd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace sd {

HWY_EXPORT(packRow);
HWY_EXPORT(packQuad);

std::int64_t byteWeightsSize(std::int64_t rows, std::int64_t channels, std::int64_t taps) {
  const auto divideUp = [](std::int64_t a, std::int64_t b) { return (a + b - 1) / b; };
  return divideUp(rows, kByteRows) * divideUp(channels, kByteDepth) * taps * kByteStep;
}

void packByteWeights(const Ring32 *w, std::int64_t wStride, std::int64_t rows, std::int64_t channels, std::int64_t taps,
                     std::uint8_t *out) {
  const auto row = HWY_DYNAMIC_DISPATCH(packRow);
  if (rows % kByteRows) std::memset(out, 0, byteWeightsSize(rows, channels, taps));
  for (std::int64_t first = 0; first < rows; first += kByteRows)
    for (std::int64_t c = 0; c < channels; c += kByteDepth)
      for (std::int64_t t = 0; t < taps; ++t, out += kByteStep)
        for (std::int64_t m = 0; m < std::min(kByteRows, rows - first); ++m)
          row(w + (first + m) * wStride + c * taps + t, taps, std::min(kByteDepth, channels - c), out + m * kByteDepth);
}

void packByteQuad(const Ring32 *x, std::int64_t xStride, std::int64_t channels, std::int64_t size, Ring32 *out,
                  std::int64_t limbStride) {
  // A channel that does not exist may be any: its weights are zero.
  const auto plane = [&](std::int64_t c) { return x + std::min(c, channels - 1) * xStride; };
  HWY_DYNAMIC_DISPATCH(packQuad)(plane(0), plane(1), plane(2), plane(3), size, out, limbStride);
}

} // namespace sd
#endif
