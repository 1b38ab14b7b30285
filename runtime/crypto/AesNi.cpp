// One block an instruction (AES-NI), eight in flight.
#include "runtime/crypto/AesBackends.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define SD_TARGET __attribute__((target("aes,sse4.1")))

namespace sd::detail {
namespace {

constexpr std::size_t kLanes = 8;

SD_TARGET inline __m128i load(const Block *p) { return _mm_load_si128(reinterpret_cast<const __m128i *>(p)); }
SD_TARGET inline void store(Block *p, __m128i v) { _mm_store_si128(reinterpret_cast<__m128i *>(p), v); }
SD_TARGET inline __m128i sigma(__m128i x) {
  const __m128i swapped = _mm_shuffle_epi32(x, 0x4e);
  return _mm_xor_si128(swapped, _mm_slli_si128(_mm_srli_si128(x, 8), 8));
}

SD_TARGET inline void encrypt(const AesKey &key, __m128i *x, std::size_t n) {
  const __m128i first = load(&key.roundKeys[0]), last = load(&key.roundKeys[10]);
  for (std::size_t i = 0; i < n; ++i)
    x[i] = _mm_xor_si128(x[i], first);
  for (int round = 1; round < 10; ++round) {
    const __m128i k = load(&key.roundKeys[round]);
    for (std::size_t i = 0; i < n; ++i)
      x[i] = _mm_aesenc_si128(x[i], k);
  }
  for (std::size_t i = 0; i < n; ++i)
    x[i] = _mm_aesenclast_si128(x[i], last);
}

SD_TARGET void counter(const AesKey &key, std::uint64_t first, Block *out, std::size_t n) {
  __m128i x[kLanes];
  for (std::size_t at = 0; at < n; at += kLanes) {
    const std::size_t count = n - at < kLanes ? n - at : kLanes;
    for (std::size_t i = 0; i < count; ++i)
      x[i] = _mm_set_epi64x(0, static_cast<long long>(first + at + i));
    if (count == kLanes)
      encrypt(key, x, kLanes);
    else
      encrypt(key, x, count);
    for (std::size_t i = 0; i < count; ++i)
      store(out + at + i, x[i]);
  }
}

SD_TARGET inline void hashLanes(const AesKey &key, __m128i offset, const Block *in, __m128i *h, std::size_t count) {
  __m128i plain[kLanes];
  for (std::size_t i = 0; i < count; ++i)
    h[i] = plain[i] = sigma(_mm_xor_si128(load(in + i), offset));
  if (count == kLanes)
    encrypt(key, h, kLanes);
  else
    encrypt(key, h, count);
  for (std::size_t i = 0; i < count; ++i)
    h[i] = _mm_xor_si128(h[i], plain[i]);
}

SD_TARGET void hash(const AesKey &key, Block offset, const Block *in, Block *out, std::size_t n) {
  __m128i h[kLanes];
  for (std::size_t at = 0; at < n; at += kLanes) {
    const std::size_t count = n - at < kLanes ? n - at : kLanes;
    hashLanes(key, load(&offset), in + at, h, count);
    for (std::size_t i = 0; i < count; ++i)
      store(out + at + i, h[i]);
  }
}

SD_TARGET void hashLow(const AesKey &key, Block offset, const Block *in, std::uint64_t *out, std::size_t n) {
  __m128i h[kLanes];
  for (std::size_t at = 0; at < n; at += kLanes) {
    const std::size_t count = n - at < kLanes ? n - at : kLanes;
    hashLanes(key, load(&offset), in + at, h, count);
    for (std::size_t i = 0; i < count; ++i)
      out[at + i] = static_cast<std::uint64_t>(_mm_cvtsi128_si64(h[i]));
  }
}

SD_TARGET Block expandLevel(const AesKey &key, Block mask, Block *nodes, std::size_t n) {
  __m128i h[kLanes], sum = _mm_setzero_si128();
  const __m128i keep = load(&mask);
  for (std::size_t at = 0; at < n; at += kLanes) {
    const std::size_t count = n - at < kLanes ? n - at : kLanes;
    hashLanes(key, _mm_setzero_si128(), nodes + at, h, count);
    for (std::size_t i = 0; i < count; ++i) {
      sum = _mm_xor_si128(sum, h[i]);
      store(nodes + n + at + i, _mm_and_si128(_mm_xor_si128(load(nodes + at + i), h[i]), keep));
      store(nodes + at + i, _mm_and_si128(h[i], keep));
    }
  }
  Block result;
  store(&result, sum);
  return result;
}

SD_TARGET void stretch(const AesKey *keys, const Block *seeds, Block *out, std::size_t n) {
  __m128i x[kLanes];
  for (std::size_t j = 0; j < 4; ++j) {
    for (std::size_t at = 0; at < n; at += kLanes) {
      const std::size_t count = n - at < kLanes ? n - at : kLanes;
      for (std::size_t i = 0; i < count; ++i)
        x[i] = load(seeds + at + i);
      if (count == kLanes)
        encrypt(keys[j], x, kLanes);
      else
        encrypt(keys[j], x, count);
      for (std::size_t i = 0; i < count; ++i)
        store(out + 4 * (at + i) + j, _mm_xor_si128(x[i], load(seeds + at + i)));
    }
  }
}

} // namespace

const AesKernels *aesNi() {
  static const AesKernels kernels{AesBackend::AesNi, "aes-ni", counter, hash, hashLow, expandLevel, stretch};
  return __builtin_cpu_supports("aes") && __builtin_cpu_supports("sse4.1") ? &kernels : nullptr;
}

} // namespace sd::detail

#else

namespace sd::detail {
const AesKernels *aesNi() { return nullptr; }
} // namespace sd::detail

#endif
