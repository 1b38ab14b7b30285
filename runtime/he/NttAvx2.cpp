#include "runtime/he/NttTargets.h"

#if defined(__x86_64__)

#include <immintrin.h>

#define SD_TARGET __attribute__((target("avx2,fma")))
#define SD_INLINE __attribute__((target("avx2,fma"), always_inline)) inline

namespace sd {

namespace {

constexpr int kN = kKernelDegree;
using Vec = __m256d; // residues as doubles: exact below 2^53

// 52-bit integers to doubles and back: the integer sits in the mantissa of 2^52 + x.
SD_INLINE Vec load(const std::uint64_t *p) {
  const Vec magic = _mm256_set1_pd(0x1p52);
  const __m256i bits =
      _mm256_or_si256(_mm256_loadu_si256(reinterpret_cast<const __m256i *>(p)), _mm256_castpd_si256(magic));
  return _mm256_sub_pd(_mm256_castsi256_pd(bits), magic);
}
SD_INLINE void store(std::uint64_t *p, Vec v) {
  const Vec magic = _mm256_set1_pd(0x1p52);
  const __m256i bits = _mm256_castpd_si256(_mm256_add_pd(v, magic));
  _mm256_storeu_si256(reinterpret_cast<__m256i *>(p), _mm256_xor_si256(bits, _mm256_castpd_si256(magic)));
}

struct Mod {
  Vec p, inverse, zero;
  SD_INLINE explicit Mod(std::uint64_t prime)
      : p(_mm256_set1_pd(static_cast<double>(prime))), inverse(_mm256_set1_pd(1.0 / static_cast<double>(prime))),
        zero(_mm256_setzero_pd()) {}
  SD_INLINE Vec wrapUp(Vec v) const { return _mm256_add_pd(v, _mm256_and_pd(p, _mm256_cmp_pd(v, zero, _CMP_LT_OQ))); }
  SD_INLINE Vec wrapDown(Vec v) const { return _mm256_sub_pd(v, _mm256_and_pd(p, _mm256_cmp_pd(v, p, _CMP_GE_OQ))); }
  SD_INLINE Vec add(Vec a, Vec b) const { return wrapDown(_mm256_add_pd(a, b)); }
  SD_INLINE Vec sub(Vec a, Vec b) const { return wrapUp(_mm256_sub_pd(a, b)); }
  // a b mod p: the product's head and tail by fused multiply-add; the quotient is off by one at most.
  SD_INLINE Vec multiply(Vec a, Vec b) const {
    const Vec head = _mm256_mul_pd(a, b), tail = _mm256_fmsub_pd(a, b, head);
    const Vec quotient = _mm256_floor_pd(_mm256_mul_pd(head, inverse));
    return wrapDown(wrapUp(_mm256_add_pd(_mm256_fnmadd_pd(quotient, p, head), tail)));
  }
};

SD_INLINE Vec splat(std::uint64_t v) { return _mm256_set1_pd(static_cast<double>(v)); }

SD_TARGET void forward2(const NttTables &t, std::uint64_t *a) {
  const Mod m(t.p);
  int blocks = 1;
  for (; kN / (2 * blocks) >= 4; blocks *= 2) {
    const int distance = kN / (2 * blocks);
    for (int i = 0; i < blocks; ++i) {
      const Vec w = splat(t.forward.w[blocks + i]);
      std::uint64_t *x = a + 2 * i * distance, *y = x + distance;
      for (int j = 0; j < distance; j += 4) {
        const Vec u = load(x + j), v = m.multiply(load(y + j), w);
        store(x + j, m.add(u, v));
        store(y + j, m.sub(u, v));
      }
    }
  }
  forwardStages(t, a, blocks);
  std::uint64_t block[64];
  for (int g = 0; g < kN; g += 64) {
    for (int i = 0; i < 64; ++i) {
      std::uint64_t v = a[g + 8 * (i % 8) + i / 8];
      v = v >= 2 * t.p ? v - 2 * t.p : v;
      block[i] = v >= t.p ? v - t.p : v;
    }
    for (int i = 0; i < 64; ++i)
      a[g + i] = block[i];
  }
}

SD_TARGET void inverse2(const NttTables &t, std::uint64_t *a) {
  const Mod m(t.p);
  std::uint64_t block[64];
  for (int g = 0; g < kN; g += 64) {
    for (int i = 0; i < 64; ++i)
      block[i] = a[g + 8 * (i % 8) + i / 8];
    for (int i = 0; i < 64; ++i)
      a[g + i] = block[i];
  }
  inverseStages(t, a, kN / 2, kN / 8);
  for (int i = 0; i < kN; ++i)
    a[i] = a[i] >= t.p ? a[i] - t.p : a[i];
  for (int blocks = kN / 8; blocks > 0; blocks /= 2) {
    const int distance = kN / (2 * blocks);
    for (int i = 0; i < blocks; ++i) {
      const Vec w = splat(t.inverse.w[blocks + i]);
      std::uint64_t *x = a + 2 * i * distance, *y = x + distance;
      for (int j = 0; j < distance; j += 4) {
        const Vec u = load(x + j), v = load(y + j);
        store(x + j, m.add(u, v));
        store(y + j, m.multiply(m.sub(u, v), w));
      }
    }
  }
  const Vec scale = splat(t.inverseDegree.w);
  for (int j = 0; j < kN; j += 4)
    store(a + j, m.multiply(load(a + j), scale));
}

// Reduced products: their sum stays below 2^62, and `hi` is not used.
SD_TARGET void multiplyAdd2(const NttTables &t, ProductLanes sum, const std::uint64_t *a, const std::uint64_t *b) {
  const Mod m(t.p);
  alignas(32) std::uint64_t product[4];
  for (int i = 0; i < kN; i += 4) {
    store(product, m.multiply(load(a + i), load(b + i)));
    auto *at = reinterpret_cast<__m256i *>(sum.lo + i);
    _mm256_storeu_si256(
        at, _mm256_add_epi64(_mm256_loadu_si256(at), _mm256_load_si256(reinterpret_cast<__m256i *>(product))));
  }
}

void multiplyAddPairs2(const NttTables &t, ProductLanes c0, ProductLanes c1, std::span<const PairTerm> terms) {
  for (const PairTerm &term : terms) {
    multiplyAdd2(t, c0, term.c0, term.weights);
    multiplyAdd2(t, c1, term.c1, term.weights);
  }
}

constexpr PolyKernels kAvx2{PolyTarget::Avx2, forward2, inverse2, multiplyAdd2, multiplyAddPairs2, reducePortable};

} // namespace

const PolyKernels *avx2Kernels() {
  static const bool have = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  return have ? &kAvx2 : nullptr;
}

} // namespace sd

#else

namespace sd {
const PolyKernels *avx2Kernels() { return nullptr; }
} // namespace sd

#endif
