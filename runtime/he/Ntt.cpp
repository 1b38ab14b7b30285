#include "runtime/he/Ntt.h"

#include <algorithm>
#include <cassert>

#include "runtime/he/NttTargets.h"

namespace sd {

namespace {

constexpr int kN = kKernelDegree;

NttTables::Roots makeRoots(std::vector<std::uint64_t> w, std::uint64_t p) {
  NttTables::Roots r;
  r.w = std::move(w);
  for (const std::uint64_t root : r.w) {
    const ShoupFactor factor(root, p);
    r.quotient64.push_back(factor.quotient64);
    r.quotient52.push_back(factor.quotient52);
  }
  constexpr int kBlocks = kN / 8;
  auto regroup = [&](const std::vector<std::uint64_t> &from, int first, int pairs) {
    std::vector<std::uint64_t> out(pairs * kBlocks);
    for (int h = 0; h < pairs; ++h)
      for (int k = 0; k < kBlocks; ++k)
        out[h * kBlocks + k] = from[first + pairs * k + h];
    return out;
  };
  r.pair2 = regroup(r.w, kN / 4, 2);
  r.pair2Quotient = regroup(r.quotient52, kN / 4, 2);
  r.pair1 = regroup(r.w, kN / 2, 4);
  r.pair1Quotient = regroup(r.quotient52, kN / 2, 4);
  const auto real = [&](const std::vector<std::uint64_t> &from) {
    NttTables::Roots::Real out;
    for (const std::uint64_t root : from) {
      out.w.push_back(root > p / 2 ? -static_cast<double>(p - root) : static_cast<double>(root));
      out.quotient.push_back(out.w.back() / static_cast<double>(p));
    }
    return out;
  };
  r.real = real(r.w);
  r.realPair2 = real(r.pair2);
  r.realPair1 = real(r.pair1);
  return r;
}

void transposeBlocks(std::uint64_t *a) {
  for (int g = 0; g < kN; g += 64)
    for (int i = 0; i < 8; ++i)
      for (int j = 0; j < i; ++j)
        std::swap(a[g + 8 * i + j], a[g + 8 * j + i]);
}

void forwardPortable(const NttTables &t, std::uint64_t *a) {
  forwardStages(t, a, 1);
  for (int i = 0; i < kN; ++i) {
    if (a[i] >= 2 * t.p) a[i] -= 2 * t.p;
    if (a[i] >= t.p) a[i] -= t.p;
  }
  transposeBlocks(a);
}

void forwardSparsePortable(const NttTables &t, std::uint64_t *a, const std::array<std::uint64_t *, kInterleaved> &out) {
  constexpr int kBlocks = kN / kInterleaved;
  forwardStages(t, a, 1, kBlocks);
  for (int i = 0; i < kBlocks; ++i)
    for (int j = 0; j < kInterleaved; ++j) {
      const std::uint64_t residue = t.one(a[i * kInterleaved + j], t.p);
      for (int at = i * kInterleaved; at < (i + 1) * kInterleaved; ++at)
        out[j][at] = residue;
    }
  for (std::uint64_t *poly : out)
    transposeBlocks(poly);
}

void inversePortable(const NttTables &t, std::uint64_t *a) {
  transposeBlocks(a);
  inverseStages(t, a, kN / 2);
  for (int i = 0; i < kN; ++i)
    a[i] = t.inverseDegree(a[i], t.p);
}

void splitPortable(const NttTables &t, const ShoupFactor &root, std::uint64_t *x, std::uint64_t *y) {
  for (int i = 0; i < kN; ++i) {
    const std::uint64_t u = x[i], v = root(y[i], t.p);
    x[i] = addMod(u, v, t.p);
    y[i] = subMod(u, v, t.p);
  }
}

void joinPortable(const NttTables &t, const ShoupFactor &inverseRoot, std::uint64_t *x, std::uint64_t *y) {
  for (int i = 0; i < kN; ++i) {
    const std::uint64_t u = x[i], v = y[i];
    x[i] = addMod(u, v, t.p);
    y[i] = inverseRoot(subMod(u, v, t.p), t.p);
  }
}

void multiplyAddPortable(const NttTables &, ProductLanes sum, const std::uint64_t *a, const std::uint64_t *b) {
  for (int i = 0; i < kN; ++i) {
    const Wide product = static_cast<Wide>(a[i]) * b[i];
    sum.lo[i] += static_cast<std::uint64_t>(product) & ((std::uint64_t{1} << 52) - 1);
    sum.hi[i] += static_cast<std::uint64_t>(product >> 52);
  }
}

void multiplyAddPairsPortable(const NttTables &t, ProductLanes c0, ProductLanes c1, std::span<const PairTerm> terms) {
  for (const PairTerm &term : terms) {
    multiplyAddPortable(t, c0, term.c0, term.weights);
    multiplyAddPortable(t, c1, term.c1, term.weights);
  }
}

constexpr PolyKernels kPortable{PolyTarget::Portable, forwardPortable, inversePortable,     forwardSparsePortable,
                                splitPortable,        joinPortable,    multiplyAddPortable, multiplyAddPairsPortable,
                                reducePortable};

} // namespace

NttTables::NttTables(std::uint64_t prime, int degree, std::vector<std::uint64_t> forwardRoots,
                     std::vector<std::uint64_t> inverseRoots)
    : p(prime), forward(makeRoots(std::move(forwardRoots), prime)), inverse(makeRoots(std::move(inverseRoots), prime)),
      inverseDegree(inverseMod(static_cast<std::uint64_t>(degree), prime), prime),
      two52((std::uint64_t{1} << 52) % prime, prime), two104(powMod(2, 104, prime), prime), one(1, prime) {}

void ProductSum::clear() {
  std::ranges::fill(lo.span(), 0);
  std::ranges::fill(hi.span(), 0);
}

// Cooley-Tukey butterflies with lazy reduction: values stay in [0, 4p).
void forwardStages(const NttTables &t, std::uint64_t *a, int firstBlocks, int endBlocks) {
  const std::uint64_t p = t.p;
  for (int blocks = firstBlocks; blocks < endBlocks; blocks *= 2) {
    const int distance = kN / (2 * blocks);
    for (int i = 0; i < blocks; ++i) {
      const std::uint64_t w = t.forward.w[blocks + i], q = t.forward.quotient64[blocks + i];
      std::uint64_t *x = a + 2 * i * distance, *y = x + distance;
      for (int j = 0; j < distance; ++j) {
        const std::uint64_t u = x[j] >= 2 * p ? x[j] - 2 * p : x[j];
        const std::uint64_t v = y[j] * w - static_cast<std::uint64_t>(static_cast<Wide>(y[j]) * q >> 64) * p;
        x[j] = u + v;
        y[j] = u - v + 2 * p;
      }
    }
  }
}

// Gentleman-Sande butterflies down to `lastBlocks` + 1 ... from `firstBlocks`; values stay in [0, 2p).
void inverseStages(const NttTables &t, std::uint64_t *a, int firstBlocks, int endBlocks) {
  const std::uint64_t p = t.p;
  for (int blocks = firstBlocks; blocks > endBlocks; blocks /= 2) {
    const int distance = kN / (2 * blocks);
    for (int i = 0; i < blocks; ++i) {
      const std::uint64_t w = t.inverse.w[blocks + i], q = t.inverse.quotient64[blocks + i];
      std::uint64_t *x = a + 2 * i * distance, *y = x + distance;
      for (int j = 0; j < distance; ++j) {
        const std::uint64_t sum = x[j] + y[j], difference = x[j] - y[j] + 2 * p;
        x[j] = sum >= 2 * p ? sum - 2 * p : sum;
        y[j] = difference * w - static_cast<std::uint64_t>(static_cast<Wide>(difference) * q >> 64) * p;
      }
    }
  }
}

void reducePortable(const NttTables &t, const std::uint64_t *lo, const std::uint64_t *hi, std::uint64_t *out) {
  for (int i = 0; i < kN; ++i) {
    const std::uint64_t r = t.two52.lazy(hi[i], t.p) + t.one.lazy(lo[i], t.p); // < 4p
    const std::uint64_t s = r >= 2 * t.p ? r - 2 * t.p : r;
    out[i] = s >= t.p ? s - t.p : s;
  }
}

const PolyKernels *polyKernelsFor(PolyTarget target) {
  switch (target) {
  case PolyTarget::Portable:
    return &kPortable;
  case PolyTarget::Avx2:
    return avx2Kernels();
  case PolyTarget::Avx512:
    return avx512Kernels();
  }
  return nullptr;
}

const PolyKernels &polyKernels() {
  static const PolyKernels &best = [&]() -> const PolyKernels & {
    for (auto target : {PolyTarget::Avx512, PolyTarget::Avx2})
      if (auto *kernels = polyKernelsFor(target)) return *kernels;
    return kPortable;
  }();
  return best;
}

} // namespace sd
