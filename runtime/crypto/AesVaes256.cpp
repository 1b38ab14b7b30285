// Two blocks an instruction (VAES on 256 bits), eight instructions in flight: for processors without AVX-512.
#include "runtime/crypto/AesBackends.h"

#if defined(__x86_64__)
#include <immintrin.h>

#include <cstring>

#define SD_TARGET __attribute__((target("vaes,aes,avx2")))

namespace sd::detail {
namespace {

constexpr std::size_t kWide = 8;          // registers in flight
constexpr std::size_t kLanes = 2 * kWide; // blocks a step

SD_TARGET inline __m256i spread(const Block &b) {
  return _mm256_broadcastsi128_si256(_mm_load_si128(reinterpret_cast<const __m128i *>(&b)));
}

SD_TARGET inline __m256i sigma(__m256i x) {
  // Low half: the old high half; high half: the XOR of both.
  return _mm256_xor_si256(_mm256_shuffle_epi32(x, 0x4e), _mm256_blend_epi32(_mm256_setzero_si256(), x, 0xcc));
}

SD_TARGET inline void load(const Block *in, __m256i (&x)[kWide]) {
  for (std::size_t i = 0; i < kWide; ++i)
    x[i] = _mm256_loadu_si256(reinterpret_cast<const __m256i *>(in + 2 * i));
}

SD_TARGET inline void store(const __m256i (&x)[kWide], Block *out) {
  for (std::size_t i = 0; i < kWide; ++i)
    _mm256_storeu_si256(reinterpret_cast<__m256i *>(out + 2 * i), x[i]);
}

// The first `count` of kLanes blocks; the others are read as zero, and not written.
SD_TARGET inline void load(const Block *in, std::size_t count, __m256i (&x)[kWide]) {
  if (count == kLanes) return load(in, x);
  alignas(32) Block padded[kLanes] = {};
  std::memcpy(padded, in, count * sizeof(Block));
  load(padded, x);
}

SD_TARGET inline void store(const __m256i (&x)[kWide], Block *out, std::size_t count) {
  if (count == kLanes) return store(x, out);
  alignas(32) Block padded[kLanes];
  store(x, padded);
  std::memcpy(out, padded, count * sizeof(Block));
}

SD_TARGET inline void encrypt(const AesKey &key, __m256i (&x)[kWide]) {
  const __m256i first = spread(key.roundKeys[0]), last = spread(key.roundKeys[10]);
  for (std::size_t i = 0; i < kWide; ++i)
    x[i] = _mm256_xor_si256(x[i], first);
  for (int round = 1; round < 10; ++round) {
    const __m256i k = spread(key.roundKeys[round]);
    for (std::size_t i = 0; i < kWide; ++i)
      x[i] = _mm256_aesenc_epi128(x[i], k);
  }
  for (std::size_t i = 0; i < kWide; ++i)
    x[i] = _mm256_aesenclast_epi128(x[i], last);
}

SD_TARGET void counter(const AesKey &key, std::uint64_t first, Block *out, std::size_t n) {
  for (std::size_t at = 0; at < n; at += kLanes) {
    __m256i x[kWide];
    for (std::size_t i = 0; i < kWide; ++i)
      x[i] = _mm256_set_epi64x(0, static_cast<long long>(first + at + 2 * i + 1), 0,
                               static_cast<long long>(first + at + 2 * i));
    encrypt(key, x);
    store(x, out + at, n - at < kLanes ? n - at : kLanes);
  }
}

SD_TARGET inline void hashLanes(const AesKey &key, __m256i offset, const Block *in, std::size_t count,
                                __m256i (&h)[kWide]) {
  __m256i plain[kWide];
  load(in, count, h);
  for (std::size_t i = 0; i < kWide; ++i)
    h[i] = plain[i] = sigma(_mm256_xor_si256(h[i], offset));
  encrypt(key, h);
  for (std::size_t i = 0; i < kWide; ++i)
    h[i] = _mm256_xor_si256(h[i], plain[i]);
}

SD_TARGET void hash(const AesKey &key, Block offset, const Block *in, Block *out, std::size_t n) {
  __m256i h[kWide];
  for (std::size_t at = 0; at < n; at += kLanes) {
    const std::size_t count = n - at < kLanes ? n - at : kLanes;
    hashLanes(key, spread(offset), in + at, count, h);
    store(h, out + at, count);
  }
}

SD_TARGET void hashLow(const AesKey &key, Block offset, const Block *in, std::uint64_t *out, std::size_t n) {
  __m256i h[kWide];
  for (std::size_t at = 0; at < n; at += kLanes) {
    const std::size_t count = n - at < kLanes ? n - at : kLanes;
    hashLanes(key, spread(offset), in + at, count, h);
    alignas(32) std::uint64_t low[kLanes];
    for (std::size_t i = 0; i < kWide; i += 2) // blocks 0, 2, 1, 3, put in order
      _mm256_store_si256(reinterpret_cast<__m256i *>(low + 2 * i),
                         _mm256_permute4x64_epi64(_mm256_unpacklo_epi64(h[i], h[i + 1]), 0xd8));
    std::memcpy(out + at, low, count * sizeof(std::uint64_t));
  }
}

SD_TARGET Block expandLevel(const AesKey &key, Block mask, Block *nodes, std::size_t n) {
  const __m256i keep = spread(mask);
  __m256i sum = _mm256_setzero_si256(), h[kWide], parents[kWide];
  for (std::size_t at = 0; at < n; at += kLanes) {
    const std::size_t count = n - at < kLanes ? n - at : kLanes;
    hashLanes(key, _mm256_setzero_si256(), nodes + at, count, h);
    load(nodes + at, count, parents);
    if (count < kLanes) { // the padding hashes to something
      alignas(32) Block padded[kLanes] = {};
      store(h, padded, count);
      load(padded, h);
    }
    for (std::size_t i = 0; i < kWide; ++i) {
      sum = _mm256_xor_si256(sum, h[i]);
      parents[i] = _mm256_and_si256(_mm256_xor_si256(parents[i], h[i]), keep);
      h[i] = _mm256_and_si256(h[i], keep);
    }
    store(parents, nodes + n + at, count);
    store(h, nodes + at, count);
  }
  Block result;
  _mm_store_si128(reinterpret_cast<__m128i *>(&result),
                  _mm_xor_si128(_mm256_castsi256_si128(sum), _mm256_extracti128_si256(sum, 1)));
  return result;
}

SD_TARGET void stretch(const AesKey *keys, const Block *seeds, Block *out, std::size_t n) {
  __m256i rounds[2][11]; // of keys 0 and 1, of keys 2 and 3
  for (int r = 0; r < 11; ++r)
    for (int j = 0; j < 2; ++j)
      rounds[j][r] = _mm256_inserti128_si256(spread(keys[2 * j].roundKeys[r]),
                                             _mm256_castsi256_si128(spread(keys[2 * j + 1].roundKeys[r])), 1);
  constexpr std::size_t kSeeds = kWide / 2; // a step: four blocks of each, in two registers
  for (std::size_t at = 0; at < n; at += kSeeds) {
    const std::size_t count = n - at < kSeeds ? n - at : kSeeds;
    alignas(32) Block padded[kSeeds] = {};
    std::memcpy(padded, seeds + at, count * sizeof(Block));
    __m256i x[kWide];
    for (std::size_t i = 0; i < kWide; ++i)
      x[i] = _mm256_xor_si256(spread(padded[i / 2]), rounds[i % 2][0]);
    for (int r = 1; r < 10; ++r)
      for (std::size_t i = 0; i < kWide; ++i)
        x[i] = _mm256_aesenc_epi128(x[i], rounds[i % 2][r]);
    for (std::size_t i = 0; i < kWide; ++i)
      x[i] = _mm256_xor_si256(_mm256_aesenclast_epi128(x[i], rounds[i % 2][10]), spread(padded[i / 2]));
    store(x, out + 4 * at, 4 * count);
  }
}

} // namespace

const AesKernels *vaes256() {
  static const AesKernels kernels{AesBackend::Vaes256, "vaes-256", counter, hash, hashLow, expandLevel, stretch};
  return __builtin_cpu_supports("vaes") && __builtin_cpu_supports("avx2") ? &kernels : nullptr;
}

} // namespace sd::detail

#else

namespace sd::detail {
const AesKernels *vaes256() { return nullptr; }
} // namespace sd::detail

#endif
