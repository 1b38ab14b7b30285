#include "runtime/he/Rlwe.h"

#include <gtest/gtest.h>

#include <functional>
#include <numeric>
#include <random>

namespace sd {
namespace {

constexpr int kN = kRlweDegree;

Seed testSeed(std::uint8_t tag) {
  std::array<std::uint8_t, 16> bytes{};
  bytes[0] = tag;
  return Seed(bytes);
}

struct Parties {
  Prg hospital{testSeed(1)}, service{testSeed(2)}, publicStream{testSeed(3)};
  RlweSecretKey secret{hospital};
  RlwePublicKey key{makeRlwePoly(), makeRlwePoly()};
  Parties() {
    uniformPoly(publicStream, key.k1);
    secret.makePublicKey(key.k1, hospital, key.k0);
  }
};

// One sum of `blocks` products with weights of the given magnitude; returns the worst distance of a phase.
std::uint32_t runProducts(Parties &p, std::mt19937_64 &rng, int blocks,
                          const std::function<std::int32_t(int)> &weight) {
  std::vector<Ring> want(kN);
  ReplySums sums;
  for (int b = 0; b < blocks; ++b) {
    std::vector<Ring> m(kN);
    for (auto &x : m)
      x = static_cast<Ring>(rng());
    RlwePoly c0 = makeRlwePoly(), c1 = makeRlwePoly(), w = makeRlwePoly();
    uniformPoly(p.publicStream, c1);
    p.secret.encrypt(m, c1, p.hospital, c0);
    std::vector<std::uint8_t> wire(kPackedUploadBytes);
    packPoly(c0, wire);
    EXPECT_TRUE(unpackPoly(wire, c0));
    std::vector<std::int32_t> weights(kN);
    for (int i = 0; i < kN; ++i)
      weights[i] = weight(i);
    transformSigned(weights, w);
    sums.add({{{&w, &c0, &c1}}});
    for (int i = 0; i < kN; ++i) {
      if (!weights[i]) continue;
      for (int j = 0; j < kN; ++j) {
        const Ring x = static_cast<Ring>(weights[i]) * m[j];
        want[(i + j) % kN] += i + j < kN ? x : -x;
      }
    }
  }
  std::vector<std::int32_t> positions(kN);
  std::iota(positions.begin(), positions.end(), 0);
  std::vector<Ring> mask(kN), got(kN);
  for (auto &x : mask)
    x = static_cast<Ring>(rng());
  std::vector<std::uint64_t> c1(kN), wanted(kN);
  makeReply(sums, p.key, {positions, mask}, p.service, c1, wanted);
  const auto worst = p.secret.decrypt(c1, wanted, positions, got);
  for (int i = 0; i < kN; ++i)
    EXPECT_EQ(got[i] + mask[i], want[i]) << i;
  return worst;
}

TEST(Rlwe, ProductsOpenToTheMessagesMinusTheMask) {
  Parties p;
  std::mt19937_64 rng(7);
  const auto worst = runProducts(p, rng, 2, [&](int) { return static_cast<std::int32_t>(rng() % 4096) - 2048; });
  EXPECT_LT(worst, 256U);
}

constexpr std::int64_t kLargestL1 = kMaxNoise * 2 / (2 * kErrorBound + 1);

TEST(Rlwe, NoiseStaysBelowTheBoundAtTheLargestWeights) {
  Parties p;
  std::mt19937_64 rng(8);
  // All of kLargestL1 on few taps, all of one sign, and spread over all of them.
  for (int taps : {1, 2, 64}) {
    const auto each = static_cast<std::int32_t>(kLargestL1 / taps);
    EXPECT_LT(runProducts(p, rng, 1, [&](int i) { return i < taps ? each : 0; }), 250U);
    EXPECT_LT(runProducts(p, rng, 1, [&](int i) { return i < taps ? -each : 0; }), 250U);
  }
  EXPECT_LT(runProducts(p, rng, 1, [&](int) { return static_cast<std::int32_t>(kLargestL1 / kN); }), 250U);
}

// 10^6 opened coefficients, the whole of kLargestL1 spread at random over few taps of random signs.
TEST(Rlwe, NoiseStaysBelowTheBoundInAMillionRandomProducts) {
  Parties p;
  std::mt19937_64 rng(80);
  for (int round = 0; round < 245; ++round) {
    const int taps = 1 + static_cast<int>(rng() % 9);
    const auto each = static_cast<std::int32_t>(kLargestL1 / taps);
    std::vector<std::int32_t> weights(kN, 0);
    for (int i = 0; i < taps; ++i)
      weights[rng() % kN] = rng() % 2 ? each : -each;
    ASSERT_LT(runProducts(p, rng, 1, [&](int i) { return weights[i]; }), 250U) << round;
  }
}

TEST(Rlwe, KnownAnswer) {
  Parties p;
  std::vector<Ring> message(kN), mask(kN);
  std::vector<std::int32_t> weights(kN), positions(kN);
  for (int i = 0; i < kN; ++i) {
    message[i] = 0x9e3779b9U * static_cast<Ring>(i);
    mask[i] = 0x85ebca6bU * static_cast<Ring>(i);
    weights[i] = i % 17 - 8;
    positions[i] = i;
  }
  RlwePoly c0 = makeRlwePoly(), c1 = makeRlwePoly(), w = makeRlwePoly();
  uniformPoly(p.publicStream, c1);
  p.secret.encrypt(message, c1, p.hospital, c0);
  transformSigned(weights, w);
  ReplySums sums;
  sums.add({{{&w, &c0, &c1}}});
  std::vector<std::uint64_t> reply1(kN), wanted(kN);
  makeReply(sums, p.key, {positions, mask}, p.service, reply1, wanted);
  const auto digest = [](const auto &values) {
    std::uint64_t h = 0xcbf29ce484222325; // FNV-1a over the words
    for (std::uint64_t v : values)
      h = (h ^ v) * 0x100000001b3;
    return h;
  };
  EXPECT_EQ(digest(c0.span()), 8165352457714027808U);
  EXPECT_EQ(digest(reply1), 4433293341036989364U);
  EXPECT_EQ(digest(wanted), 5869906498179329303U);
}

TEST(Rlwe, MalformedResiduesAreRefused) {
  RlwePoly poly = makeRlwePoly();
  Prg stream(testSeed(9));
  uniformPoly(stream, poly);
  std::vector<std::uint8_t> wire(kPackedUploadBytes);
  packPoly(poly, wire);
  RlwePoly back = makeRlwePoly();
  ASSERT_TRUE(unpackPoly(wire, back));
  EXPECT_TRUE(std::equal(poly.span().begin(), poly.span().end(), back.span().begin()));
  std::fill_n(wire.begin(), 7, 0xff); // the first residue becomes 2^50 - 1
  EXPECT_FALSE(unpackPoly(wire, back));
}

TEST(Rlwe, BitPackingKeepsEveryValue) {
  std::mt19937_64 rng(5);
  for (int bits : {1, 7, 35, 41, 50, 57})
    for (std::size_t count : {1, 2, 63, 1000}) {
      std::vector<std::uint64_t> v(count), back(count);
      for (auto &x : v)
        x = rng() & ((std::uint64_t{1} << bits) - 1);
      std::vector<std::uint8_t> bytes(packedBytes(count, bits));
      packBits(v, bits, bytes);
      unpackBits(bytes, bits, back);
      EXPECT_EQ(v, back);
    }
}

// Both polynomials of a reply must look uniform, whatever the weights: chi-square over the top byte of every
// coefficient, 255 degrees of freedom, limit 400 (probability of a false alarm below 10^-7).
TEST(Rlwe, RepliesAndUploadsLookUniform) {
  Parties p;
  std::vector<int> c1Counts(256), wantedCounts(256), uploadCounts(256);
  std::vector<Ring> message(kN, 0), mask(kN);
  std::vector<std::int32_t> positions(kN), weights(kN, 0);
  std::iota(positions.begin(), positions.end(), 0);
  weights[0] = 1;
  for (int round = 0; round < 4; ++round) {
    RlwePoly c0 = makeRlwePoly(), c1 = makeRlwePoly(), w = makeRlwePoly();
    uniformPoly(p.publicStream, c1);
    p.secret.encrypt(message, c1, p.hospital, c0);
    for (int i = 0; i < kN; ++i)
      ++uploadCounts[c0[i] >> 42];
    transformSigned(weights, w);
    ReplySums sums;
    sums.add({{{&w, &c0, &c1}}});
    p.service.fill(std::span(mask));
    std::vector<std::uint64_t> reply1(kN), wanted(kN);
    makeReply(sums, p.key, {positions, mask}, p.service, reply1, wanted);
    for (int i = 0; i < kN; ++i) {
      ++c1Counts[reply1[i] >> 33];
      ++wantedCounts[wanted[i] >> 27];
    }
  }
  for (auto *counts : {&c1Counts, &wantedCounts, &uploadCounts}) {
    double chi = 0;
    for (int c : *counts)
      chi += (c - 64.0) * (c - 64.0) / 64.0;
    EXPECT_LT(chi, 400.0);
  }
}

} // namespace
} // namespace sd
