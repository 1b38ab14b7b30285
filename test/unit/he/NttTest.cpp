#include "runtime/he/Ntt.h"

#include <gtest/gtest.h>

#include <random>

namespace sd {
namespace {

constexpr int kN = kRlweDegree;
using Poly = std::vector<std::uint64_t>;

Poly randomPoly(std::mt19937_64 &rng, std::uint64_t p) {
  Poly a(kN);
  for (auto &x : a)
    x = rng() % p;
  return a;
}

Poly schoolbook(const Poly &a, const Poly &b, std::uint64_t p) {
  Poly c(kN);
  for (int i = 0; i < kN; ++i)
    for (int j = 0; j < kN; ++j) {
      const std::uint64_t x = mulMod(a[i], b[j], p);
      auto &at = c[(i + j) % kN];
      at = i + j < kN ? addMod(at, x, p) : subMod(at, x, p);
    }
  return c;
}

TEST(Ntt, PrimesAreFitForTheTransform) {
  for (auto p : kPrimes) {
    EXPECT_EQ(p % (2 * kN), 1U);
    EXPECT_LT(p, std::uint64_t{1} << kPrimeBits);
    for (std::uint64_t base : {2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37}) { // deterministic Miller-Rabin below 2^64
      std::uint64_t d = p - 1;
      int s = 0;
      for (; d % 2 == 0; d /= 2)
        ++s;
      std::uint64_t x = powMod(base, d, p);
      bool witness = x != 1 && x != p - 1;
      for (int i = 1; i < s && witness; ++i)
        witness = (x = mulMod(x, x, p)) != p - 1;
      EXPECT_FALSE(witness) << p << " base " << base;
    }
  }
}

class NttTargets : public testing::TestWithParam<PolyTarget> {
protected:
  void SetUp() override {
    kernels = polyKernelsFor(GetParam());
    if (!kernels) GTEST_SKIP() << "this machine lacks the instructions";
  }
  const PolyKernels *kernels = nullptr;
};

TEST_P(NttTargets, EqualsPortable) {
  std::mt19937_64 rng(1);
  const auto &portable = *polyKernelsFor(PolyTarget::Portable);
  for (int prime = 0; prime < kPrimeCount; ++prime) {
    const auto &t = nttTables(prime);
    for (int round = 0; round < 20; ++round) {
      Poly a = round == 0 ? Poly(kN, t.p - 1) : randomPoly(rng, t.p);
      Poly x = a, y = a;
      kernels->forward(t, x.data());
      portable.forward(t, y.data());
      ASSERT_EQ(x, y);
      kernels->inverse(t, x.data());
      ASSERT_EQ(x, a);
      x = y = randomPoly(rng, t.p);
      kernels->inverse(t, x.data());
      portable.inverse(t, y.data());
      ASSERT_EQ(x, y);
    }
  }
}

TEST_P(NttTargets, MultipliesAsTheSchoolbook) {
  std::mt19937_64 rng(2);
  const auto &t = nttTables(1);
  Poly a = randomPoly(rng, t.p), b = randomPoly(rng, t.p);
  const Poly want = schoolbook(a, b, t.p);
  kernels->forward(t, a.data());
  kernels->forward(t, b.data());
  ProductSum sum;
  kernels->multiplyAdd(t, sum, a.data(), b.data());
  Poly got(kN);
  kernels->reduce(t, sum, got.data());
  kernels->inverse(t, got.data());
  EXPECT_EQ(got, want);
}

TEST_P(NttTargets, PairsAddUpAsSingleProducts) {
  std::mt19937_64 rng(3);
  const auto &t = nttTables(0);
  ProductSum single0, single1, pair0, pair1;
  for (std::size_t count : {1, 2, 4, 3}) {
    std::vector<Poly> polys;
    std::vector<PairTerm> terms;
    for (std::size_t i = 0; i < 3 * count; ++i)
      polys.push_back(randomPoly(rng, t.p));
    for (std::size_t i = 0; i < count; ++i) {
      const Poly &w = polys[3 * i], &c0 = polys[3 * i + 1], &c1 = polys[3 * i + 2];
      terms.push_back({w.data(), c0.data(), c1.data()});
      kernels->multiplyAdd(t, single0, c0.data(), w.data());
      kernels->multiplyAdd(t, single1, c1.data(), w.data());
    }
    kernels->multiplyAddPairs(t, pair0, pair1, terms);
  }
  Poly want(kN), got(kN);
  for (const auto &[single, pair] : {std::pair{&single0, &pair0}, {&single1, &pair1}}) {
    kernels->reduce(t, *single, want.data());
    kernels->reduce(t, *pair, got.data());
    EXPECT_EQ(got, want);
  }
}

TEST_P(NttTargets, SumsOfManyLargestProductsReduceRightly) {
  for (int prime = 0; prime < kPrimeCount; ++prime) {
    const auto &t = nttTables(prime);
    const Poly a(kN, t.p - 1);
    ProductSum sum;
    for (int i = 0; i < 4096; ++i)
      kernels->multiplyAdd(t, sum, a.data(), a.data());
    Poly got(kN);
    kernels->reduce(t, sum, got.data());
    EXPECT_EQ(got, Poly(kN, 4096)); // (-1)^2, 4096 times
  }
}

INSTANTIATE_TEST_SUITE_P(All, NttTargets, testing::Values(PolyTarget::Portable, PolyTarget::Avx2, PolyTarget::Avx512));

} // namespace
} // namespace sd
