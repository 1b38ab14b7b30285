// The pads of random OTs as words of the ring: the next OTs of `ots`, as many as a span has words, at most kPadTile.
#pragma once

#include <type_traits>

#include "ir/core/Ring.h"
#include "runtime/ot/Pads.h"

namespace sd {

// A pad of two words.
template <RingWord R>
using WidePad = std::conditional_t<kBitsOf<R> == 64, Block, std::uint64_t>;

template <RingWord R>
void splitPads(std::span<const WidePad<R>> pads, std::span<R> first, std::span<R> second) {
  for (std::size_t i = 0; i < pads.size(); ++i)
    if constexpr (kBitsOf<R> == 64)
      first[i] = pads[i].lo, second[i] = pads[i].hi;
    else
      first[i] = static_cast<R>(pads[i]), second[i] = static_cast<R>(pads[i] >> kBitsOf<R>);
}

template <RingWord R>
void narrowPads(std::span<const std::uint64_t> pads, std::span<R> words) {
  for (std::size_t i = 0; i < pads.size(); ++i)
    words[i] = static_cast<R>(pads[i]);
}

// The receiver's pads, and its random choices as a plane.
template <RingWord R>
Expected<void> ringPads(PadReceiver &ots, std::uint64_t *choices, std::span<R> pads) {
  SecretVector<std::uint64_t> whole(pads.size());
  SD_TRY(ots.words(choices, whole.span()));
  narrowPads<R>(whole.span(), pads);
  return {};
}

// Two words of each OT.
template <RingWord R>
Expected<void> ringPads(PadReceiver &ots, std::uint64_t *choices, std::span<R> first, std::span<R> second) {
  SecretVector<WidePad<R>> whole(first.size());
  if constexpr (kBitsOf<R> == 64)
    SD_TRY(ots.blocks(choices, whole.span()));
  else
    SD_TRY(ots.words(choices, whole.span()));
  splitPads<R>(whole.span(), first, second);
  return {};
}

// Both pads of each OT, the sender's.
template <RingWord R>
struct PadPairs {
  SecretVector<R> zero, one;
  explicit PadPairs(std::size_t n) : zero(n), one(n) {}
};

template <RingWord R>
Expected<void> ringPads(PadSender &ots, PadPairs<R> &pads) {
  const std::size_t n = pads.zero.size();
  SecretVector<std::uint64_t> zero(n), one(n);
  SD_TRY(ots.words(zero.span(), one.span()));
  narrowPads<R>(zero.span(), pads.zero.span());
  narrowPads<R>(one.span(), pads.one.span());
  return {};
}

template <RingWord R>
Expected<void> ringPads(PadSender &ots, PadPairs<R> &first, PadPairs<R> &second) {
  const std::size_t n = first.zero.size();
  SecretVector<WidePad<R>> zero(n), one(n);
  if constexpr (kBitsOf<R> == 64)
    SD_TRY(ots.blocks(zero.span(), one.span()));
  else
    SD_TRY(ots.words(zero.span(), one.span()));
  splitPads<R>(zero.span(), first.zero.span(), second.zero.span());
  splitPads<R>(one.span(), first.one.span(), second.one.span());
  return {};
}

} // namespace sd
