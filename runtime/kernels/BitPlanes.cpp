#include "runtime/kernels/BitPlanes.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstring>

#include "runtime/kernels/RingDispatch.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "runtime/kernels/BitPlanes.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace sd::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// One plane word from up to 64 elements; a partial mask of 2 or 4 lanes is gathered bit by bit.
template <class D, class R>
std::uint64_t gatherBit(D d, const R *words, R bit) {
  const std::size_t lanes = hn::Lanes(d);
  const auto test = hn::Set(d, bit);
  std::uint64_t out = 0;
  for (std::size_t i = 0; i < kPlaneBits; i += lanes) {
    std::uint64_t chunk = 0;
    hn::StoreMaskBits(d, hn::TestBit(hn::LoadU(d, words + i), test), reinterpret_cast<std::uint8_t *>(&chunk));
    out |= chunk << i;
  }
  return out;
}

template <class R>
void wordsToPlanesImpl(const R *words, std::size_t n, int first, int count, PlanesRef out) {
  const hn::CappedTag<R, 16> d;
  std::size_t w = 0;
  for (; (w + 1) * kPlaneBits <= n; ++w)
    for (int j = 0; j < count; ++j)
      out[j][w] = gatherBit(d, words + w * kPlaneBits, R{1} << (first + j));
  if (w * kPlaneBits < n) {
    R tail[kPlaneBits] = {};
    std::copy(words + w * kPlaneBits, words + n, tail);
    for (int j = 0; j < count; ++j)
      out[j][w] = gatherBit(d, tail, R{1} << (first + j));
  }
}

template <int kBits>
void lookupBits(ConstPlanesRef table, ConstPlanesRef index, std::uint64_t *out, std::size_t words) {
  const hn::ScalableTag<std::uint64_t> d;
  const std::size_t lanes = hn::Lanes(d);
  const auto step = [&](auto tag, std::size_t w) {
    using V = hn::VFromD<decltype(tag)>;
    V values[1 << kBits];
    for (int e = 0; e < 1 << kBits; ++e)
      values[e] = hn::LoadU(tag, table[e] + w);
    for (int j = 0; j < kBits; ++j) {
      const V select = hn::LoadU(tag, index[j] + w);
      for (int e = 0; e < 1 << (kBits - 1 - j); ++e)
        values[e] = hn::Xor(values[2 * e], hn::And(select, hn::Xor(values[2 * e], values[2 * e + 1])));
    }
    hn::StoreU(values[0], tag, out + w);
  };
  std::size_t w = 0;
  for (; w + lanes <= words; w += lanes)
    step(d, w);
  for (; w < words; ++w)
    step(hn::CappedTag<std::uint64_t, 1>(), w);
}

void lookupPlanesImpl(ConstPlanesRef table, ConstPlanesRef index, int bits, std::uint64_t *out, std::size_t words) {
  switch (bits) {
  case 1:
    return lookupBits<1>(table, index, out, words);
  case 2:
    return lookupBits<2>(table, index, out, words);
  case 3:
    return lookupBits<3>(table, index, out, words);
  default:
    return lookupBits<4>(table, index, out, words);
  }
}

SD_RING_KERNEL(wordsToPlanes);

} // namespace sd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace sd {

static_assert(std::endian::native == std::endian::little, "planes are copied to messages as they lie in memory");

SD_RING_EXPORT(wordsToPlanes);
HWY_EXPORT(lookupPlanesImpl);

namespace {

template <RingWord R>
void toPlanes(std::span<const R> words, int first, int count, PlanesRef out) {
  assert(first >= 0 && count >= 0 && first + count <= kBitsOf<R>);
  SD_RING_DISPATCH(R, wordsToPlanes)(words.data(), words.size(), first, count, out);
}

template <RingWord R>
void toWords(ConstPlanesRef planes, int count, std::span<R> words) {
  assert(count <= kBitsOf<R>);
  for (std::size_t i = 0; i < words.size(); ++i) {
    R value = 0;
    for (int j = 0; j < count; ++j)
      value |= static_cast<R>(planes[j][i / kPlaneBits] >> (i % kPlaneBits) & 1) << j;
    words[i] = value;
  }
}

} // namespace

void wordsToPlanes(std::span<const Ring32> words, int first, int count, PlanesRef out) {
  toPlanes(words, first, count, out);
}
void wordsToPlanes(std::span<const Ring64> words, int first, int count, PlanesRef out) {
  toPlanes(words, first, count, out);
}

void planesToWords(ConstPlanesRef planes, int count, std::span<Ring32> words) { toWords(planes, count, words); }
void planesToWords(ConstPlanesRef planes, int count, std::span<Ring64> words) { toWords(planes, count, words); }

