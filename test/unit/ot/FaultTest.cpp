// What a bad peer or line can do to an extension: every outcome is an error or wrong bits at the tamperer's own cost,
// never a crash or a hang.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/ot/Pads.h"
#include "test/unit/ot/TamperingConnection.h"
#include "test/unit/ot/TwoParties.h"

namespace sd {
namespace {

constexpr std::size_t kOts = 100'000; // needs every step of the silent extension

struct Outcome {
  std::pair<Expected<void>, Expected<void>> ended;
  std::vector<Block> q = std::vector<Block>(kOts), t = std::vector<Block>(kOts);
  Block delta;
  std::size_t seenBySender = 0, seenByReceiver = 0;

  std::size_t wrong() const {
    std::size_t count = 0;
    for (std::size_t i = 0; i < kOts; ++i)
      count += (q[i] ^ t[i]) != (delta & Block::mask(t[i].lo & 1));
    return count;
  }
};

Outcome run(TamperingConnection::Hook atSender, TamperingConnection::Hook atReceiver) {
  TwoParties parties;
  TamperingConnection a(*parties.a, std::move(atSender)), b(*parties.b, std::move(atReceiver));
  Outcome outcome;
  outcome.ended = parties.runBoth(
      [&](Connection &) -> Expected<void> {
        SD_ASSIGN(const auto cot, CotSender::create(a.stream(1), testPrg("sender")));
        outcome.delta = cot->delta();
        return cot->extend(outcome.q);
      },
      [&](Connection &) -> Expected<void> {
        SD_ASSIGN(const auto cot, CotReceiver::create(b.stream(1), testPrg("receiver")));
        return cot->extend(outcome.t);
      });
  outcome.seenBySender = a.seen().size();
  outcome.seenByReceiver = b.seen().size();
  return outcome;
}

TEST(Faults, UntouchedRunsAreRight) {
  const Outcome outcome = run({}, {});
  ASSERT_TRUE(outcome.ended.first && outcome.ended.second);
  EXPECT_EQ(outcome.wrong(), 0u);
}

TEST(Faults, AMessageTamperedWithNeitherCrashesNorHangs) {
  const Outcome clean = run({}, {});
  const auto flip = [](std::size_t target) {
    return [target](std::size_t number, SeenMessage &message) {
      if (number != target) return;
      for (std::size_t i = 5; i < message.payload.size(); i += sizeof(Block))
        message.payload[i] ^= 0x10;
    };
  };
  // A few messages of each kind: the first ones, and some of the long run of equal ones.
  for (std::size_t i = 0; i < clean.seenBySender; i = i < 3 ? i + 1 : 2 * i) {
    const Outcome outcome = run(flip(i), {});
    if (outcome.ended.first && outcome.ended.second) {
      EXPECT_GT(outcome.wrong(), 0u) << i;
    }
  }
  for (std::size_t i = 0; i < clean.seenByReceiver; i = i < 3 ? i + 1 : 2 * i) {
    const Outcome outcome = run({}, flip(i));
    if (outcome.ended.first && outcome.ended.second) {
      EXPECT_GT(outcome.wrong(), 0u) << i;
    }
  }
}

TEST(Faults, ShortMessageEndsTheSession) {
  const auto shorten = [](std::size_t number, SeenMessage &message) {
    if (number == 1) message.payload.pop_back();
  };
  EXPECT_FALSE(run(shorten, {}).ended.first);
  EXPECT_FALSE(run({}, shorten).ended.second);
}

// On the wire itself: another length or tag than the step's, or silence.
template <class Peer>
std::string errorOfCreate(const Peer &peer, std::chrono::milliseconds timeout) {
  auto [a, b] = makeMemoryConnections({.timeout = timeout});
  std::thread other([&] { peer(*b); });
  const auto made = CotSender::create(a->stream(1), testPrg("sender"));
  const std::string message = made ? "" : made.error().message;
  a->close("done");
  other.join();
  return message;
}

TEST(Faults, WrongTagLengthOrSilenceOfThePeer) {
  using namespace std::chrono_literals;
  const std::vector<std::uint8_t> bytes(33);
  const auto wrongTag = [&](Connection &c) { (void)c.stream(1).send(0x7777, std::span(bytes).first(32)); };
  const auto wrongLength = [&](Connection &c) { (void)c.stream(1).send(0x0101, bytes); };
  const auto leaves = [&](Connection &c) { c.close("leaving"); };
  const auto silent = [](Connection &) {};
  EXPECT_FALSE(errorOfCreate(wrongTag, 20s).empty());
  EXPECT_FALSE(errorOfCreate(wrongLength, 20s).empty());
  EXPECT_THAT(errorOfCreate(leaves, 20s), testing::HasSubstr("leaving"));
  EXPECT_FALSE(errorOfCreate(silent, 50ms).empty());
}

TEST(Faults, ReplayedMessagesOfAnotherStepAreRefused) {
  // The second message at the receiver arrives with the contents of the first of its kind: the OTs are wrong, nothing
  // else.
  std::vector<std::uint8_t> first;
  const Outcome outcome = run({}, [&](std::size_t number, SeenMessage &message) {
    if (number == 1) first = message.payload;
    if (number == 2 && first.size() == message.payload.size()) message.payload = first;
  });
  ASSERT_TRUE(outcome.ended.first && outcome.ended.second);
  EXPECT_GT(outcome.wrong(), 0u);
}

} // namespace
} // namespace sd
