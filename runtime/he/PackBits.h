// Values of a given number of bits, concatenated, little-endian; the last byte is padded with zeros.
#pragma once

#include <cassert>
#include <cstdint>
#include <cstring>
#include <span>

namespace sd {

inline std::size_t packedBytes(std::size_t count, int bits) { return (count * bits + 7) / 8; }

// `Word` is unsigned, and at least 7 bits wider than a value.
template <class Word>
void packBits(std::span<const Word> values, int bits, std::span<std::uint8_t> out) {
  assert(bits + 7 <= static_cast<int>(8 * sizeof(Word)) && out.size() == packedBytes(values.size(), bits));
  Word pending = 0;
  int have = 0;
  std::uint8_t *to = out.data();
  for (const Word v : values) {
    pending |= v << have;
    for (have += bits; have >= 32; have -= 32, to += 4, pending >>= 32) {
      const auto word = static_cast<std::uint32_t>(pending);
      std::memcpy(to, &word, 4);
    }
    for (; have >= 8; have -= 8, pending >>= 8)
      *to++ = static_cast<std::uint8_t>(pending);
  }
  if (have > 0) *to = static_cast<std::uint8_t>(pending);
}

template <class Word>
void unpackBits(std::span<const std::uint8_t> in, int bits, std::span<Word> values) {
  assert(bits + 7 <= static_cast<int>(8 * sizeof(Word)) && in.size() == packedBytes(values.size(), bits));
  const Word mask = (Word{1} << bits) - 1;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::size_t at = i * bits, byte = at / 8;
    Word word = 0;
    if (in.size() - byte >= sizeof(Word))
      std::memcpy(&word, in.data() + byte, sizeof(Word));
    else
      std::memcpy(&word, in.data() + byte, in.size() - byte);
    values[i] = word >> (at % 8) & mask;
  }
}

} // namespace sd
