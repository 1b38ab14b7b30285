#include "runtime/crypto/AesHash.h"

#include <algorithm>

#include "runtime/crypto/AesBackends.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace sd {

#if defined(__x86_64__)
namespace {

// FIPS 197, section 5.2. With four equal columns ShiftRows does nothing, so one AESENCLAST is SubWord and the constant.
__attribute__((target("aes,ssse3"))) void expandKey(Block *roundKeys) {
  const __m128i rotateLast = _mm_set1_epi32(0x0c0f0e0d);
  __m128i key = _mm_load_si128(reinterpret_cast<const __m128i *>(roundKeys));
  int constant = 1;
  for (int r = 1; r <= 10; ++r) {
    const __m128i word = _mm_aesenclast_si128(_mm_shuffle_epi8(key, rotateLast), _mm_set1_epi32(constant));
    key = _mm_xor_si128(key, _mm_slli_si128(key, 4));
    key = _mm_xor_si128(key, _mm_slli_si128(key, 8));
    key = _mm_xor_si128(key, word);
    _mm_store_si128(reinterpret_cast<__m128i *>(roundKeys + r), key);
    constant = constant << 1 ^ (constant & 0x80 ? 0x11b : 0);
  }
}

} // namespace
#endif

AesKey::AesKey(Block key) {
  roundKeys[0] = key;
#if defined(__x86_64__)
  static const bool hasAes = __builtin_cpu_supports("aes") && __builtin_cpu_supports("ssse3");
  if (hasAes) expandKey(roundKeys); // else only the portable backend runs, and it needs the key alone
#endif
}

const AesKernels *aesKernels(AesBackend backend) {
  switch (backend) {
  case AesBackend::Vaes512:
    return detail::vaes512();
  case AesBackend::Vaes256:
    return detail::vaes256();
  case AesBackend::AesNi:
    return detail::aesNi();
  case AesBackend::Portable:
    break;
  }
  return detail::portableAes();
}

const AesKernels &aesKernels() {
  static const AesKernels *const best = [] {
    for (AesBackend backend : {AesBackend::Vaes512, AesBackend::Vaes256, AesBackend::AesNi})
      if (const AesKernels *kernels = aesKernels(backend)) return kernels;
    return detail::portableAes();
  }();
  return *best;
}

AesKey PadHash::nextKey() {
  Block key;
  aesKernels().counter(source_, used_++, &key, 1);
  return AesKey(key);
}

void PadHash::pairs(std::span<const Block> q, Block delta, std::uint64_t *zero, std::uint64_t *one) {
  const AesKernels &aes = aesKernels();
  for (std::size_t at = 0; at < q.size(); at += kPadsPerKey) {
    const std::size_t n = std::min(kPadsPerKey, q.size() - at);
    const AesKey key = nextKey();
    aes.hashLow(key, Block{}, q.data() + at, zero + at, n);
    aes.hashLow(key, delta, q.data() + at, one + at, n);
  }
}

void PadHash::single(std::span<const Block> t, std::uint64_t *out) {
  const AesKernels &aes = aesKernels();
  for (std::size_t at = 0; at < t.size(); at += kPadsPerKey) {
    const std::size_t n = std::min(kPadsPerKey, t.size() - at);
    aes.hashLow(nextKey(), Block{}, t.data() + at, out + at, n);
  }
}

void PadHash::pairs(std::span<const Block> q, Block delta, Block *zero, Block *one) {
  const AesKernels &aes = aesKernels();
  for (std::size_t at = 0; at < q.size(); at += kPadsPerKey) {
    const std::size_t n = std::min(kPadsPerKey, q.size() - at);
    const AesKey key = nextKey();
    aes.hash(key, Block{}, q.data() + at, zero + at, n);
    aes.hash(key, delta, q.data() + at, one + at, n);
  }
}

void PadHash::single(std::span<const Block> t, Block *out) {
  const AesKernels &aes = aesKernels();
  for (std::size_t at = 0; at < t.size(); at += kPadsPerKey) {
    const std::size_t n = std::min(kPadsPerKey, t.size() - at);
    aes.hash(nextKey(), Block{}, t.data() + at, out + at, n);
  }
}

} // namespace sd
