// Products of two secret matrices from RLWE. Seeds are fixed; the odds of a false alarm for a fresh seed are stated
// beside each limit.
#include "runtime/he/DotCorrelation.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <set>
#include <thread>

#include "ir/core/LinearHiding.h"
#include "runtime/he/PackBits.h"
#include "runtime/net/MemoryChannel.h"

namespace sd {
namespace {

constexpr RlweUse kMasks = RlweUse::Masks;

Seed testSeed(std::uint8_t tag) {
  std::array<std::uint8_t, 16> bytes{};
  bytes[0] = tag;
  return Seed(bytes);
}

template <RingWord R>
struct Job {
  DotPacking packing;
  std::vector<R> r, s, alpha, beta, c0, c1;
  explicit Job(const DotPacking &packed)
      : packing(packed), r(packed.shape.left()), s(packed.shape.right()), alpha(r.size()), beta(s.size()),
        c0(packed.shape.result()), c1(c0.size()) {}
  Job(const DotPacking &packed, std::mt19937_64 &rng) : Job(packed) {
    for (auto *words : {&r, &s, &alpha, &beta})
      for (R &word : *words)
        word = static_cast<R>(rng());
  }
};

template <RingWord R>
std::vector<R> schoolbook(const Job<R> &job) {
  const DotShape &shape = job.packing.shape;
  std::vector<R> out(shape.result());
  for (std::int64_t i = 0; i < shape.result(); ++i) {
    const std::int64_t row = i / shape.columns,
                       column = i / (shape.rows * shape.columns) * shape.columns + i % shape.columns;
    for (std::int64_t k = 0; k < shape.length; ++k)
      out[i] += job.alpha[row * shape.length + k] * job.s[column * shape.length + k] +
                job.r[row * shape.length + k] * job.beta[column * shape.length + k];
  }
  return out;
}

// Both parties over all jobs; every upload goes out before a reply is collected.
template <RingWord R>
Traffic run(std::vector<Job<R>> &jobs, unsigned threadCount = 2, std::uint8_t serviceSeed = 2) {
  auto [left, right] = makeMemoryConnections();
  std::thread service([&, &connection = right] {
    ThreadPool threads(threadCount);
    auto side = DotService<R>::setUp(connection->stream(3), testSeed(serviceSeed));
    ASSERT_TRUE(side) << side.error().message;
    for (Job<R> &job : jobs)
      ASSERT_TRUE(side->answer(job.packing, job.alpha, job.beta, job.c0, threads));
  });
  ThreadPool threads(1);
  auto side = DotHospital<R>::setUp(left->stream(3), testSeed(1));
  EXPECT_TRUE(side);
  for (const Job<R> &job : jobs)
    EXPECT_TRUE(side->upload(job.packing, job.r, job.s, threads));
  for (Job<R> &job : jobs)
    EXPECT_TRUE(side->collect(job.packing, job.c1, threads));
  service.join();
  return left->traffic();
}

template <RingWord R>
void expectProducts(const std::vector<Job<R>> &jobs) {
  for (const Job<R> &job : jobs) {
    const auto want = schoolbook(job);
    for (std::size_t i = 0; i < want.size(); ++i)
      ASSERT_EQ(static_cast<R>(job.c0[i] + job.c1[i]), want[i])
          << job.packing.shape.rows << "x" << job.packing.shape.columns << "x" << job.packing.shape.length << ": " << i;
  }
}

template <class R>
struct DotCorrelation : testing::Test {
  static DotShape shape(std::int64_t batch, std::int64_t rows, std::int64_t columns, std::int64_t length) {
    return {batch, rows, columns, length, kBitsOf<R>};
  }
};
using Rings = testing::Types<Ring32, Ring64>;
TYPED_TEST_SUITE(DotCorrelation, Rings);

TYPED_TEST(DotCorrelation, GivesSharesOfBothProductsAtTheDeclaredCost) {
  using R = TypeParam;
  std::mt19937_64 rng(4);
  std::vector<Job<R>> jobs;
  PackingCost cost;
  for (const DotShape &shape : {this->shape(1, 1, 1, 1), this->shape(3, 5, 7, 4), this->shape(1, 50, 49, 64),
                                this->shape(2, 1, 130, 33), this->shape(1, 140, 2, 9), this->shape(1, 3, 3, 9000)}) {
    jobs.emplace_back(chooseDotPacking(shape), rng);
    cost += dotPackingCost(jobs.back().packing);
  }
  const Traffic traffic = run(jobs);
  expectProducts(jobs);
  const auto headers = [](std::int64_t messages) { return messages * static_cast<std::int64_t>(kFrameHeaderBytes); };
  EXPECT_EQ(traffic.bytesSent, (cost.bytesUp + headers(cost.messagesUp + 1) + kLinearSetupBytes<R, kMasks>));
  EXPECT_EQ(traffic.bytesReceived, cost.bytesDown + headers(cost.messagesDown));
}

TYPED_TEST(DotCorrelation, HoldsForEveryBlockingOfTheMatrices) {
  using R = TypeParam;
  std::mt19937_64 rng(5);
  std::vector<Job<R>> jobs;
  for (const std::int64_t rows : {1, 2, 5})
    for (const std::int64_t columns : {1, 3, 6})
      for (const std::int64_t length : {1, 4, 7})
        jobs.emplace_back(DotPacking{this->shape(1, 5, 6, 7), rows, columns, length}, rng);
  // All N coefficients of a polynomial are used: the products wrap around.
  jobs.emplace_back(DotPacking{this->shape(1, 16, 32, 16), 16, 32, 16}, rng);
  jobs.emplace_back(DotPacking{this->shape(1, 1, 1, 8192), 1, 1, 8192}, rng);
  run(jobs);
  expectProducts(jobs);
}

TYPED_TEST(DotCorrelation, HoldsForTheLargestFactors) {
  using R = TypeParam;
  constexpr R kLeast = R{1} << (kBitsOf<R> - 1);
  std::vector<Job<R>> jobs;
  for (const R factor : {kLeast, static_cast<R>(kLeast - 1), R{0}, static_cast<R>(-1)})
    for (const R mask : {kLeast, static_cast<R>(-1)}) {
      Job<R> &job = jobs.emplace_back(chooseDotPacking(this->shape(1, 20, 20, 300)));
      std::ranges::fill(job.alpha, factor);
      std::ranges::fill(job.beta, factor);
      std::ranges::fill(job.r, mask);
      std::ranges::fill(job.s, mask);
    }
  run(jobs);
  expectProducts(jobs);
}

TYPED_TEST(DotCorrelation, SharesAreUniformFreshAndTheSameOnAnyNumberOfThreads) {
  using R = TypeParam;
  std::mt19937_64 rng(6);
  const Job<R> same(chooseDotPacking(this->shape(2, 40, 30, 8)), rng);
  std::vector<Job<R>> first{same, same}, threaded{same, same}, other{same};
  run(first), run(threaded, 3), run(other, 2, 9);
  std::set<R> distinct;
  std::array<double, 256> counts{};
  for (const Job<R> &job : first)
    for (const R word : job.c0) {
      distinct.insert(word);
      ++counts[static_cast<std::size_t>(word >> (kBitsOf<R> - 8))];
    }
  EXPECT_GE(distinct.size() + 3, 4800U); // more than 3 pairs of equal ones of 4800: odds of 2^-33 or less
  double chi = 0;
  for (const double count : counts)
    chi += (count - 4800 / 256.0) * (count - 4800 / 256.0) / (4800 / 256.0);
  EXPECT_LT(chi, 420); // 255 degrees of freedom: odds below 2^-31
  EXPECT_EQ(threaded[1].c0, first[1].c0);
  EXPECT_NE(other[0].c0, first[0].c0);
}

// The part of a reply below a message unit: the flood, the dropped bits, the rounding of c1 times some 2 N / 3 signs;
// the same whatever the service's masks are, and far from the half unit that a result could be misread at.
TYPED_TEST(DotCorrelation, LowPartOfThePhaseIsTheFloodWhateverTheMasks) {
  using R = TypeParam;
  using P = RlweParameters<R, kMasks>;
  const double width = std::exp2(P::kFloodBits - (kPrimeBits * P::kPrimeCount - P::kReplyBits));
  const double dropped = std::exp2(P::kReplyBits - P::kWantedBits);
  const double expected = width * width / 4 + dropped * dropped / 12 + P::kDegree / 18.0 + 1;
  constexpr int kUnitBits = P::kReplyBits - kBitsOf<R>;
  for (const R factor : {R{0}, static_cast<R>(R{1} << (kBitsOf<R> - 1))}) {
    Job<R> job(DotPacking{this->shape(1, 64, 128, 1), 64, 128, 1});
    std::ranges::fill(job.alpha, factor);
    std::ranges::fill(job.beta, factor);
    auto [left, right] = makeMemoryConnections();
    ThreadPool threads(1);
    auto hospital = DotHospital<R>::setUp(left->stream(3), testSeed(1));
    auto service = DotService<R>::setUp(right->stream(3), testSeed(2));
    ASSERT_TRUE(hospital && service);
    ASSERT_TRUE(hospital->upload(job.packing, job.r, job.s, threads));
    ASSERT_TRUE(service->answer(job.packing, job.alpha, job.beta, job.c0, threads));
    std::vector<std::uint8_t> message(job.packing.shape.sizes().replyBytes(64 * 128));
    ASSERT_TRUE(left->stream(3).receive(kRlweReplyTag, message));
    std::vector<ReplyWord<R>> c1(P::kDegree), wanted(P::kDegree);
    const std::size_t first = P::kSizes.replyBytes();
    unpackBits(std::span<const std::uint8_t>(message).first(first), P::kReplyBits, std::span(c1));
    unpackBits(std::span<const std::uint8_t>(message).subspan(first), P::kWantedBits, std::span(wanted));
    // The secret, as RlweSecretKey draws it.
    Prg stream(testSeed(1).derive("rlwe secret"));
    SecretVector<std::uint64_t> words(P::kDegree);
    stream.fill(words.span());
    std::vector<int> s;
    for (const std::uint64_t word : words.span())
      s.push_back(static_cast<int>(static_cast<Wide>(word) * 3 >> 64) - 1);
    double squares = 0, worst = 0;
    constexpr int kTaken = 2000;
    for (int at = 0; at < kTaken; ++at) {
      ReplyWord<R> phase = (wanted[at] << (P::kReplyBits - P::kWantedBits)) +
                           (ReplyWord<R>{job.c0[at]} << kUnitBits); // P1's share is its negative: r and s are 0
      for (int i = 0; i < P::kDegree; ++i) {
        const ReplyWord<R> term = c1[i <= at ? at - i : at - i + P::kDegree];
        const int sign = i <= at ? s[i] : -s[i];
        phase += sign > 0 ? term : sign < 0 ? ReplyWord<R>{} - term : ReplyWord<R>{};
      }
      const auto fraction = static_cast<std::int64_t>(phase & ((1U << kUnitBits) - 1));
      const auto low = static_cast<double>(fraction) - static_cast<double>(fraction >> (kUnitBits - 1) << kUnitBits);
      squares += low * low;
      worst = std::max(worst, std::abs(low));
    }
    // A sum of n squares: deviation at most sqrt(2 / n) of its mean; 6 deviations, odds of 2^-29.
    EXPECT_NEAR(squares / kTaken, expected, 6 * expected * std::sqrt(2.0 / kTaken));
    EXPECT_LT(worst, 1 << (kUnitBits - 2)); // half of what is borne
  }
}

TYPED_TEST(DotCorrelation, RepliesToEqualUploadsShareNothing) {
  using R = TypeParam;
  using P = RlweParameters<R, kMasks>;
  const DotPacking packing = chooseDotPacking(this->shape(1, 30, 30, 8));
  auto [left, right] = makeMemoryConnections();
  ThreadPool threads(1);
  auto hospital = DotHospital<R>::setUp(left->stream(3), testSeed(1));
  auto service = DotService<R>::setUp(right->stream(3), testSeed(2));
  ASSERT_TRUE(hospital && service);
  std::vector<std::vector<ReplyWord<R>>> seen;
  for (int k = 0; k < 2; ++k) {
    Job<R> job(packing); // factors of zero: without re-randomisation c1 would be zero
    ASSERT_TRUE(hospital->upload(packing, job.r, job.s, threads));
    ASSERT_TRUE(service->answer(packing, job.alpha, job.beta, job.c0, threads));
    for (std::int64_t i = 0; i < packing.rowBlocks(); ++i) {
      std::vector<std::uint8_t> message;
      std::size_t bytes = 0;
      for (std::int64_t j = 0; j < packing.columnBlocks(); ++j)
        bytes += packing.shape.sizes().replyBytes(packing.rowsOf(i) * packing.columnsOf(j));
      message.resize(bytes);
      ASSERT_TRUE(left->stream(3).receive(kRlweReplyTag, message));
      auto &c1 = seen.emplace_back(P::kDegree);
      unpackBits(std::span<const std::uint8_t>(message).first(P::kSizes.replyBytes()), P::kReplyBits, std::span(c1));
    }
  }
  for (std::size_t a = 0; a < seen.size(); ++a)
    for (std::size_t b = 0; b < a; ++b) {
      std::size_t equal = 0;
      for (std::size_t i = 0; i < seen[a].size(); ++i)
        equal += seen[a][i] == seen[b][i];
      EXPECT_EQ(equal, 0U); // coefficients of 41 bits or more, 8192 of them: odds below 2^-28
    }
}

TYPED_TEST(DotCorrelation, WrongUploadsEndTheSession) {
  auto [left, right] = makeMemoryConnections();
  ThreadPool threads(1);
  auto hospital = DotHospital<TypeParam>::setUp(left->stream(3), testSeed(1));
  auto service = DotService<TypeParam>::setUp(right->stream(3), testSeed(2));
  ASSERT_TRUE(hospital && service);
  Job<TypeParam> job(chooseDotPacking(this->shape(1, 2, 2, 2)));
  const std::vector<std::uint8_t> stray(100);
  ASSERT_TRUE(left->stream(3).send(kRlweUploadTag, stray));
  EXPECT_FALSE(service->answer(job.packing, job.alpha, job.beta, job.c0, threads));
}

TEST(DotPacking, AVisionTransformersScoresTakeATenthOfTheTransfersForProducts) {
  const DotPacking packing = chooseDotPacking({1, 197, 197, 64, 32});
  const PackingCost cost = dotPackingCost(packing);
  EXPECT_LE(packing.rowBlock * packing.columnBlock * packing.lengthBlock, 8192);
  const auto bytes = static_cast<double>(cost.bytesUp + cost.bytesDown);
  EXPECT_LT(bytes / (197.0 * 197 * 64), 132.0 / 10);
}

// 12 layers of 3 heads: 2^-40 an inference is asked for.
TEST(DotPacking, AVisionTransformersMasksAreHidden) {
  for (const int ring : {32, 64}) {
    const double squares = 12 * (dotSquares(chooseDotPacking({3, 197, 197, 64, ring})) +
                                 dotSquares(chooseDotPacking({3, 197, 64, 197, ring})));
    EXPECT_LT(squares, maxReplySquares(ring, kMasks) / 4) << ring;
  }
}

} // namespace
} // namespace sd