void lookupPlanes(ConstPlanesRef table, ConstPlanesRef index, int bits, std::uint64_t *out, std::size_t words) {
  assert(bits >= 1 && bits <= 4);
  HWY_DYNAMIC_DISPATCH(lookupPlanesImpl)(table, index, bits, out, words);
}

void swapPlanes(std::uint64_t *a, std::uint64_t *b, const std::uint64_t *choice, std::size_t words) {
  for (std::size_t w = 0; w < words; ++w) {
    const std::uint64_t change = (a[w] ^ b[w]) & choice[w];
    a[w] ^= change;
    b[w] ^= change;
  }
}

void xorPlanes(std::uint64_t *out, const std::uint64_t *a, std::size_t words) {
  for (std::size_t w = 0; w < words; ++w)
    out[w] ^= a[w];
}

void xorAndPlanes(std::uint64_t *out, const std::uint64_t *a, const std::uint64_t *b, std::size_t words) {
  for (std::size_t w = 0; w < words; ++w)
    out[w] ^= a[w] & b[w];
}

namespace {
constexpr std::uint64_t lowBits(unsigned bits) {
  return bits >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << bits) - 1;
}
} // namespace

void BitWriter::put(std::uint64_t value, unsigned bits) {
  pending_ |= value << used_;
  if (used_ + bits < 64) {
    used_ += bits;
    return;
  }
  assert(at_ + 8 <= out_.size());
  std::memcpy(out_.data() + at_, &pending_, 8);
  at_ += 8;
  pending_ = used_ == 0 ? 0 : value >> (64 - used_);
  used_ = used_ + bits - 64;
}

void BitWriter::plane(const std::uint64_t *words, std::size_t elements) {
  const std::size_t full = elements / kPlaneBits;
  if (used_ == 0) {
    assert(at_ + full * 8 <= out_.size());
    std::memcpy(out_.data() + at_, words, full * 8);
    at_ += full * 8;
  } else {
    for (std::size_t w = 0; w < full; ++w)
      put(words[w], 64);
  }
  if (const unsigned rest = elements % kPlaneBits) put(words[full] & lowBits(rest), rest);
}

template <RingWord R>
void BitWriter::putFields(std::span<const R> words, int bits) {
  assert(bits >= 1 && bits <= kBitsOf<R>);
  for (const R word : words)
    put(word & lowBits(static_cast<unsigned>(bits)), static_cast<unsigned>(bits));
}

void BitWriter::fields(std::span<const Ring32> words, int bits) { putFields(words, bits); }
void BitWriter::fields(std::span<const Ring64> words, int bits) { putFields(words, bits); }

std::size_t BitWriter::finish() {
  const std::size_t bytes = bytesOfBits(used_);
  assert(at_ + bytes <= out_.size());
  if (bytes > 0) std::memcpy(out_.data() + at_, &pending_, bytes);
  at_ += bytes;
  pending_ = 0;
  used_ = 0;
  return at_;
}

std::uint64_t BitReader::take(unsigned bits) {
  assert(at_ + bits <= in_.size() * 8);
  const std::size_t byte = at_ / 8;
  const unsigned shift = at_ % 8;
  std::uint64_t value = 0;
  std::memcpy(&value, in_.data() + byte, std::min<std::size_t>(8, in_.size() - byte));
  value >>= shift;
  if (shift + bits > 64) value |= static_cast<std::uint64_t>(in_[byte + 8]) << (64 - shift);
  at_ += bits;
  return value & lowBits(bits);
}

void BitReader::plane(std::uint64_t *words, std::size_t elements) {
  const std::size_t full = elements / kPlaneBits;
  if (at_ % 8 == 0) {
    assert(at_ / 8 + full * 8 <= in_.size());
    std::memcpy(words, in_.data() + at_ / 8, full * 8);
    at_ += full * kPlaneBits;
  } else {
    for (std::size_t w = 0; w < full; ++w)
      words[w] = take(64);
  }
  if (const unsigned rest = elements % kPlaneBits) words[full] = take(rest);
}

template <RingWord R>
void BitReader::takeFields(std::span<R> words, int bits) {
  assert(bits >= 1 && bits <= kBitsOf<R>);
  for (R &word : words)
    word = static_cast<R>(take(static_cast<unsigned>(bits)));
}

void BitReader::fields(std::span<Ring32> words, int bits) { takeFields(words, bits); }
void BitReader::fields(std::span<Ring64> words, int bits) { takeFields(words, bits); }

bool BitReader::finish() const {
  if (bytesOfBits(at_) != in_.size()) return false;
  return at_ % 8 == 0 || in_.back() >> (at_ % 8) == 0;
}

} // namespace sd
#endif
