// What each party sees of a linear correlation, from the messages themselves: P1 the replies, with its key; P0 the
// uploads. Seeds are fixed, so a test that passes once passes always; the odds of a false alarm for a fresh seed are
// stated beside each limit.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <set>

#include "ir/core/OpRules.h"
#include "runtime/he/LinearCorrelation.h"
#include "runtime/he/PackBits.h"
#include "runtime/he/PackingLayout.h"
#include "runtime/net/MemoryChannel.h"

namespace sd {
namespace {

constexpr std::uint16_t kSetup = 0x300, kUpload = 0x301, kReply = 0x302;

Seed testSeed(std::uint8_t tag) {
  std::array<std::uint8_t, 16> bytes{};
  bytes[0] = tag;
  return Seed(bytes);
}

// A matrix product of k inputs and m outputs.
template <RingWord R>
LinearLayer matrix(std::int64_t k, std::int64_t m) {
  const Type operands[] = {Type::share({1, k}, 10), Type::weight({k, m}, 10)};
  return LinearLayer(linearGeometry(OpKind::ShareMatMul, operands, {}, Type::share({1, m}, 20), kBitsOf<R>));
}

// The odds that |mean| of n values of deviation 1 exceeds 6 / sqrt(n) are 2^-29.
void expectCentred(double sum, double deviation, double n) { EXPECT_LT(std::abs(sum), 6 * deviation * std::sqrt(n)); }

// Chi-square of the top and bottom bytes: 255 degrees of freedom, odds of more than 420 below 2^-31.
template <class Word>
void expectUniformBytes(std::span<const Word> values, int bits) {
  for (int shift : {0, bits - 8}) {
    std::array<double, 256> counts{};
    for (const Word v : values)
      ++counts[static_cast<std::size_t>(v >> shift & 255)];
    double chi = 0;
    const double expected = static_cast<double>(values.size()) / 256;
    for (double c : counts)
      chi += (c - expected) * (c - expected) / expected;
    EXPECT_LT(chi, 420) << "bits from " << shift;
  }
}

// How many places hold the same value; of n uniform pairs of 8 bits or more, more than n / 256 + 6 sqrt(n / 256) has
// odds below 2^-29 (bytes), and any at all below n / 2^32 (words).
template <class A, class B>
std::size_t equalPlaces(const A &a, const B &b) {
  std::size_t equal = 0;
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i)
    equal += a[i] == b[i];
  return equal;
}

// The hospital with its secret in sight: the same stream that RlweSecretKey draws from.
template <RingWord R>
struct OpenHospital {
  using P = RlweParameters<R>;
  std::vector<int> s;
  Prg randomness, publicStream;
  RlweSecretKey<R> key;
  Prg encryptions{testSeed(12)};

  OpenHospital()
      : s([] {
          Prg stream(testSeed(10));
          SecretVector<std::uint64_t> words(P::kDegree);
          stream.fill(words.span());
          std::vector<int> secret;
          for (const std::uint64_t word : words.span())
            secret.push_back(static_cast<int>(static_cast<Wide>(word) * 3 >> 64) - 1);
          return secret;
        }()),
        randomness(testSeed(10)), publicStream(testSeed(11)), key(randomness) {}

  Expected<void> setUp(Channel &channel) {
    RlwePoly k1 = makeRlwePoly<R>(), k0 = makeRlwePoly<R>();
    uniformPoly<R>(publicStream, k1);
    key.makePublicKey(k1, encryptions, k0);
    std::vector<std::uint8_t> message(kLinearSetupBytes<R>);
    std::ranges::copy(testSeed(11).bytes(), message.begin());
    packPoly(k0, std::span(message).subspan(Seed::kBytes));
    return channel.send(kSetup, message);
  }

