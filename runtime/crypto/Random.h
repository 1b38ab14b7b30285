// The one source of randomness. A root seed comes from OpenSSL; everything else is an AES-128-CTR stream with a name.
// Randomness is always passed in; nothing here falls back to a weaker source.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <type_traits>

#include "ir/core/Error.h"

namespace sd {

// 128 secret bits; wiped when destroyed.
class Seed {
public:
  static constexpr std::size_t kBytes = 16;
  Seed() = default;
  explicit Seed(std::span<const std::uint8_t, kBytes> bytes);
  Seed(const Seed &) = default;
  Seed &operator=(const Seed &) = default;
  ~Seed();
  std::span<const std::uint8_t, kBytes> bytes() const { return bytes_; }

  // 128 fresh bits of the operating system's entropy (RAND_priv_bytes); an error if there is none.
  static Expected<Seed> fresh();

  // The seed of the stream `name` (HKDF-SHA256 with the name as info): equal names give equal streams.
  Seed derive(std::string_view name) const;

private:
  std::array<std::uint8_t, kBytes> bytes_{};
};

// An AES-128-CTR key stream. Not copyable: a stream is consumed once.
class Prg {
public:
  explicit Prg(const Seed &seed) : Prg(seed, 0) {}
  // `nonce` is the counter's upper half. Where many streams start from keys of which an attacker knows outputs, nonces
  // of their own spare them from being searched for all at once.
  Prg(const Seed &seed, std::uint64_t nonce);
  Prg(Prg &&) noexcept;
  Prg &operator=(Prg &&) noexcept;
  ~Prg();

  void fill(std::span<std::uint8_t> out);
  template <class T>
  void fill(std::span<T> out) {
    static_assert(std::is_trivially_copyable_v<T>);
    fill(std::span<std::uint8_t>(reinterpret_cast<std::uint8_t *>(out.data()), out.size_bytes()));
  }
  template <class T>
  T next() {
    T value;
    fill(std::span<T>(&value, 1));
    return value;
  }

private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

} // namespace sd
