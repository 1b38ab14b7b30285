// Bit planes of secret bits, and messages of them.
#pragma once

#include "runtime/crypto/Random.h"
#include "runtime/crypto/Secret.h"
#include "runtime/kernels/BitPlanes.h"

namespace sd {

// `count` planes of `elements` bits, one after another. Move-only; wiped when freed.
class SecretPlanes {
public:
  SecretPlanes() = default;
  SecretPlanes(std::size_t elements, int count)
      : elements_(elements), count_(count), words_(planeWords(elements) * static_cast<std::size_t>(count)) {}

  // Uniform bits; those past the last element too.
  static SecretPlanes random(std::size_t elements, int count, Prg &prg) {
    SecretPlanes planes(elements, count);
    prg.fill(planes.words_.span());
    return planes;
  }

  std::size_t elements() const { return elements_; }
  std::size_t stride() const { return planeWords(elements_); }
  int count() const { return count_; }
  PlanesRef ref() { return {words_.data(), stride()}; }
  ConstPlanesRef ref() const { return {words_.data(), stride()}; }
  std::uint64_t *operator[](int plane) { return words_.data() + stride() * static_cast<std::size_t>(plane); }
  const std::uint64_t *operator[](int plane) const {
    return words_.data() + stride() * static_cast<std::size_t>(plane);
  }
  bool bit(int plane, std::size_t element) const { return (*this)[plane][element / 64] >> (element % 64) & 1; }
  std::span<std::uint64_t> words() { return words_.span(); }
  std::span<const std::uint64_t> words() const { return words_.span(); }

private:
  std::size_t elements_ = 0;
  int count_ = 0;
  SecretVector<std::uint64_t> words_;
};

template <RingWord R>
SecretVector<R> randomRing(std::size_t elements, Prg &prg) {
  SecretVector<R> words(elements);
  prg.fill(words.span());
  return words;
}

} // namespace sd
