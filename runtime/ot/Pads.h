// Random oblivious transfer out of correlated OT, packed as its users need it: the correlation is broken by the hash of
// runtime/crypto/AesHash.h, and the pads come as bit planes, as words or as
// blocks. What is made of them:
//
// - correlated, XOR: the sender keeps zero[i] and sends zero ^ one ^ delta; the receiver computes
//   pad ^ (choice & correction) = zero ^ choice delta;
// - correlated, mod 2^l: the sender keeps zero[i] and sends zero + delta - one; the receiver computes
//   pad + choice correction = zero + choice delta;
// - chosen choice: the receiver sends wanted ^ choice, and the sender swaps zero and one where that is set;
// - chosen messages: the sender sends both, each under its pad.
//
// Bit i % 64 of word i / 64 of plane j, which starts at planes + j * stride, is bit j of pad i; bits past the last pad
// are zero. Both parties make the same calls in the same order.
#pragma once

#include "runtime/ot/Cot.h"

namespace sd {

inline constexpr std::size_t kPadTile = 4096; // pads a call at most
inline constexpr int kMaxPadPlanes = 16;

struct PadPlanes {
  std::uint64_t *data = nullptr;
  std::size_t stride = 0; // in words
};

class PadSender {
public:
  explicit PadSender(CotSender &cot);
  // n <= kPadTile transfers of `width` <= kMaxPadPlanes bits each.
  Expected<void> planes(std::size_t n, int width, PadPlanes zero, PadPlanes one);
  // 64 bits each.
  Expected<void> words(std::span<std::uint64_t> zero, std::span<std::uint64_t> one);
  // 128 bits each: a longer pad's seed.
  Expected<void> blocks(std::span<Block> zero, std::span<Block> one);

private:
  CotSender &cot_;
  PadHash hash_;
  SecretVector<Block> blocks_;
  SecretVector<std::uint64_t> words_; // both pads
};

class PadReceiver {
public:
  explicit PadReceiver(CotReceiver &cot);
  // `choices`: one plane, random.
  Expected<void> planes(std::size_t n, int width, std::uint64_t *choices, PadPlanes pads);
  Expected<void> words(std::uint64_t *choices, std::span<std::uint64_t> pads);
  Expected<void> blocks(std::uint64_t *choices, std::span<Block> pads);

private:
  Expected<void> next(std::size_t n, std::uint64_t *choices);
  CotReceiver &cot_;
  PadHash hash_;
  SecretVector<Block> blocks_;
  SecretVector<std::uint64_t> words_;
};

} // namespace sd
