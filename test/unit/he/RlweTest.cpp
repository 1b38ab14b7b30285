#include "runtime/he/Rlwe.h"

#include <gtest/gtest.h>

#include <functional>
#include <numeric>
#include <random>

#include "runtime/he/PackBits.h"

namespace sd {
namespace {

Seed testSeed(std::uint8_t tag) {
  std::array<std::uint8_t, 16> bytes{};
  bytes[0] = tag;
  return Seed(bytes);
}

template <RingWord R>
struct Parties {
  Prg hospital{testSeed(1)}, service{testSeed(2)}, publicStream{testSeed(3)};
  RlweSecretKey<R> secret{hospital};
  RlwePublicKey key{makeRlwePoly<R>(), makeRlwePoly<R>()};
  Parties() {
    uniformPoly<R>(publicStream, key.k1);
    secret.makePublicKey(key.k1, hospital, key.k0);
  }
};

template <class R>
struct Rlwe : testing::Test {
  using P = RlweParameters<R>;
  using Word = typename P::ReplyWord;
  static constexpr int kN = P::kDegree;
  // Far more than RlweParameters::kMaxSquares lets pass in networks, and far less than the room for noise.
  static constexpr std::int64_t kLargestL1 = std::int64_t{1} << (P::kWide ? 40 : 24);