  // `extra`: what a cheat adds to the first input's coefficient, in units of 2^extraBits.
  Expected<void> upload(Channel &channel, const LinearLayer &layer, std::span<const R> r, std::uint64_t extra = 0,
                        int extraBits = 0) {
    std::vector<std::uint8_t> message;
    for (std::int64_t b = 0; b < layer.packing.inBlocks(); ++b) {
      std::vector<R> coefficients(P::kDegree);
      packInput<R>(layer.geometry, layer.packing, 0, b, r, coefficients);
      RlwePoly c1 = makeRlwePoly<R>(), c0 = makeRlwePoly<R>();
      uniformPoly<R>(publicStream, c1);
      key.encrypt(coefficients, c1, encryptions, c0);
      if (extra && b == 0) addAtFirstInput(layer, extra, extraBits, c0);
      message.resize(message.size() + P::kSizes.uploadBytes());
      packPoly(c0, std::span(message).last(P::kSizes.uploadBytes()));
    }
    return channel.send(kUpload, message);
  }

  static void addAtFirstInput(const LinearLayer &layer, std::uint64_t extra, int extraBits, RlwePoly &c0) {
    std::vector<R> one(layer.geometry.inChannels(), 0), place(P::kDegree);
    one[0] = 1;
    packInput<R>(layer.geometry, layer.packing, 0, 0, one, place);
    const auto at = static_cast<std::size_t>(std::ranges::find(place, R{1}) - place.begin());
    for (int i = 0; i < P::kPrimeCount; ++i) {
      SecretVector<std::uint64_t> poly(P::kDegree, 0);
      poly[at] = mulMod(extra, powMod(2, static_cast<std::uint64_t>(extraBits), kPrimes[i]), kPrimes[i]);
      polyRing<R>(i).forward(poly.data());
      std::uint64_t *const out = c0.data() + std::size_t(i) * P::kDegree;
      for (int j = 0; j < P::kDegree; ++j)
        out[j] = addMod(out[j], poly[j], kPrimes[i]);
    }
  }

  struct Reply {
    std::vector<ReplyWord<R>> c1, wanted;
    std::vector<double> low; // of each wanted coefficient: the phase's distance from its message, in units of a reply
  };

