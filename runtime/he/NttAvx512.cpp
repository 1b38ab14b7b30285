#include "runtime/he/NttTargets.h"

#if defined(__x86_64__)

#include <immintrin.h>

#define SD_TARGET __attribute__((target("avx512f,avx512dq,avx512ifma")))
#define SD_INLINE __attribute__((target("avx512f,avx512dq,avx512ifma"), always_inline)) inline

namespace sd {

namespace {

constexpr int kN = kKernelDegree;
using Vec = __m512i;

SD_INLINE Vec load(const std::uint64_t *p) { return _mm512_loadu_si512(p); }
SD_INLINE void store(std::uint64_t *p, Vec v) { _mm512_storeu_si512(p, v); }
SD_INLINE Vec splat(std::uint64_t v) { return _mm512_set1_epi64(static_cast<long long>(v)); }
// v - m if that is not negative, for v < 2m: the unsigned minimum picks it.
SD_INLINE Vec reduceOnce(Vec v, Vec m) { return _mm512_min_epu64(v, _mm512_sub_epi64(v, m)); }

struct Factor {
  Vec w, quotient;
};

struct Mod {
  Vec p, twoP, mask;
  SD_INLINE explicit Mod(std::uint64_t prime)
      : p(splat(prime)), twoP(splat(2 * prime)), mask(splat((std::uint64_t{1} << 52) - 1)) {}
  // a w mod p in [0, 2p), for a < 2^52.
  SD_INLINE Vec multiply(Vec a, Factor f) const {
    const Vec zero = _mm512_setzero_si512();
    const Vec q = _mm512_madd52hi_epu64(zero, a, f.quotient);
    const Vec low = _mm512_madd52lo_epu64(zero, a, f.w);
    return _mm512_and_si512(_mm512_sub_epi64(low, _mm512_madd52lo_epu64(zero, q, p)), mask);
  }
  SD_INLINE void forward(Vec &x, Vec &y, Factor f) const {
    const Vec u = reduceOnce(x, twoP), v = multiply(y, f);
    x = _mm512_add_epi64(u, v);
    y = _mm512_add_epi64(_mm512_sub_epi64(u, v), twoP);
  }
  SD_INLINE void inverse(Vec &x, Vec &y, Factor f) const {
    const Vec sum = _mm512_add_epi64(x, y), difference = _mm512_add_epi64(_mm512_sub_epi64(x, y), twoP);
    x = reduceOnce(sum, twoP);
    y = multiply(difference, f);
  }
};

SD_INLINE void transpose(Vec (&v)[8]) {
  Vec a[8], b[8];
  for (int i = 0; i < 8; i += 2) {
    a[i] = _mm512_unpacklo_epi64(v[i], v[i + 1]);
    a[i + 1] = _mm512_unpackhi_epi64(v[i], v[i + 1]);
  }
  for (int i = 0; i < 2; ++i) {
    b[i] = _mm512_shuffle_i64x2(a[i], a[i + 2], 0x88);
    b[i + 2] = _mm512_shuffle_i64x2(a[i], a[i + 2], 0xdd);
    b[i + 4] = _mm512_shuffle_i64x2(a[i + 4], a[i + 6], 0x88);
    b[i + 6] = _mm512_shuffle_i64x2(a[i + 4], a[i + 6], 0xdd);
  }
  for (int i = 0; i < 4; ++i) {
    v[i] = _mm512_shuffle_i64x2(b[i], b[i + 4], 0x88);
    v[i + 4] = _mm512_shuffle_i64x2(b[i], b[i + 4], 0xdd);
  }
}

SD_INLINE Factor roots(const std::vector<std::uint64_t> &w, const std::vector<std::uint64_t> &q, int at) {
  return {load(w.data() + at), load(q.data() + at)};
}

// Two stages at once: the elements at distances 0, d, 2d, 3d of one block, d = distance of the second stage.
SD_TARGET void forwardTwo(const NttTables &t, std::uint64_t *a, int blocks) {
  const Mod m(t.p);
  const int d = kN / (4 * blocks);
  for (int i = 0; i < blocks; ++i) {
    auto root = [&](int at) SD_TARGET { return Factor{splat(t.forward.w[at]), splat(t.forward.quotient52[at])}; };
    const Factor outer = root(blocks + i), left = root(2 * blocks + 2 * i), right = root(2 * blocks + 2 * i + 1);
    std::uint64_t *x = a + 4 * i * d;
    for (int j = 0; j < d; j += 8) {
      Vec v0 = load(x + j), v1 = load(x + j + d), v2 = load(x + j + 2 * d), v3 = load(x + j + 3 * d);
      m.forward(v0, v2, outer);
      m.forward(v1, v3, outer);
      m.forward(v0, v1, left);
      m.forward(v2, v3, right);
      store(x + j, v0);
      store(x + j + d, v1);
      store(x + j + 2 * d, v2);
      store(x + j + 3 * d, v3);
    }
  }
}

SD_TARGET void inverseTwo(const NttTables &t, std::uint64_t *a, int blocks) {
  const Mod m(t.p);
  const int d = kN / (4 * blocks);
  for (int i = 0; i < blocks; ++i) {
    auto root = [&](int at) SD_TARGET { return Factor{splat(t.inverse.w[at]), splat(t.inverse.quotient52[at])}; };
    const Factor outer = root(blocks + i), left = root(2 * blocks + 2 * i), right = root(2 * blocks + 2 * i + 1);
    std::uint64_t *x = a + 4 * i * d;
    for (int j = 0; j < d; j += 8) {
      Vec v0 = load(x + j), v1 = load(x + j + d), v2 = load(x + j + 2 * d), v3 = load(x + j + 3 * d);
      m.inverse(v0, v1, left);
      m.inverse(v2, v3, right);
      m.inverse(v0, v2, outer);
      m.inverse(v1, v3, outer);
      store(x + j, v0);
      store(x + j + d, v1);
      store(x + j + 2 * d, v2);
      store(x + j + 3 * d, v3);
    }
  }
}

SD_TARGET void forward512(const NttTables &t, std::uint64_t *a) {
  // Stages of 1, 2, ..., 256 blocks: nine; the first alone, then pairs.
  const Mod m(t.p);
  const Factor first{splat(t.forward.w[1]), splat(t.forward.quotient52[1])};
  for (int j = 0; j < kN / 2; j += 8) {
    Vec x = load(a + j), y = load(a + j + kN / 2);
    m.forward(x, y, first);
    store(a + j, x);
    store(a + j + kN / 2, y);
  }
  for (int blocks = 2; blocks <= 128; blocks *= 4)
    forwardTwo(t, a, blocks);
  const auto &f = t.forward;
  constexpr int kBlocks = kN / 8;
  for (int k = 0; k < kBlocks; k += 8) {
    Vec v[8];
    for (int i = 0; i < 8; ++i)
      v[i] = load(a + 8 * (k + i));
    transpose(v);
    const Factor r4 = roots(f.w, f.quotient52, kBlocks + k);
    for (int i = 0; i < 4; ++i)
      m.forward(v[i], v[i + 4], r4);
    for (int h = 0; h < 2; ++h) {
      const Factor r2 = roots(f.pair2, f.pair2Quotient, h * kBlocks + k);
      m.forward(v[4 * h], v[4 * h + 2], r2);
      m.forward(v[4 * h + 1], v[4 * h + 3], r2);
    }
    for (int h = 0; h < 4; ++h)
      m.forward(v[2 * h], v[2 * h + 1], roots(f.pair1, f.pair1Quotient, h * kBlocks + k));
    for (int i = 0; i < 8; ++i)
      store(a + 8 * (k + i), reduceOnce(reduceOnce(v[i], m.twoP), m.p));
  }
}

SD_TARGET void inverse512(const NttTables &t, std::uint64_t *a) {
  const Mod m(t.p);
  const auto &f = t.inverse;
  constexpr int kBlocks = kN / 8;
  for (int k = 0; k < kBlocks; k += 8) {
    Vec v[8];
    for (int i = 0; i < 8; ++i)
      v[i] = load(a + 8 * (k + i));
    for (int h = 0; h < 4; ++h)
      m.inverse(v[2 * h], v[2 * h + 1], roots(f.pair1, f.pair1Quotient, h * kBlocks + k));
    for (int h = 0; h < 2; ++h) {
      const Factor r2 = roots(f.pair2, f.pair2Quotient, h * kBlocks + k);
      m.inverse(v[4 * h], v[4 * h + 2], r2);
      m.inverse(v[4 * h + 1], v[4 * h + 3], r2);
    }
    const Factor r4 = roots(f.w, f.quotient52, kBlocks + k);
    for (int i = 0; i < 4; ++i)
      m.inverse(v[i], v[i + 4], r4);
    transpose(v);
    for (int i = 0; i < 8; ++i)
      store(a + 8 * (k + i), v[i]);
  }
  for (int blocks = 128; blocks >= 2; blocks /= 4)
    inverseTwo(t, a, blocks);
  const Factor last{splat(f.w[1]), splat(f.quotient52[1])};
  const Factor scale{splat(t.inverseDegree.w), splat(t.inverseDegree.quotient52)};
  for (int j = 0; j < kN / 2; j += 8) {
    Vec x = load(a + j), y = load(a + j + kN / 2);
    m.inverse(x, y, last);
    store(a + j, reduceOnce(m.multiply(x, scale), m.p));
    store(a + j + kN / 2, reduceOnce(m.multiply(y, scale), m.p));
  }
}

SD_TARGET void split512(const NttTables &t, const ShoupFactor &root, std::uint64_t *x, std::uint64_t *y) {
  const Mod m(t.p);
  const Factor f{splat(root.w), splat(root.quotient52)};
  for (int i = 0; i < kN; i += 8) {
    Vec u = load(x + i), v = load(y + i);
    m.forward(u, v, f);
    store(x + i, reduceOnce(reduceOnce(u, m.twoP), m.p));
    store(y + i, reduceOnce(reduceOnce(v, m.twoP), m.p));
  }
}

SD_TARGET void join512(const NttTables &t, const ShoupFactor &inverseRoot, std::uint64_t *x, std::uint64_t *y) {
  const Mod m(t.p);
  const Factor f{splat(inverseRoot.w), splat(inverseRoot.quotient52)};
  for (int i = 0; i < kN; i += 8) {
    Vec u = load(x + i), v = load(y + i);
    m.inverse(u, v, f);
    store(x + i, reduceOnce(u, m.p));
    store(y + i, reduceOnce(v, m.p));
  }
}

SD_TARGET void multiplyAdd512(const NttTables &, ProductLanes sum, const std::uint64_t *a, const std::uint64_t *b) {
  for (int i = 0; i < kN; i += 8) {
    const Vec x = load(a + i), y = load(b + i);
    store(sum.lo + i, _mm512_madd52lo_epu64(load(sum.lo + i), x, y));
    store(sum.hi + i, _mm512_madd52hi_epu64(load(sum.hi + i), x, y));
  }
}

SD_TARGET void multiplyAddPairs512(const NttTables &, ProductLanes c0, ProductLanes c1,
                                   std::span<const PairTerm> terms) {
  for (int i = 0; i < kN; i += 16) {
    Vec lo0[2], hi0[2], lo1[2], hi1[2];
    for (int h = 0; h < 2; ++h) {
      const int at = i + 8 * h;
      lo0[h] = load(c0.lo + at), hi0[h] = load(c0.hi + at);
      lo1[h] = load(c1.lo + at), hi1[h] = load(c1.hi + at);
    }
    for (const PairTerm &term : terms)
      for (int h = 0; h < 2; ++h) {
        const int at = i + 8 * h;
        const Vec w = load(term.weights + at), x = load(term.c0 + at), y = load(term.c1 + at);
        lo0[h] = _mm512_madd52lo_epu64(lo0[h], x, w), hi0[h] = _mm512_madd52hi_epu64(hi0[h], x, w);
        lo1[h] = _mm512_madd52lo_epu64(lo1[h], y, w), hi1[h] = _mm512_madd52hi_epu64(hi1[h], y, w);
      }
    for (int h = 0; h < 2; ++h) {
      const int at = i + 8 * h;
      store(c0.lo + at, lo0[h]), store(c0.hi + at, hi0[h]);
      store(c1.lo + at, lo1[h]), store(c1.hi + at, hi1[h]);
    }
  }
}

SD_TARGET void reduce512(const NttTables &t, const std::uint64_t *sumLo, const std::uint64_t *sumHi,
                         std::uint64_t *out) {
  const Mod m(t.p);
  auto factor = [](const ShoupFactor &f) SD_TARGET { return Factor{splat(f.w), splat(f.quotient52)}; };
  const Factor two52 = factor(t.two52), two104 = factor(t.two104), one = factor(t.one);
  for (int i = 0; i < kN; i += 8) {
    const Vec lo = load(sumLo + i);
    const Vec hi = _mm512_add_epi64(load(sumHi + i), _mm512_srli_epi64(lo, 52));
    const Vec low = m.multiply(_mm512_and_si512(lo, m.mask), one);
    const Vec middle = m.multiply(_mm512_and_si512(hi, m.mask), two52);
    const Vec high = m.multiply(_mm512_srli_epi64(hi, 52), two104);
    const Vec r = reduceOnce(_mm512_add_epi64(low, middle), m.twoP);
    store(out + i, reduceOnce(reduceOnce(_mm512_add_epi64(r, high), m.twoP), m.p));
  }
}

constexpr PolyKernels kAvx512{PolyTarget::Avx512, forward512,          inverse512, forwardSparseAvx2, split512, join512,
                              multiplyAdd512,     multiplyAddPairs512, reduce512};

} // namespace

const PolyKernels *avx512Kernels() {
  static const bool have = avx2Kernels() != nullptr && __builtin_cpu_supports("avx512f") &&
                           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512ifma");
  return have ? &kAvx512 : nullptr;
}

} // namespace sd

#else

namespace sd {
const PolyKernels *avx512Kernels() { return nullptr; }
} // namespace sd

#endif