  // One sum of `blocks` products with the weights given; returns the worst distance of a phase.
  static std::uint32_t runProducts(Parties<R> &p, std::mt19937_64 &rng, int blocks,
                                   const std::function<std::int64_t(int)> &weight) {
    std::vector<R> want(kN);
    ReplySums<R> sums;
    for (int b = 0; b < blocks; ++b) {
      std::vector<R> m(kN);
      for (auto &x : m)
        x = static_cast<R>(rng());
      RlwePoly c0 = makeRlwePoly<R>(), c1 = makeRlwePoly<R>(), w = makeRlwePoly<R>();
      uniformPoly<R>(p.publicStream, c1);
      p.secret.encrypt(m, c1, p.hospital, c0);
      std::vector<std::uint8_t> wire(P::kSizes.uploadBytes());
      packPoly(c0, wire);
      EXPECT_TRUE(unpackPoly<R>(wire, c0));
      std::vector<SignedOf<R>> weights(kN);
      for (int i = 0; i < kN; ++i)
        weights[i] = static_cast<SignedOf<R>>(weight(i));
      transformSigned<R>(weights, w);
      sums.add({{{&w, &c0, &c1}}});
      for (int i = 0; i < kN; ++i) {
        if (!weights[i]) continue;
        for (int j = 0; j < kN; ++j) {
          const R x = static_cast<R>(weights[i]) * m[j];
          want[(i + j) % kN] += i + j < kN ? x : -x;
        }
      }
    }
    std::vector<std::int32_t> positions(kN);
    std::iota(positions.begin(), positions.end(), 0);
    std::vector<R> mask(kN), got(kN);
    for (auto &x : mask)
      x = static_cast<R>(rng());
    std::vector<Word> c1(kN), wanted(kN);
    makeReply<R>(sums, p.key, {positions, mask}, p.service, c1, wanted);
    const auto worst = p.secret.decrypt(c1, wanted, positions, got);
    for (int i = 0; i < kN; ++i)
      EXPECT_EQ(static_cast<R>(got[i] + mask[i]), want[i]) << i;
    return worst;
  }
};
using Rings = testing::Types<Ring32, Ring64>;
TYPED_TEST_SUITE(Rlwe, Rings);

TYPED_TEST(Rlwe, ProductsOpenToTheMessagesMinusTheMask) {
  Parties<TypeParam> p;
  std::mt19937_64 rng(7);
  EXPECT_LT(this->runProducts(p, rng, 2, [&](int) { return static_cast<std::int64_t>(rng() % 4096) - 2048; }), 256U);
}

TYPED_TEST(Rlwe, NoiseStaysBelowTheBoundAtTheLargestWeights) {
  Parties<TypeParam> p;
  std::mt19937_64 rng(8);
  // All of kLargestL1 on few taps, all of one sign, and spread over all of them.
  for (int taps : {1, 2, 64}) {
    const std::int64_t each = this->kLargestL1 / taps;
    EXPECT_LT(this->runProducts(p, rng, 1, [&](int i) { return i < taps ? each : 0; }), 250U);
    EXPECT_LT(this->runProducts(p, rng, 1, [&](int i) { return i < taps ? -each : 0; }), 250U);
  }
  EXPECT_LT(this->runProducts(p, rng, 1, [&](int) { return this->kLargestL1 / this->kN; }), 250U);
}

// 10^6 opened coefficients, the whole of kLargestL1 spread at random over few taps of random signs.
TYPED_TEST(Rlwe, NoiseStaysBelowTheBoundInAMillionRandomProducts) {
  Parties<TypeParam> p;
  std::mt19937_64 rng(80);
  for (int round = 0; round < 1'000'000 / this->kN + 1; ++round) {
    const int taps = 1 + static_cast<int>(rng() % 9);
    const std::int64_t each = this->kLargestL1 / taps;
    std::vector<std::int64_t> weights(this->kN, 0);
    for (int i = 0; i < taps; ++i)
      weights[rng() % this->kN] = rng() % 2 ? each : -each;
    ASSERT_LT(this->runProducts(p, rng, 1, [&](int i) { return weights[i]; }), 250U) << round;
  }
}

// FNV-1a over the words, wide ones in two parts.
std::uint64_t digest(const auto &values) {
  std::uint64_t h = 0xcbf29ce484222325;
  for (const auto v : values)
    for (std::size_t part = 0; part < sizeof(v); part += 8)
      h = (h ^ static_cast<std::uint64_t>(v >> (4 * part) >> (4 * part))) * 0x100000001b3;
  return h;
}

struct Digests {
  std::uint64_t upload, reply1, wanted;
};
template <RingWord R>
constexpr Digests kKnown = {9512124218553152200U, 15150522333953730685U, 14335457920500805460U};
template <>
constexpr Digests kKnown<Ring64> = {6302556341590668767U, 4783249392837402334U, 9051816740172363148U};

TYPED_TEST(Rlwe, KnownAnswer) {
  using R = TypeParam;
  Parties<R> p;
  std::vector<R> message(this->kN), mask(this->kN);
  std::vector<SignedOf<R>> weights(this->kN);
  std::vector<std::int32_t> positions(this->kN);
  constexpr R kA = kBitsOf<R> == 32 ? 0x9e3779b9U : 0x9e3779b97f4a7c15U;
  constexpr R kB = kBitsOf<R> == 32 ? 0x85ebca6bU : 0xc2b2ae3d27d4eb4fU;
  for (int i = 0; i < this->kN; ++i) {
    message[i] = kA * static_cast<R>(i);
    mask[i] = kB * static_cast<R>(i);
    weights[i] = i % 17 - 8;
    positions[i] = i;
  }
  RlwePoly c0 = makeRlwePoly<R>(), c1 = makeRlwePoly<R>(), w = makeRlwePoly<R>();
  uniformPoly<R>(p.publicStream, c1);
  p.secret.encrypt(message, c1, p.hospital, c0);
  transformSigned<R>(weights, w);
  ReplySums<R> sums;
  sums.add({{{&w, &c0, &c1}}});
  std::vector<typename TestFixture::Word> reply1(this->kN), wanted(this->kN);
  makeReply<R>(sums, p.key, {positions, mask}, p.service, reply1, wanted);
  EXPECT_EQ(digest(c0.span()), kKnown<R>.upload);
  EXPECT_EQ(digest(reply1), kKnown<R>.reply1);
  EXPECT_EQ(digest(wanted), kKnown<R>.wanted);
}

TYPED_TEST(Rlwe, MalformedResiduesAreRefused) {
  using R = TypeParam;
  RlwePoly poly = makeRlwePoly<R>();
  Prg stream(testSeed(9));
  uniformPoly<R>(stream, poly);
  std::vector<std::uint8_t> wire(RlweParameters<R>::kSizes.uploadBytes());
  packPoly(poly, wire);
  RlwePoly back = makeRlwePoly<R>();
  ASSERT_TRUE(unpackPoly<R>(wire, back));
  EXPECT_TRUE(std::equal(poly.span().begin(), poly.span().end(), back.span().begin()));
  std::fill_n(wire.end() - 7, 7, 0xff); // the last residue becomes 2^50 - 1
  EXPECT_FALSE(unpackPoly<R>(wire, back));
}

template <class Word>
void checkPacking(std::initializer_list<int> widths) {
  std::mt19937_64 rng(5);
  for (int bits : widths)
    for (std::size_t count : {1, 2, 63, 1000}) {
      std::vector<Word> v(count), back(count);
      for (auto &x : v)
        x = (static_cast<Word>(rng()) << (8 * sizeof(Word) - 64) ^ rng()) & ((Word{1} << bits) - 1);
      std::vector<std::uint8_t> bytes(packedBytes(count, bits));
      packBits(std::span<const Word>(v), bits, std::span(bytes));
      unpackBits(bytes, bits, std::span(back));
      EXPECT_TRUE(v == back) << bits;
    }
}

TEST(PackBits, KeepEveryValue) {
  checkPacking<std::uint64_t>({1, 7, 35, 41, 50, 57});
  checkPacking<Wide>({1, 57, 64, 67, 73, 121});
}

// Both polynomials of a reply must look uniform, whatever the weights: chi-square over the top byte of every
// coefficient, 255 degrees of freedom, limit 400 (probability of a false alarm below 10^-7).
TYPED_TEST(Rlwe, RepliesAndUploadsLookUniform) {
  using R = TypeParam;
  using Params = RlweParameters<R>;
  constexpr int kCount = Params::kDegree;
  Parties<R> p;
  std::vector<int> c1Counts(256), wantedCounts(256), uploadCounts(256);
  std::vector<R> message(kCount, 0), mask(kCount);
  std::vector<std::int32_t> positions(kCount);
  std::vector<SignedOf<R>> weights(kCount, 0);
  std::iota(positions.begin(), positions.end(), 0);
  weights[0] = 1;
  for (int round = 0; round < 4; ++round) {
    RlwePoly c0 = makeRlwePoly<R>(), c1 = makeRlwePoly<R>(), w = makeRlwePoly<R>();
    uniformPoly<R>(p.publicStream, c1);
    p.secret.encrypt(message, c1, p.hospital, c0);
    for (int i = 0; i < kCount; ++i)
      ++uploadCounts[c0[i] >> 42];
    transformSigned<R>(weights, w);
    ReplySums<R> sums;
    sums.add({{{&w, &c0, &c1}}});
    p.service.fill(std::span(mask));
    std::vector<typename Params::ReplyWord> reply1(kCount), wanted(kCount);
    makeReply<R>(sums, p.key, {positions, mask}, p.service, reply1, wanted);
    for (int i = 0; i < kCount; ++i) {
      ++c1Counts[static_cast<std::size_t>(reply1[i] >> (Params::kReplyBits - 8))];
      ++wantedCounts[static_cast<std::size_t>(wanted[i] >> (Params::kWantedBits - 8))];
    }
  }
  constexpr double kExpected = 4.0 * kCount / 256;
  for (auto *counts : {&c1Counts, &wantedCounts, &uploadCounts}) {
    double chi = 0;
    for (int c : *counts)
      chi += (c - kExpected) * (c - kExpected) / kExpected;
    EXPECT_LT(chi, 400.0);
  }
}

} // namespace
} // namespace sd
