// Correlated OT: its definition at many sizes, declared cost against counted traffic, and what a bad peer can do.
#include "runtime/ot/Cot.h"

#include <gtest/gtest.h>

#include <cmath>
#include <thread>

#include "test/unit/ot/TwoParties.h"

namespace sd {
namespace {

struct Pair {
  std::unique_ptr<CotSender> sender;
  std::unique_ptr<CotReceiver> receiver;
};

class CotTest : public testing::Test {
protected:
  TwoParties parties;

  Pair create(std::uint16_t stream = 1, ThreadPool *sending = nullptr, ThreadPool *receiving = nullptr) {
    Pair pair;
    parties.run(
        [&](Connection &c) -> Expected<void> {
          SD_ASSIGN(pair.sender, CotSender::create(c.stream(stream), testPrg("sender"), sending));
          return {};
        },
        [&](Connection &c) -> Expected<void> {
          SD_ASSIGN(pair.receiver, CotReceiver::create(c.stream(stream), testPrg("receiver"), receiving));
          return {};
        });
    return pair;
  }

  // Extends by `n` and checks q ^ t = b Delta; returns the number of ones among the choice bits.
  std::size_t extend(Pair &pair, std::size_t n) {
    std::vector<Block> q(n), t(n);
    parties.run([&](Connection &) { return pair.sender->extend(q); },
                [&](Connection &) { return pair.receiver->extend(t); });
    const Block delta = pair.sender->delta();
    std::size_t bad = 0, ones = 0;
    for (std::size_t i = 0; i < n; ++i) {
      bad += (q[i] ^ t[i]) != (delta & Block::mask(t[i].lo & 1)) || (q[i].lo & 1) != 0;
      ones += t[i].lo & 1;
    }
    EXPECT_EQ(bad, 0u) << n;
    return ones;
  }
};

TEST_F(CotTest, CorrelationAtSmallSizes) {
  Pair pair = create();
  EXPECT_EQ(pair.sender->delta().lo & 1, 1u);
  for (std::size_t n : {1, 7, 0, 511, 512, 513, 8191, 8192, 8193, 3, 20000})
    extend(pair, n);
}

TEST_F(CotTest, DeclaredSetupCostIsTheMeasuredOne) {
  create();
  const CotCost cost = cotSetupCost();
  EXPECT_EQ(parties.a->traffic().bytesSent, cost.bytesFromSender);
  EXPECT_EQ(parties.b->traffic().bytesSent, cost.bytesFromReceiver);
  EXPECT_EQ(parties.a->traffic().messagesSent, cost.messagesFromSender);
  EXPECT_EQ(parties.b->traffic().messagesSent, cost.messagesFromReceiver);
}

TEST_F(CotTest, DeclaredCostIsTheMeasuredOne) {
  Pair pair = create();
  for (std::size_t n : {1u, 100'000u, 600'000u, 40'000u, 1u << 20, 7u}) {
    const Traffic before = parties.a->traffic();
    const CotCost cost = pair.sender->costOfNext(n);
    EXPECT_EQ(cost, pair.receiver->costOfNext(n));
    const std::size_t ones = extend(pair, n);
    const Traffic used = parties.a->traffic() - before;
    EXPECT_EQ(used.bytesSent, cost.bytesFromSender) << n;
    EXPECT_EQ(used.bytesReceived, cost.bytesFromReceiver) << n;
    EXPECT_EQ(used.messagesSent, cost.messagesFromSender) << n;
    EXPECT_EQ(used.messagesReceived, cost.messagesFromReceiver) << n;
    EXPECT_EQ(pair.sender->state(), pair.receiver->state());
    // Choice bits are balanced: 7 standard deviations, odds of a false alarm 3e-12.
    EXPECT_NEAR(static_cast<double>(ones), n / 2.0, 7 * std::sqrt(n) / 2 + 1);
  }
  EXPECT_GE(pair.sender->state().set, 0);
}

TEST_F(CotTest, ReservedRequestsComeInPieces) {
  Pair pair = create();
  const CotCost cost = pair.sender->costOfNext(700'000);
  const Traffic before = parties.a->traffic();
  pair.sender->reserve(700'000);
  pair.receiver->reserve(700'000);
  for (std::size_t n : {1, 99'999, 32'768, 67'232, 250'000, 250'000})
    extend(pair, n);
  const Traffic used = parties.a->traffic() - before;
  EXPECT_EQ(used.bytesSent + used.bytesReceived, cost.bytes());
}

TEST_F(CotTest, RunsPastARefill) {
  Pair pair = create();
  // Up to the smallest silent set, then on through its refill: each request is small, so no larger set pays.
  extend(pair, 200'000);
  const int set = pair.sender->state().set;
  ASSERT_GE(set, 0);
  const std::uint64_t run = kLpnSets[set].freeTrees() * kLpnSets[set].leaves();
  for (std::uint64_t made = 0; made < run + 100'000; made += 150'000)
    extend(pair, 150'000);
  EXPECT_EQ(pair.sender->state().set, set);
}

TEST_F(CotTest, ThreadsOfOnePartyChangeNothing) {
  ThreadPool three(3), two(2);
  Pair pair = create(1, &three, &two);
  extend(pair, 500'001);
}

TEST_F(CotTest, OppositeDirectionFromOneSetup) {
  Pair pair = create();
  std::unique_ptr<CotReceiver> receiver;
  std::unique_ptr<CotSender> sender;
  pair.sender->reserve(kBaseTransfers);
  pair.receiver->reserve(kBaseTransfers);
  const CotCost extension = costOf(planCots({}, kBaseTransfers));
  const Traffic before = parties.a->traffic();
  parties.run(
      [&](Connection &c) -> Expected<void> {
        SD_ASSIGN(receiver, CotReceiver::createReverse(c.stream(2), testPrg("reverse receiver"), *pair.sender));
        return {};
      },
      [&](Connection &c) -> Expected<void> {
        SD_ASSIGN(sender, CotSender::createReverse(c.stream(2), testPrg("reverse sender"), *pair.receiver));
        return {};
      });
  const Traffic used = parties.a->traffic() - before;
  EXPECT_EQ(used.bytesSent + used.bytesReceived, cotReverseSetupCost().bytes() + extension.bytes());
  std::vector<Block> q(3000), t(3000);
  parties.run([&](Connection &) { return receiver->extend(t); }, [&](Connection &) { return sender->extend(q); });
  for (std::size_t i = 0; i < q.size(); ++i)
    ASSERT_EQ(q[i] ^ t[i], sender->delta() & Block::mask(t[i].lo & 1));
  extend(pair, 1000);
}

TEST_F(CotTest, EachPartysViewIsUniform) {
  Pair pair = create();
  const std::size_t n = 300'000;
  std::vector<Block> q(n), t(n);
  parties.run([&](Connection &) { return pair.sender->extend(q); },
              [&](Connection &) { return pair.receiver->extend(t); });
  // Every column of q but the lowest, and of t, balanced: 255 tests at 7 standard deviations, false alarm below 1e-9.
  const double limit = 7 * std::sqrt(n) / 2;
  for (int bit = 0; bit < 128; ++bit) {
    std::size_t onesQ = 0, onesT = 0;
    for (std::size_t i = 0; i < n; ++i) {
      onesQ += (bit < 64 ? q[i].lo >> bit : q[i].hi >> (bit - 64)) & 1;
      onesT += (bit < 64 ? t[i].lo >> bit : t[i].hi >> (bit - 64)) & 1;
    }
    if (bit > 0) {
      EXPECT_NEAR(static_cast<double>(onesQ), n / 2.0, limit) << bit;
    }
    EXPECT_NEAR(static_cast<double>(onesT), n / 2.0, limit) << bit;
  }
  // Neighbouring choice bits are independent, at 7 standard deviations too.
  std::size_t equal = 0;
  for (std::size_t i = 1; i < n; ++i)
    equal += ((t[i].lo ^ t[i - 1].lo) & 1) == 0;
  EXPECT_NEAR(static_cast<double>(equal), n / 2.0, limit);
}

} // namespace
} // namespace sd
