#include "runtime/he/NttTargets.h"

#if defined(__x86_64__)

#include <immintrin.h>

#define SD_TARGET __attribute__((target("avx2,fma")))
#define SD_INLINE __attribute__((target("avx2,fma"), always_inline)) inline

namespace sd {

namespace {

constexpr int kN = kKernelDegree;

// Residues as doubles, signed and not fully reduced: integers below 2^53 = 8 p in magnitude are exact. Products are
// reduced by a rounded quotient: a w - round(a (w / p)) p for |a| <= 4 p and |w| <= p / 2. The two roundings of the
// quotient, at most 2 p, err by half a unit at most, so the result is within [-p, p], and within 3/4 p for |a| <= 2 p.
using Vec = __m256d;

// 52-bit integers to doubles and back: the integer sits in the mantissa of 2^52 + x.
SD_INLINE Vec load(const std::uint64_t *p) {
  const Vec magic = _mm256_set1_pd(0x1p52);
  const __m256i bits =
      _mm256_or_si256(_mm256_loadu_si256(reinterpret_cast<const __m256i *>(p)), _mm256_castpd_si256(magic));
  return _mm256_sub_pd(_mm256_castsi256_pd(bits), magic);
}
SD_INLINE __m256i integers(Vec v) {
  const Vec magic = _mm256_set1_pd(0x1p52);
  return _mm256_xor_si256(_mm256_castpd_si256(_mm256_add_pd(v, magic)), _mm256_castpd_si256(magic));
}
SD_INLINE void store(std::uint64_t *p, Vec v) { _mm256_storeu_si256(reinterpret_cast<__m256i *>(p), integers(v)); }
// Between the stages the array holds doubles.
SD_INLINE Vec loadReal(const std::uint64_t *p) { return _mm256_loadu_pd(reinterpret_cast<const double *>(p)); }
SD_INLINE void storeReal(std::uint64_t *p, Vec v) { _mm256_storeu_pd(reinterpret_cast<double *>(p), v); }

SD_INLINE Vec nearest(Vec v) { return _mm256_round_pd(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }

struct Factor {
  Vec w, quotient;
};

struct Mod {
  Vec p, inverse;
  SD_INLINE explicit Mod(std::uint64_t prime)
      : p(_mm256_set1_pd(static_cast<double>(prime))), inverse(_mm256_set1_pd(1.0 / static_cast<double>(prime))) {}
  // To [-p / 2, p / 2].
  SD_INLINE Vec reduce(Vec v) const { return _mm256_fnmadd_pd(nearest(_mm256_mul_pd(v, inverse)), p, v); }
  // To [0, p).
  SD_INLINE Vec canonical(Vec v) const {
    const Vec r = reduce(v);
    return _mm256_add_pd(r, _mm256_and_pd(p, _mm256_cmp_pd(r, _mm256_setzero_pd(), _CMP_LT_OQ)));
  }
  // a b - quotient p, from the product's head and tail.
  SD_INLINE Vec multiply(Vec a, Vec b, Vec quotient) const {
    const Vec head = _mm256_mul_pd(a, b), tail = _mm256_fmsub_pd(a, b, head);
    return _mm256_add_pd(_mm256_fnmadd_pd(nearest(quotient), p, head), tail);
  }
  SD_INLINE Vec multiply(Vec a, Factor f) const { return multiply(a, f.w, _mm256_mul_pd(a, f.quotient)); }
  SD_INLINE void forward(Vec &x, Vec &y, Factor f) const {
    const Vec u = x, v = multiply(y, f);
    x = _mm256_add_pd(u, v);
    y = _mm256_sub_pd(u, v);
  }
  SD_INLINE void inverseStep(Vec &x, Vec &y, Factor f) const {
    const Vec u = x, v = y;
    x = _mm256_add_pd(u, v);
    y = multiply(_mm256_sub_pd(u, v), f);
  }
};

SD_INLINE Factor root(const NttTables::Roots::Real &r, int at) {
  return {_mm256_set1_pd(r.w[at]), _mm256_set1_pd(r.quotient[at])};
}
SD_INLINE Factor roots(const NttTables::Roots::Real &r, int at) {
  return {_mm256_loadu_pd(r.w.data() + at), _mm256_loadu_pd(r.quotient.data() + at)};
}
SD_INLINE Factor centred(std::uint64_t w, std::uint64_t p) {
  const double d = w > p / 2 ? -static_cast<double>(p - w) : static_cast<double>(w);
  return {_mm256_set1_pd(d), _mm256_set1_pd(d / static_cast<double>(p))};
}

// Two stages at once: the elements at distances 0, d, 2d, 3d of one block, d = distance of the second stage. Values
// stay within 9/4 p.
SD_TARGET void forwardTwo(const NttTables &t, std::uint64_t *a, int blocks) {
  const Mod m(t.p);
  const int d = kN / (4 * blocks);
  for (int i = 0; i < blocks; ++i) {
    const auto &r = t.forward.real;
    const Factor outer = root(r, blocks + i), left = root(r, 2 * blocks + 2 * i),
                 right = root(r, 2 * blocks + 2 * i + 1);
    std::uint64_t *x = a + 4 * i * d;
    for (int j = 0; j < d; j += 4) {
      Vec v0 = m.reduce(loadReal(x + j)), v1 = loadReal(x + j + d), v2 = loadReal(x + j + 2 * d),
          v3 = loadReal(x + j + 3 * d);
      m.forward(v0, v2, outer);
      m.forward(v1, v3, outer);
      m.forward(v0, v1, left);
      m.forward(v2, v3, right);
      storeReal(x + j, v0);
      storeReal(x + j + d, v1);
      storeReal(x + j + 2 * d, v2);
      storeReal(x + j + 3 * d, v3);
    }
  }
}

// Values stay within 5/2 p.
SD_TARGET void inverseTwo(const NttTables &t, std::uint64_t *a, int blocks) {
  const Mod m(t.p);
  const int d = kN / (4 * blocks);
  for (int i = 0; i < blocks; ++i) {
    const auto &r = t.inverse.real;
    const Factor outer = root(r, blocks + i), left = root(r, 2 * blocks + 2 * i),
                 right = root(r, 2 * blocks + 2 * i + 1);
    std::uint64_t *x = a + 4 * i * d;
    for (int j = 0; j < d; j += 4) {
      Vec v0 = loadReal(x + j), v1 = loadReal(x + j + d), v2 = loadReal(x + j + 2 * d), v3 = loadReal(x + j + 3 * d);
      m.inverseStep(v0, v1, left);
      m.inverseStep(v2, v3, right);
      v0 = m.reduce(v0);
      v2 = m.reduce(v2);
      m.inverseStep(v0, v2, outer);
      m.inverseStep(v1, v3, outer);
      storeReal(x + j, v0);
      storeReal(x + j + d, v1);
      storeReal(x + j + 2 * d, v2);
      storeReal(x + j + 3 * d, v3);
    }
  }
}

SD_INLINE void transpose(Vec &a, Vec &b, Vec &c, Vec &d) {
  const Vec ab0 = _mm256_unpacklo_pd(a, b), ab1 = _mm256_unpackhi_pd(a, b);
  const Vec cd0 = _mm256_unpacklo_pd(c, d), cd1 = _mm256_unpackhi_pd(c, d);
  a = _mm256_permute2f128_pd(ab0, cd0, 0x20);
  b = _mm256_permute2f128_pd(ab1, cd1, 0x20);
  c = _mm256_permute2f128_pd(ab0, cd0, 0x31);
  d = _mm256_permute2f128_pd(ab1, cd1, 0x31);
}

// The last three stages, or the first three of the inverse, are within blocks of 8: four blocks at once, element i of
// each in v[i].
struct InBlocks {
  const NttTables::Roots &f;
  int k;
  SD_INLINE Factor four() const { return roots(f.real, kN / 8 + k); }
  SD_INLINE Factor two(int h) const { return roots(f.realPair2, h * kN / 8 + k); }
  SD_INLINE Factor one(int h) const { return roots(f.realPair1, h * kN / 8 + k); }
};

// All stages but those within blocks of 8; leaves doubles.
SD_TARGET void forwardToBlocks(const NttTables &t, std::uint64_t *a) {
  const Mod m(t.p);
  const Factor first = root(t.forward.real, 1);
  for (int j = 0; j < kN / 2; j += 4) {
    Vec x = load(a + j), y = load(a + j + kN / 2);
    m.forward(x, y, first);
    storeReal(a + j, x);
    storeReal(a + j + kN / 2, y);
  }
  for (int blocks = 2; blocks <= 128; blocks *= 4)
    forwardTwo(t, a, blocks);
}

SD_TARGET void forward2(const NttTables &t, std::uint64_t *a) {
  const Mod m(t.p);
  forwardToBlocks(t, a);
  for (int g = 0; g < kN; g += 64) {
    alignas(32) std::uint64_t out[64];
    for (int half = 0; half < 2; ++half) {
      const InBlocks r{t.forward, g / 8 + 4 * half};
      const std::uint64_t *from = a + g + 32 * half;
      Vec v[8];
      for (int i = 0; i < 8; ++i)
        v[i] = loadReal(from + 8 * (i % 4) + 4 * (i / 4));
      transpose(v[0], v[1], v[2], v[3]);
      transpose(v[4], v[5], v[6], v[7]);
      for (int i = 0; i < 4; ++i)
        m.forward(v[i], v[i + 4], r.four());
      for (int h = 0; h < 2; ++h) {
        m.forward(v[4 * h], v[4 * h + 2], r.two(h));
        m.forward(v[4 * h + 1], v[4 * h + 3], r.two(h));
      }
      for (int h = 0; h < 4; ++h)
        m.forward(v[2 * h], v[2 * h + 1], r.one(h));
      for (int i = 0; i < 8; ++i)
        store(out + 8 * i + 4 * half, m.canonical(v[i]));
    }
    for (int i = 0; i < 64; i += 4)
      _mm256_storeu_si256(reinterpret_cast<__m256i *>(a + g + i),
                          _mm256_load_si256(reinterpret_cast<const __m256i *>(out + i)));
  }
}

SD_TARGET void inverse2(const NttTables &t, std::uint64_t *a) {
  const Mod m(t.p);
  for (int g = 0; g < kN; g += 64) {
    alignas(32) std::uint64_t out[64];
    for (int half = 0; half < 2; ++half) {
      const InBlocks r{t.inverse, g / 8 + 4 * half};
      Vec v[8];
      for (int i = 0; i < 8; ++i)
        v[i] = load(a + g + 8 * i + 4 * half);
      for (int h = 0; h < 4; ++h)
        m.inverseStep(v[2 * h], v[2 * h + 1], r.one(h));
      for (int h = 0; h < 2; ++h) {
        m.inverseStep(v[4 * h], v[4 * h + 2], r.two(h));
        m.inverseStep(v[4 * h + 1], v[4 * h + 3], r.two(h));
      }
      for (int i = 0; i < 4; ++i)
        m.inverseStep(v[i], v[i + 4], r.four());
      v[0] = m.reduce(v[0]); // the sum of all eight
      transpose(v[0], v[1], v[2], v[3]);
      transpose(v[4], v[5], v[6], v[7]);
      for (int i = 0; i < 8; ++i)
        storeReal(out + 32 * half + 8 * (i % 4) + 4 * (i / 4), v[i]);
    }
    for (int i = 0; i < 64; i += 4)
      storeReal(a + g + i, loadReal(out + i));
  }
  for (int blocks = 128; blocks >= 2; blocks /= 4)
    inverseTwo(t, a, blocks);
  const Factor last = root(t.inverse.real, 1), scale = centred(t.inverseDegree.w, t.p);
  for (int j = 0; j < kN / 2; j += 4) {
    Vec x = loadReal(a + j), y = loadReal(a + j + kN / 2);
    x = m.reduce(x), y = m.reduce(y);
    m.inverseStep(x, y, last);
    store(a + j, m.canonical(m.multiply(x, scale)));
    store(a + j + kN / 2, m.canonical(m.multiply(y, scale)));
  }
}

SD_TARGET void split2(const NttTables &t, const ShoupFactor &root, std::uint64_t *x, std::uint64_t *y) {
  const Mod m(t.p);
  const Factor f = centred(root.w, t.p);
  for (int i = 0; i < kN; i += 4) {
    Vec u = load(x + i), v = load(y + i);
    m.forward(u, v, f);
    store(x + i, m.canonical(u));
    store(y + i, m.canonical(v));
  }
}

SD_TARGET void join2(const NttTables &t, const ShoupFactor &inverseRoot, std::uint64_t *x, std::uint64_t *y) {
  const Mod m(t.p);
  const Factor f = centred(inverseRoot.w, t.p);
  for (int i = 0; i < kN; i += 4) {
    Vec u = load(x + i), v = load(y + i);
    m.inverseStep(u, v, f);
    store(x + i, m.canonical(u));
    store(y + i, m.canonical(v));
  }
}

// a b mod p plus p, in (0, 2p): a and b below p, the quotient errs by less than half a unit.
SD_INLINE Vec positiveProduct(const Mod &m, Vec a, Vec b) {
  const Vec head = _mm256_mul_pd(a, b), tail = _mm256_fmsub_pd(a, b, head);
  const Vec quotient = nearest(_mm256_mul_pd(head, m.inverse));
  return _mm256_add_pd(_mm256_add_pd(_mm256_fnmadd_pd(quotient, m.p, head), tail), m.p);
}

SD_INLINE void addTo(std::uint64_t *at, Vec v) {
  auto *to = reinterpret_cast<__m256i *>(at);
  _mm256_storeu_si256(to, _mm256_add_epi64(_mm256_loadu_si256(to), integers(v)));
}

// Products are below 2p: their sum stays below 2^63, and `hi` is not used.
SD_TARGET void multiplyAdd2(const NttTables &t, ProductLanes sum, const std::uint64_t *a, const std::uint64_t *b) {
  const Mod m(t.p);
  for (int i = 0; i < kN; i += 4)
    addTo(sum.lo + i, positiveProduct(m, load(a + i), load(b + i)));
}

SD_TARGET void multiplyAddPairs2(const NttTables &t, ProductLanes c0, ProductLanes c1,
                                 std::span<const PairTerm> terms) {
  const Mod m(t.p);
  for (; terms.size() >= 2; terms = terms.subspan(2)) { // two sums of two are below 2^52
    const PairTerm &first = terms[0], &second = terms[1];
    for (int i = 0; i < kN; i += 4) {
      const Vec w = load(first.weights + i), z = load(second.weights + i);
      addTo(c0.lo + i,
            _mm256_add_pd(positiveProduct(m, load(first.c0 + i), w), positiveProduct(m, load(second.c0 + i), z)));
      addTo(c1.lo + i,
            _mm256_add_pd(positiveProduct(m, load(first.c1 + i), w), positiveProduct(m, load(second.c1 + i), z)));
    }
  }
  for (const PairTerm &term : terms) {
    multiplyAdd2(t, c0, term.c0, term.weights);
    multiplyAdd2(t, c1, term.c1, term.weights);
  }
}

// 2^50 is less than 2^32 above p, and sums are below 2^63: one step to below 2p.
SD_TARGET void reduce2(const NttTables &t, const std::uint64_t *lo, const std::uint64_t *, std::uint64_t *out) {
  constexpr std::uint64_t kTwo50 = std::uint64_t{1} << 50;
  const __m256i mask = _mm256_set1_epi64x(kTwo50 - 1), two50 = _mm256_set1_epi64x(static_cast<long long>(kTwo50 - t.p));
  const __m256i p = _mm256_set1_epi64x(static_cast<long long>(t.p)), last = _mm256_set1_epi64x(t.p - 1);
  for (int i = 0; i < kN; i += 4) {
    const __m256i v = _mm256_loadu_si256(reinterpret_cast<const __m256i *>(lo + i));
    const __m256i r = _mm256_add_epi64(_mm256_and_si256(v, mask), _mm256_mul_epu32(_mm256_srli_epi64(v, 50), two50));
    _mm256_storeu_si256(reinterpret_cast<__m256i *>(out + i),
                        _mm256_sub_epi64(r, _mm256_and_si256(p, _mm256_cmpgt_epi64(r, last))));
  }
}

constexpr PolyKernels kAvx2{PolyTarget::Avx2, forward2,          inverse2, forwardSparseAvx2, split2, join2,
                            multiplyAdd2,     multiplyAddPairs2, reduce2};

} // namespace

// After the stage of distance 4, the four residues of a block belong to one polynomial each, and the stages left would
// only repeat them: residue j of block 2 b + h of a group stands at 8 e + b of the group's half h of polynomial j, for
// every e.
SD_TARGET void forwardSparseAvx2(const NttTables &t, std::uint64_t *a,
                                 const std::array<std::uint64_t *, kInterleaved> &out) {
  static_assert(kInterleaved == 4);
  const Mod m(t.p);
  forwardToBlocks(t, a);
  for (int g = 0; g < kN; g += 64) {
    Vec v[2][8];
    for (int b = 0; b < 8; ++b) {
      Vec x = loadReal(a + g + 8 * b), y = loadReal(a + g + 8 * b + 4);
      m.forward(x, y, root(t.forward.real, kN / 8 + g / 8 + b));
      v[0][b] = m.canonical(x);
      v[1][b] = m.canonical(y);
    }
    for (int h = 0; h < 2; ++h) {
      transpose(v[h][0], v[h][1], v[h][2], v[h][3]);
      transpose(v[h][4], v[h][5], v[h][6], v[h][7]);
      for (int j = 0; j < kInterleaved; ++j)
        for (int e = 0; e < 4; ++e) {
          store(out[j] + g + 32 * h + 8 * e, v[h][j]);
          store(out[j] + g + 32 * h + 8 * e + 4, v[h][4 + j]);
        }
    }
  }
}

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
