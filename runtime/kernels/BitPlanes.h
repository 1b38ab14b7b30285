// Bit planes: bit i % 64 of word i / 64 of plane j is bit j of element i. Bits past the last element are undefined.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "ir/core/Ring.h"

namespace sd {

inline constexpr std::size_t kPlaneBits = 64;
constexpr std::size_t planeWords(std::size_t elements) { return (elements + kPlaneBits - 1) / kPlaneBits; }
constexpr std::size_t bytesOfBits(std::size_t bits) { return (bits + 7) / 8; }

// A run of planes `stride` words apart; `at` moves the view along the elements, 64 at a time.
template <class Word>
struct BasicPlanes {
  Word *data = nullptr;
  std::size_t stride = 0;
  Word *operator[](std::size_t plane) const { return data + plane * stride; }
  BasicPlanes from(std::size_t plane) const { return {data + plane * stride, stride}; }
  BasicPlanes at(std::size_t word) const { return {data + word, stride}; }
  operator BasicPlanes<const Word>() const { return {data, stride}; }
};
using PlanesRef = BasicPlanes<std::uint64_t>;
using ConstPlanesRef = BasicPlanes<const std::uint64_t>;

// Planes first .. first + count - 1 of `words` into out[0 .. count - 1]; bits past the last element are zero.
void wordsToPlanes(std::span<const Ring32> words, int first, int count, PlanesRef out);
void wordsToPlanes(std::span<const Ring64> words, int first, int count, PlanesRef out);

// words[i] = sum of planes[j][i] << j over j < count.
void planesToWords(ConstPlanesRef planes, int count, std::span<Ring32> words);
void planesToWords(ConstPlanesRef planes, int count, std::span<Ring64> words);

// out[i] = table[index of element i][i], index given by `bits` planes, least significant first; table has 2^bits
// planes, bits <= 4. Every entry is read whatever the index.
void lookupPlanes(ConstPlanesRef table, ConstPlanesRef index, int bits, std::uint64_t *out, std::size_t words);

// Swaps a[i] and b[i] where choice[i] is set.
void swapPlanes(std::uint64_t *a, std::uint64_t *b, const std::uint64_t *choice, std::size_t words);

// out ^= a.
void xorPlanes(std::uint64_t *out, const std::uint64_t *a, std::size_t words);
// out ^= a & b.
void xorAndPlanes(std::uint64_t *out, const std::uint64_t *a, const std::uint64_t *b, std::size_t words);

// Concatenates bit strings without padding between them; little-endian in bits and bytes.
class BitWriter {
public:
  explicit BitWriter(std::span<std::uint8_t> out) : out_(out) {}
  void plane(const std::uint64_t *words, std::size_t elements);
  // The low `bits` of each word, 1 to all of them.
  void fields(std::span<const Ring32> words, int bits);
  void fields(std::span<const Ring64> words, int bits);
  // Pads the last byte with zeros; returns the bytes written.
  std::size_t finish();

private:
  void put(std::uint64_t value, unsigned bits);
  template <RingWord R>
  void putFields(std::span<const R> words, int bits);
  std::span<std::uint8_t> out_;
  std::size_t at_ = 0;
  std::uint64_t pending_ = 0;
  unsigned used_ = 0;
};

class BitReader {
public:
  explicit BitReader(std::span<const std::uint8_t> in) : in_(in) {}
  void plane(std::uint64_t *words, std::size_t elements);
  void fields(std::span<Ring32> words, int bits);
  void fields(std::span<Ring64> words, int bits);
  // True if the bits between the last one read and the end of its byte are zero, and no byte follows.
  bool finish() const;

private:
  std::uint64_t take(unsigned bits);
  template <RingWord R>
  void takeFields(std::span<R> words, int bits);
  std::span<const std::uint8_t> in_;
  std::size_t at_ = 0; // in bits
};

} // namespace sd
