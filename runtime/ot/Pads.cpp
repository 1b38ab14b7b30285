#include "runtime/ot/Pads.h"

#include <algorithm>
#include <cassert>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "runtime/ot/SessionKeys.h"

namespace sd {
namespace {

// out[j] gets bit j of each of 64 bytes, j < width <= 8.
void bytesToWords(const std::uint8_t *bytes, int width, std::uint64_t *out, std::size_t stride) {
#if defined(__SSE2__)
  for (int j = 0; j < width; ++j) {
    std::uint64_t word = 0;
    for (int part = 0; part < 4; ++part) {
      const __m128i v = _mm_load_si128(reinterpret_cast<const __m128i *>(bytes + 16 * part));
      const int mask = _mm_movemask_epi8(_mm_sll_epi16(v, _mm_cvtsi32_si128(7 - j)));
      word |= static_cast<std::uint64_t>(static_cast<std::uint32_t>(mask)) << (16 * part);
    }
    out[static_cast<std::size_t>(j) * stride] = word;
  }
#else
  for (int j = 0; j < width; ++j) {
    std::uint64_t word = 0;
    for (int i = 0; i < 64; ++i)
      word |= std::uint64_t{static_cast<std::uint8_t>(bytes[i] >> j & 1)} << i;
    out[static_cast<std::size_t>(j) * stride] = word;
  }
#endif
}

// Planes of the low `width` bits of get(i), i < n.
template <class Get>
void toPlanes(std::size_t n, int width, PadPlanes planes, const Get &get) {
  alignas(16) std::uint8_t bytes[64];
  for (int byte = 0; 8 * byte < width; ++byte) {
    std::uint64_t *out = planes.data + static_cast<std::size_t>(8 * byte) * planes.stride;
    for (std::size_t at = 0; at < n; at += 64) {
      const std::size_t count = std::min<std::size_t>(64, n - at);
      for (std::size_t i = 0; i < count; ++i)
        bytes[i] = static_cast<std::uint8_t>(get(at + i) >> (8 * byte));
      for (std::size_t i = count; i < 64; ++i)
        bytes[i] = 0;
      bytesToWords(bytes, std::min(8, width - 8 * byte), out + at / 64, planes.stride);
    }
  }
}

} // namespace

PadSender::PadSender(CotSender &cot)
    : cot_(cot), hash_(sessionBlock(cot.session(), KeyUse::Pads)), blocks_(kPadTile), words_(2 * kPadTile) {}

PadReceiver::PadReceiver(CotReceiver &cot)
    : cot_(cot), hash_(sessionBlock(cot.session(), KeyUse::Pads)), blocks_(kPadTile), words_(kPadTile) {}

Expected<void> PadSender::planes(std::size_t n, int width, PadPlanes zero, PadPlanes one) {
  assert(n <= kPadTile && width <= kMaxPadPlanes);
  SD_TRY(words(words_.span().first(n), words_.span().subspan(kPadTile, n)));
  toPlanes(n, width, zero, [&](std::size_t i) { return words_[i]; });
  toPlanes(n, width, one, [&](std::size_t i) { return words_[kPadTile + i]; });
  return {};
}

Expected<void> PadSender::words(std::span<std::uint64_t> zero, std::span<std::uint64_t> one) {
  assert(zero.size() <= kPadTile && one.size() == zero.size());
  const auto blocks = blocks_.span().first(zero.size());
  SD_TRY(cot_.extend(blocks));
  hash_.pairs(blocks, cot_.delta(), zero.data(), one.data());
  return {};
}

Expected<void> PadSender::blocks(std::span<Block> zero, std::span<Block> one) {
  assert(zero.size() <= kPadTile && one.size() == zero.size());
  const auto correlated = blocks_.span().first(zero.size());
  SD_TRY(cot_.extend(correlated));
  hash_.pairs(correlated, cot_.delta(), zero.data(), one.data());
  return {};
}

Expected<void> PadReceiver::next(std::size_t n, std::uint64_t *choices) {
  assert(n <= kPadTile);
  SD_TRY(cot_.extend(blocks_.span().first(n)));
  toPlanes(n, 1, {choices, 0}, [&](std::size_t i) { return blocks_[i].lo; });
  return {};
}

Expected<void> PadReceiver::planes(std::size_t n, int width, std::uint64_t *choices, PadPlanes pads) {
  assert(width <= kMaxPadPlanes);
  SD_TRY(words(choices, words_.span().first(n)));
  toPlanes(n, width, pads, [&](std::size_t i) { return words_[i]; });
  return {};
}

Expected<void> PadReceiver::words(std::uint64_t *choices, std::span<std::uint64_t> pads) {
  SD_TRY(next(pads.size(), choices));
  hash_.single(blocks_.span().first(pads.size()), pads.data());
  return {};
}

Expected<void> PadReceiver::blocks(std::uint64_t *choices, std::span<Block> pads) {
  SD_TRY(next(pads.size(), choices));
  hash_.single(blocks_.span().first(pads.size()), pads.data());
  return {};
}

} // namespace sd