  Expected<Reply> receive(Channel &channel, const LinearLayer &layer, std::int64_t block) const {
    const WantedOutputs outputs = wantedOutputs(layer.geometry, layer.packing, block, 0);
    Reply reply{std::vector<ReplyWord<R>>(P::kDegree), std::vector<ReplyWord<R>>(outputs.positions.size()), {}};
    const std::size_t first = P::kSizes.replyBytes();
    std::vector<std::uint8_t> message(first + packedBytes(reply.wanted.size(), P::kWantedBits));
    SD_TRY(channel.receive(kReply, message));
    unpackBits(std::span<const std::uint8_t>(message).first(first), P::kReplyBits, std::span(reply.c1));
    unpackBits(std::span<const std::uint8_t>(message).subspan(first), P::kWantedBits, std::span(reply.wanted));
    constexpr int kUnitBits = P::kReplyBits - kBitsOf<R>;
    for (std::size_t j = 0; j < reply.wanted.size(); ++j) {
      const int at = outputs.positions[j];
      ReplyWord<R> phase = reply.wanted[j] << (P::kReplyBits - P::kWantedBits);
      for (int i = 0; i < P::kDegree; ++i) {
        const ReplyWord<R> term = reply.c1[i <= at ? at - i : at - i + P::kDegree];
        const int sign = i <= at ? s[i] : -s[i];
        phase += sign > 0 ? term : sign < 0 ? ReplyWord<R>{} - term : ReplyWord<R>{};
      }
      const auto fraction = static_cast<std::int64_t>(phase & ((1U << kUnitBits) - 1));
      reply.low.push_back(static_cast<double>(fraction) - (fraction >> (kUnitBits - 1) << kUnitBits));
    }
    return reply;
  }
};

template <RingWord R>
struct Replies {
  std::vector<typename OpenHospital<R>::Reply> replies; // by inference, then output block
  std::vector<std::vector<R>> u;                        // by inference
  std::int64_t outBlocks = 0;
};

// `inferences` uploads of the same zeros to one service, with all weights `weight`.
template <RingWord R>
Replies<R> replies(SignedOf<R> weight, int inferences, std::uint8_t serviceSeed = 2, unsigned threadCount = 1) {
  const LinearLayer layer = matrix<R>(64, 500);
  auto [left, right] = makeMemoryConnections();
  OpenHospital<R> hospital;
  Replies<R> seen;
  seen.outBlocks = layer.packing.outBlocks(layer.geometry);
  ThreadPool threads(threadCount);
  EXPECT_TRUE(hospital.setUp(left->stream(3)));
  auto service = LinearService<R>::setUp(right->stream(3), testSeed(serviceSeed));
  EXPECT_TRUE(service);
  const std::vector<SignedOf<R>> weights(std::size_t{64} * 500, weight);
  for (int k = 0; k < inferences; ++k) {
    EXPECT_TRUE(hospital.upload(left->stream(3), layer, std::vector<R>(64, 0)));
    auto &u = seen.u.emplace_back(500);
    EXPECT_TRUE(service->answer(layer, weights, u, threads));
    for (std::int64_t o = 0; o < seen.outBlocks; ++o) {
      auto reply = hospital.receive(left->stream(3), layer, o);
      EXPECT_TRUE(reply);
      seen.replies.push_back(std::move(*reply));
    }
  }
  return seen;
}

template <class R>
struct LinearView : testing::Test {};
using Rings = testing::Types<Ring32, Ring64>;
TYPED_TEST_SUITE(LinearView, Rings);

TYPED_TEST(LinearView, MasksOfRepliesAreUniformAndFresh) {
  using R = TypeParam;
  const Replies<R> first = replies<R>(3, 20), second = replies<R>(3, 1, 7), threaded = replies<R>(3, 1, 2, 3);
  std::vector<R> all;
  std::set<R> distinct;
  for (const auto &u : first.u) {
    all.insert(all.end(), u.begin(), u.end());
    distinct.insert(u.begin(), u.end());
  }
  expectUniformBytes<R>(all, kBitsOf<R>);
  EXPECT_GE(distinct.size() + 4, all.size()); // 10^4 words: more than 4 pairs of equal ones has odds of 2^-36 or less
  EXPECT_EQ(equalPlaces(first.u[0], second.u[0]), 0U);     // of another session
  EXPECT_EQ(equalPlaces(first.u[0], threaded.u[0]), 500U); // threads change nothing
}

// The phase is W r - u and noise; its part below a message unit must hold the whole flood, the same for all weights.
TYPED_TEST(LinearView, LowPartOfThePhaseIsTheFloodWhateverTheWeights) {
  using R = TypeParam;
  using P = RlweParameters<R>;
  // In units of a reply: three uniform variables, the dropped bits, the rounding of c1 times some 2 N / 3 signs.
  const double modulus = P::kWide ? 150 : 100;
  const double width = std::exp2(P::kFloodBits - (modulus - P::kReplyBits));
  const double dropped = std::exp2(P::kReplyBits - P::kWantedBits);
  const double expected = width * width / 4 + dropped * dropped / 12 + P::kDegree / 18.0 + 1;
  for (const SignedOf<R> weight : {SignedOf<R>(0), SignedOf<R>(1 << 12)}) {
    const Replies<R> seen = replies<R>(weight, 20);
    double sum = 0, squares = 0, neighbours = 0, n = 0, worst = 0;
    for (const auto &reply : seen.replies)
      for (std::size_t j = 0; j < reply.low.size(); ++j) {
        sum += reply.low[j];
        squares += reply.low[j] * reply.low[j];
        if (j > 0) neighbours += reply.low[j] * reply.low[j - 1];
        worst = std::max(worst, std::abs(reply.low[j]));
        ++n;
      }
    EXPECT_EQ(n, 10'000);
    expectCentred(sum, std::sqrt(expected), n);
    // A sum of n squares: deviation at most sqrt(2 / n) of its mean; 6 deviations.
    EXPECT_NEAR(squares / n, expected, 6 * expected * std::sqrt(2 / n));
    expectCentred(neighbours, expected, n);
    EXPECT_LT(worst, 256);
  }
}

TYPED_TEST(LinearView, RepliesShareNoRandomness) {
  using R = TypeParam;
  const Replies<R> seen = replies<R>(5, 4), other = replies<R>(5, 1, 7);
  ASSERT_GE(seen.outBlocks, 2);
  const auto unlike = [](const auto &a, const auto &b) {
    // Polynomials that hide c1 W: equal coefficients of 41 bits or more, any of 4096: odds below 2^-29.
    EXPECT_EQ(equalPlaces(a.c1, b.c1), 0U);
    double sum = 0, squares = 0;
    const std::size_t n = std::min(a.low.size(), b.low.size());
    for (std::size_t j = 0; j < n; ++j) {
      sum += a.low[j] * b.low[j];
      squares += (a.low[j] * a.low[j] + b.low[j] * b.low[j]) / 2;
    }
    EXPECT_LT(std::abs(sum), 6 * squares / std::sqrt(static_cast<double>(n)));
  };
  for (std::size_t i = 0; i < seen.replies.size(); ++i)
    for (std::size_t j = 0; j < i; ++j)
      unlike(seen.replies[i], seen.replies[j]);
  unlike(seen.replies[0], other.replies[0]);
  std::vector<ReplyWord<R>> all;
  for (const auto &reply : seen.replies)
    all.insert(all.end(), reply.c1.begin(), reply.c1.end());
  expectUniformBytes<ReplyWord<R>>(all, RlweParameters<R>::kReplyBits);
}

// With all weights zero and nothing added, c1 of a reply would be zero: whoever knows c1 of the uploads would divide by
// it.
TYPED_TEST(LinearView, ReplyToZeroWeightsIsAnEncryptionOfItsOwn) {
  using R = TypeParam;
  const Replies<R> seen = replies<R>(0, 1);
  for (const auto &reply : seen.replies)
    expectUniformBytes<ReplyWord<R>>(reply.c1, RlweParameters<R>::kReplyBits);
}

// What docs/threat-model.md says of a hospital that cheats: half a message unit, added to an upload, brings the parity
// of each weight that meets it into the fraction of the reply. One bit of all weights of an input an upload, 12 bits
// in 12.
TYPED_TEST(LinearView, AHospitalThatCheatsReadsWeightsFromItsReplies) {
  using R = TypeParam;
  using P = RlweParameters<R>;
  constexpr int kBits = 12;
  const LinearLayer layer = matrix<R>(64, 500);
  auto [left, right] = makeMemoryConnections();
  OpenHospital<R> hospital;
  ThreadPool threads(1);
  ASSERT_TRUE(hospital.setUp(left->stream(3)));
  auto service = LinearService<R>::setUp(right->stream(3), testSeed(2));
  ASSERT_TRUE(service);
  std::mt19937_64 rng(8);
  std::vector<SignedOf<R>> weights(std::size_t{64} * 500);
  for (auto &w : weights)
    w = static_cast<SignedOf<R>>(rng() % (1 << kBits)) - (1 << (kBits - 1));
  std::vector<R> u(500);
  std::vector<std::uint32_t> found(500, 0);
  const int unitBits = kPrimeBits * P::kPrimeCount - kBitsOf<R>;
  for (int bit = 0; bit < kBits; ++bit) {
    ASSERT_TRUE(hospital.upload(left->stream(3), layer, std::vector<R>(64, 0), 1, unitBits - 1 - bit));
    ASSERT_TRUE(service->answer(layer, weights, u, threads));
    for (std::int64_t o = 0; o < layer.packing.outBlocks(layer.geometry); ++o) {
      const WantedOutputs outputs = wantedOutputs(layer.geometry, layer.packing, o, 0);
      const auto reply = hospital.receive(left->stream(3), layer, o);
      ASSERT_TRUE(reply);
      for (std::size_t j = 0; j < outputs.elements.size(); ++j) {
        std::uint32_t &known = found[outputs.elements[j]];
        // In parts of a unit: known / 2^(bit + 1), and a half more if the bit is set.
        double fraction = reply->low[j] / (1 << (P::kReplyBits - kBitsOf<R>)) - known / std::exp2(bit + 1);
        fraction -= std::floor(fraction);
        if (fraction > 0.25 && fraction < 0.75) known |= 1U << bit;
      }
    }
  }
  int found12 = 0;
  for (std::size_t o = 0; o < 500; ++o)
    found12 += found[o] == (static_cast<std::uint32_t>(weights[o]) & ((1U << kBits) - 1));
  EXPECT_GE(found12, 490); // the flood spoils a bit in some thousand
}

// P0's view: uploads of LinearHospital, by upload.
template <RingWord R>
std::vector<std::vector<std::uint8_t>> uploads(std::uint8_t seed, const std::vector<std::vector<R>> &records,
                                               unsigned threadCount) {
  const LinearLayer layer = matrix<R>(64, 500);
  auto [left, right] = makeMemoryConnections();
  auto hospital = LinearHospital<R>::setUp(left->stream(3), testSeed(seed));
  EXPECT_TRUE(hospital);
  ThreadPool threads(threadCount);
  std::vector<std::vector<std::uint8_t>> seen;
  std::vector<std::uint8_t> setup(kLinearSetupBytes<R>);
  EXPECT_TRUE(right->stream(3).receive(kSetup, setup));
  seen.emplace_back(setup.begin() + Seed::kBytes, setup.end());
  for (const auto &r : records) {
    EXPECT_TRUE(hospital->upload(layer, r, threads));
    auto &message = seen.emplace_back(layer.packing.inBlocks() * RlweParameters<R>::kSizes.uploadBytes());
    EXPECT_TRUE(right->stream(3).receive(kUpload, message));
  }
  return seen;
}

// c0 of an upload's first polynomial, modulo the first prime, by coefficient.
template <RingWord R>
std::vector<std::uint64_t> coefficientsOf(std::span<const std::uint8_t> upload) {
  RlwePoly c0 = makeRlwePoly<R>();
  EXPECT_TRUE(unpackPoly<R>(upload.first(RlweParameters<R>::kSizes.uploadBytes()), c0));
  polyRing<R>(0).inverse(c0.data());
  return {c0.data(), c0.data() + RlweParameters<R>::kDegree};
}

TYPED_TEST(LinearView, UploadsOfEqualAndOfDifferentRecordsLookAlike) {
  using R = TypeParam;
  std::mt19937_64 rng(3);
  std::vector<R> one(64), two(64);
  for (std::size_t i = 0; i < 64; ++i)
    one[i] = static_cast<R>(rng()), two[i] = static_cast<R>(rng());
  const auto seen = uploads<R>(1, {one, one, two}, 1), other = uploads<R>(2, {one}, 1);
  EXPECT_EQ(uploads<R>(1, {one, one, two}, 3), seen); // threads change nothing
  const double n = static_cast<double>(seen[1].size());
  const auto unlike = [&](const auto &a, const auto &b) {
    EXPECT_LT(static_cast<double>(equalPlaces(a, b)), n / 256 + 6 * std::sqrt(n / 256));
  };
  for (std::size_t i = 0; i < seen.size(); ++i)
    for (std::size_t j = 0; j < i; ++j)
      unlike(seen[i], seen[j]);
  // Under one c1 two of them would differ by their records and small errors alone.
  for (std::size_t i = 0; i < seen.size(); ++i)
    for (std::size_t j = 0; j < i; ++j) {
      auto difference = coefficientsOf<R>(seen[i]);
      const auto minus = coefficientsOf<R>(seen[j]);
      for (std::size_t k = 0; k < difference.size(); ++k)
        difference[k] = subMod(difference[k], minus[k], kPrimes[0]);
      expectUniformBytes<std::uint64_t>(difference, kPrimeBits);
    }
  unlike(seen[1], other[1]);
  unlike(seen[0], other[0]);
}

// The errors of uploads: what a key and an upload leave. Without them c0 would be linear in the secret.
TYPED_TEST(LinearView, UploadsHoldFreshErrors) {
  using R = TypeParam;
  using P = RlweParameters<R>;
  const LinearLayer layer = matrix<R>(64, 500);
  Prg secretStream(testSeed(1).derive("rlwe secret")), publicStream(testSeed(1).derive("rlwe public"));
  const RlweSecretKey<R> key(secretStream);
  const std::vector<R> r(64, 0);
  const auto seen = uploads<R>(1, {r, r}, 1);
  std::vector<std::vector<std::int64_t>> errors;
  for (const auto &wire : seen) {
    RlwePoly c0 = makeRlwePoly<R>(), c1 = makeRlwePoly<R>(), minusC1s = makeRlwePoly<R>();
    uniformPoly<R>(publicStream, c1);
    if (!errors.empty()) { // an upload: its other blocks' c1 come before the next one's
      RlwePoly other = makeRlwePoly<R>();
      for (std::int64_t block = 1; block < layer.packing.inBlocks(); ++block)
        uniformPoly<R>(publicStream, other);
    }
    ASSERT_TRUE(unpackPoly<R>(std::span(wire).template first<P::kSizes.uploadBytes()>(), c0));
    // makePublicKey gives -c1 s + e'; with two draws of e' from one stream the difference of c0 is left.
    Prg zero(testSeed(20)), again(testSeed(20));
    RlwePoly e = makeRlwePoly<R>(), none = makeRlwePoly<R>();
    key.makePublicKey(c1, zero, minusC1s);
    std::ranges::fill(none.span(), 0);
    key.makePublicKey(none, again, e);
    std::vector<std::uint64_t> difference(P::kDegree);
    for (int i = 0; i < P::kDegree; ++i)
      difference[i] = subMod(addMod(c0[i], e[i], kPrimes[0]), minusC1s[i], kPrimes[0]);
    SecretVector<std::uint64_t> aligned(P::kDegree);
    std::ranges::copy(difference, aligned.data());
    polyRing<R>(0).inverse(aligned.data());
    auto &own = errors.emplace_back();
    for (const std::uint64_t x : aligned.span())
      own.push_back(x > kPrimes[0] / 2 ? static_cast<std::int64_t>(x) - static_cast<std::int64_t>(kPrimes[0])
                                       : static_cast<std::int64_t>(x));
  }
  for (std::size_t k = 0; k < errors.size(); ++k) {
    double squares = 0, sum = 0;
    for (const std::int64_t e : errors[k]) {
      EXPECT_LE(std::abs(e), kErrorBound + 1);
      squares += static_cast<double>(e * e);
      sum += static_cast<double>(e);
    }
    // Variance 1, or 1 and the rounding of zero, which is none: 6 deviations of a sum of n squares of kurtosis 2.5.
    EXPECT_NEAR(squares / P::kDegree, kErrorBound / 2.0, 6 * std::sqrt(1.5 / P::kDegree));
    expectCentred(sum, 1, P::kDegree);
    RlwePoly c0 = makeRlwePoly<R>();
    ASSERT_TRUE(unpackPoly<R>(std::span(seen[k]).template first<P::kSizes.uploadBytes()>(), c0));
    polyRing<R>(0).inverse(c0.data()); // not only as a transform: the secret hides each coefficient
    expectUniformBytes<std::uint64_t>(std::span<const std::uint64_t>(c0.data(), P::kDegree), kPrimeBits);
    for (std::size_t j = 0; j < k; ++j) {
      double product = 0;
      for (int i = 0; i < P::kDegree; ++i)
        product += static_cast<double>(errors[k][i] * errors[j][i]);
      expectCentred(product, 1, P::kDegree);
    }
  }
}

} // namespace
} // namespace sd
