#include "runtime/he/PolyRing.h"

#include <gtest/gtest.h>

#include <random>

#include "runtime/he/RlweParameters.h"

namespace sd {
namespace {

using Poly = std::vector<std::uint64_t>;

Poly randomPoly(std::mt19937_64 &rng, const PolyRing &ring) {
  const std::uint64_t p = ring.prime();
  Poly a(ring.degree());
  for (auto &x : a)
    x = rng() % p;
  return a;
}

Poly schoolbook(const Poly &a, const Poly &b, std::uint64_t p) {
  const int n = static_cast<int>(a.size());
  Poly c(n);
  for (int i = 0; i < n; ++i)
    for (int j = 0; j < n; ++j) {
      const std::uint64_t x = mulMod(a[i], b[j], p);
      auto &at = c[(i + j) % n];
      at = i + j < n ? addMod(at, x, p) : subMod(at, x, p);
    }
  return c;
}

TEST(Ntt, PrimesAreFitForTheTransform) {
  for (auto p : kPrimes) {
    EXPECT_EQ(p % (2 * 8192), 1U);
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

class NttTargets : public testing::TestWithParam<std::tuple<PolyTarget, int>> {
protected:
  void SetUp() override {
    kernels = polyKernelsFor(std::get<0>(GetParam()));
    if (!kernels) GTEST_SKIP() << "this machine lacks the instructions";
  }
  int degree() const { return std::get<1>(GetParam()); }
  PolyRing ring(int prime) const { return {kPrimes[prime], degree(), *kernels}; }
  const PolyKernels *kernels = nullptr;
};

TEST_P(NttTargets, EqualsPortable) {
  std::mt19937_64 rng(1);
  for (int prime = 0; prime < 3; ++prime) {
    const PolyRing fast = ring(prime), portable(kPrimes[prime], degree(), *polyKernelsFor(PolyTarget::Portable));
    for (int round = 0; round < 20; ++round) {
      Poly a = round == 0 ? Poly(degree(), fast.prime() - 1) : randomPoly(rng, fast);
      Poly x = a, y = a;
      fast.forward(x.data());
      portable.forward(y.data());
      ASSERT_EQ(x, y);
      fast.inverse(x.data());
      ASSERT_EQ(x, a);
      x = y = randomPoly(rng, fast);
      fast.inverse(x.data());
      portable.inverse(y.data());
      ASSERT_EQ(x, y);
    }
  }
}

TEST_P(NttTargets, SparseTransformsEqualThoseOfTheirPolynomials) {
  std::mt19937_64 rng(4);
  for (int prime = 0; prime < 3; ++prime) {
    const PolyRing fast = ring(prime), portable(kPrimes[prime], degree(), *polyKernelsFor(PolyTarget::Portable));
    for (int round = 0; round < 10; ++round) {
      Poly interleaved = round == 0 ? Poly(degree(), fast.prime() - 1) : randomPoly(rng, fast);
      std::vector<Poly> want(kInterleaved, Poly(degree())), got = want;
      std::array<std::uint64_t *, kInterleaved> out;
      for (int j = 0; j < kInterleaved; ++j) {
        for (int i = 0; i < degree(); i += kInterleaved)
          want[j][i] = interleaved[i + j];
        portable.forward(want[j].data());
        out[j] = got[j].data();
      }
      fast.forwardSparse(interleaved.data(), out);
      ASSERT_EQ(got, want);
    }
  }
}

TEST_P(NttTargets, MultipliesAsTheSchoolbook) {
  std::mt19937_64 rng(2);
  const PolyRing r = ring(1);
  Poly a = randomPoly(rng, r), b = randomPoly(rng, r);
  const Poly want = schoolbook(a, b, r.prime());
  r.forward(a.data());
  r.forward(b.data());
  ProductSum sum(degree());
  r.multiplyAdd(sum, a.data(), b.data());
  Poly got(degree());
  r.reduce(sum, got.data());
  r.inverse(got.data());
  EXPECT_EQ(got, want);
}

TEST_P(NttTargets, PairsAddUpAsSingleProducts) {
  std::mt19937_64 rng(3);
  const PolyRing r = ring(0);
  ProductSum single0(degree()), single1(degree()), pair0(degree()), pair1(degree());
  for (std::size_t count : {1, 2, 4, 3}) {
    std::vector<Poly> polys;
    std::vector<PairTerm> terms;
    for (std::size_t i = 0; i < 3 * count; ++i)
      polys.push_back(randomPoly(rng, r));
    for (std::size_t i = 0; i < count; ++i) {
      const Poly &w = polys[3 * i], &c0 = polys[3 * i + 1], &c1 = polys[3 * i + 2];
      terms.push_back({w.data(), c0.data(), c1.data()});
      r.multiplyAdd(single0, c0.data(), w.data());
      r.multiplyAdd(single1, c1.data(), w.data());
    }
    r.multiplyAddPairs(pair0, pair1, terms);
  }
  Poly want(degree()), got(degree());
  for (const auto &[single, pair] : {std::pair{&single0, &pair0}, {&single1, &pair1}}) {
    r.reduce(*single, want.data());
    r.reduce(*pair, got.data());
    EXPECT_EQ(got, want);
  }
}

TEST_P(NttTargets, SumsOfManyLargestProductsReduceRightly) {
  for (int prime = 0; prime < 3; ++prime) {
    const PolyRing r = ring(prime);
    const Poly a(degree(), r.prime() - 1);
    ProductSum sum(degree());
    for (int i = 0; i < kMaxProducts; ++i)
      r.multiplyAdd(sum, a.data(), a.data());
    Poly got(degree());
    r.reduce(sum, got.data());
    EXPECT_EQ(got, Poly(degree(), kMaxProducts)); // (-1)^2, so many times
  }
}

INSTANTIATE_TEST_SUITE_P(All, NttTargets,
                         testing::Combine(testing::Values(PolyTarget::Portable, PolyTarget::Avx2, PolyTarget::Avx512),
                                          testing::Values(4096, 8192)));

} // namespace
} // namespace sd
