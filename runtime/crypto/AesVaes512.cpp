// Four blocks an instruction (VAES on 512 bits), four instructions in flight.
#include "runtime/crypto/AesBackends.h"

#if defined(__x86_64__)
// GCC 12 takes its own _mm512_undefined_epi32 for a mistake.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <immintrin.h>

#define SD_TARGET __attribute__((target("vaes,aes,avx512f,avx512dq,avx512bw,avx512vl")))

namespace sd::detail {
namespace {

constexpr std::size_t kWide = 4;          // registers in flight
constexpr std::size_t kLanes = 4 * kWide; // blocks a step

struct Keys {
  __m512i round[11];
};

SD_TARGET inline Keys spread(const AesKey &key) {
  Keys keys;
  for (int i = 0; i < 11; ++i)
    keys.round[i] = _mm512_broadcast_i32x4(_mm_load_si128(reinterpret_cast<const __m128i *>(&key.roundKeys[i])));
  return keys;
}

SD_TARGET inline __m512i sigma(__m512i x) {
  // Low half: the old high half; high half: the XOR of both.
  return _mm512_xor_si512(_mm512_shuffle_epi32(x, static_cast<_MM_PERM_ENUM>(0x4e)), _mm512_maskz_mov_epi64(0xaa, x));
}

template <std::size_t N>
SD_TARGET inline void encrypt(const Keys &keys, __m512i (&x)[N]) {
  for (std::size_t i = 0; i < N; ++i)
    x[i] = _mm512_xor_si512(x[i], keys.round[0]);
  for (int round = 1; round < 10; ++round)
    for (std::size_t i = 0; i < N; ++i)
      x[i] = _mm512_aesenc_epi128(x[i], keys.round[round]);
  for (std::size_t i = 0; i < N; ++i)
    x[i] = _mm512_aesenclast_epi128(x[i], keys.round[10]);
}

// The mask of the 64-bit words of register `i` that hold the first `count` of 16 blocks.
inline __mmask8 wordsOf(std::size_t i, std::size_t count) {
  const std::size_t blocks = count <= 4 * i ? 0 : count - 4 * i < 4 ? count - 4 * i : 4;
  return static_cast<__mmask8>((1u << (2 * blocks)) - 1);
}

SD_TARGET void counter(const AesKey &key, std::uint64_t first, Block *out, std::size_t n) {
  const Keys keys = spread(key);
  const __m512i step = _mm512_set_epi64(0, 3, 0, 2, 0, 1, 0, 0);
  for (std::size_t at = 0; at < n; at += kLanes) {
    __m512i x[kWide];
    for (std::size_t i = 0; i < kWide; ++i)
      x[i] = _mm512_add_epi64(step, _mm512_maskz_set1_epi64(0x55, static_cast<long long>(first + at + 4 * i)));
    encrypt(keys, x);
    const std::size_t count = n - at < kLanes ? n - at : kLanes;
    for (std::size_t i = 0; i < kWide; ++i)
      _mm512_mask_storeu_epi64(out + at + 4 * i, wordsOf(i, count), x[i]);
  }
}

SD_TARGET inline void hashLanes(const Keys &keys, __m512i offset, const Block *in, std::size_t count,
                                __m512i (&h)[kWide]) {
  __m512i plain[kWide];
  for (std::size_t i = 0; i < kWide; ++i)
    h[i] = plain[i] = sigma(_mm512_xor_si512(_mm512_maskz_loadu_epi64(wordsOf(i, count), in + 4 * i), offset));
  encrypt(keys, h);
  for (std::size_t i = 0; i < kWide; ++i)
    h[i] = _mm512_xor_si512(h[i], plain[i]);
}

SD_TARGET inline __m512i spread(const Block &b) {
  return _mm512_broadcast_i32x4(_mm_load_si128(reinterpret_cast<const __m128i *>(&b)));
}

SD_TARGET void hash(const AesKey &key, Block offset, const Block *in, Block *out, std::size_t n) {
  const Keys keys = spread(key);
  __m512i h[kWide];
  for (std::size_t at = 0; at < n; at += kLanes) {
    const std::size_t count = n - at < kLanes ? n - at : kLanes;
    hashLanes(keys, spread(offset), in + at, count, h);
    for (std::size_t i = 0; i < kWide; ++i)
      _mm512_mask_storeu_epi64(out + at + 4 * i, wordsOf(i, count), h[i]);
  }
}

SD_TARGET void hashLow(const AesKey &key, Block offset, const Block *in, std::uint64_t *out, std::size_t n) {
  const Keys keys = spread(key);
  const __m512i evens = _mm512_set_epi64(14, 12, 10, 8, 6, 4, 2, 0);
  __m512i h[kWide];
  for (std::size_t at = 0; at < n; at += kLanes) {
    const std::size_t count = n - at < kLanes ? n - at : kLanes;
    hashLanes(keys, spread(offset), in + at, count, h);
    for (std::size_t i = 0; i < kWide; i += 2) {
      const std::size_t left = count <= 4 * i ? 0 : count - 4 * i < 8 ? count - 4 * i : 8;
      _mm512_mask_storeu_epi64(out + at + 4 * i, static_cast<__mmask8>((1u << left) - 1),
                               _mm512_permutex2var_epi64(h[i], evens, h[i + 1]));
    }
  }
}

SD_TARGET inline Block fold(__m512i x) {
  const __m256i half = _mm256_xor_si256(_mm512_castsi512_si256(x), _mm512_extracti64x4_epi64(x, 1));
  Block result;
  _mm_store_si128(reinterpret_cast<__m128i *>(&result),
                  _mm_xor_si128(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1)));
  return result;
}

SD_TARGET Block expandLevel(const AesKey &key, Block mask, Block *nodes, std::size_t n) {
  const Keys keys = spread(key);
  const __m512i keep = spread(mask);
  __m512i sum = _mm512_setzero_si512(), h[kWide];
  for (std::size_t at = 0; at < n; at += kLanes) {
    const std::size_t count = n - at < kLanes ? n - at : kLanes;
    hashLanes(keys, _mm512_setzero_si512(), nodes + at, count, h);
    for (std::size_t i = 0; i < kWide; ++i) {
      const __mmask8 words = wordsOf(i, count);
      Block *parent = nodes + at + 4 * i;
      const __m512i left = _mm512_maskz_mov_epi64(words, h[i]);
      sum = _mm512_xor_si512(sum, left);
      const __m512i right = _mm512_xor_si512(_mm512_maskz_loadu_epi64(words, parent), left);
      _mm512_mask_storeu_epi64(parent + n, words, _mm512_and_si512(right, keep));
      _mm512_mask_storeu_epi64(parent, words, _mm512_and_si512(left, keep));
    }
  }
  return fold(sum);
}

SD_TARGET void stretch(const AesKey *keys, const Block *seeds, Block *out, std::size_t n) {
  Keys four; // lane j under key j
  for (int r = 0; r < 11; ++r) {
    alignas(64) Block lanes[4];
    for (int j = 0; j < 4; ++j)
      lanes[j] = keys[j].roundKeys[r];
    four.round[r] = _mm512_load_si512(lanes);
  }
  std::size_t at = 0;
  for (; at + kWide <= n; at += kWide) {
    __m512i x[kWide], plain[kWide];
    for (std::size_t i = 0; i < kWide; ++i)
      x[i] = plain[i] = spread(seeds[at + i]);
    encrypt(four, x);
    for (std::size_t i = 0; i < kWide; ++i)
      _mm512_storeu_si512(out + 4 * (at + i), _mm512_xor_si512(x[i], plain[i]));
  }
  for (; at < n; ++at) {
    const __m512i plain = spread(seeds[at]);
    __m512i x[1] = {plain};
    encrypt(four, x);
    _mm512_storeu_si512(out + 4 * at, _mm512_xor_si512(x[0], plain));
  }
}

} // namespace

const AesKernels *vaes512() {
  static const AesKernels kernels{AesBackend::Vaes512, "vaes-512", counter, hash, hashLow, expandLevel, stretch};
  const bool usable = __builtin_cpu_supports("vaes") && __builtin_cpu_supports("avx512f") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512vl");
  return usable ? &kernels : nullptr;
}

} // namespace sd::detail

#else

namespace sd::detail {
const AesKernels *vaes512() { return nullptr; }
} // namespace sd::detail

#endif
