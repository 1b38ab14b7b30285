#include "runtime/vm/Handshake.h"

#include <thread>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "ir/bytecode/Digest.h"
#include "runtime/net/MemoryChannel.h"

namespace sd {
namespace {

using testing::HasSubstr;

Seed seed(std::uint8_t fill) {
  std::array<std::uint8_t, Seed::kBytes> bytes;
  bytes.fill(fill);
  return Seed(bytes);
}

struct Both {
  Expected<HandshakeResult> service, client;
};

Both shake(const HandshakeOptions &service, const HandshakeOptions &client, std::uint8_t nonce = 1) {
  auto [left, right] = makeMemoryConnections();
  Both both{fail("did not run"), fail("did not run")};
  std::thread thread([&, &far = *left] {
    Prg prg(seed(nonce));
    both.service = shakeHands(far.stream(kSessionStream), service, prg);
    if (!both.service) far.close(both.service.error().message);
  });
  Prg prg(seed(2));
  both.client = shakeHands(right->stream(kSessionStream), client, prg);
  thread.join();
  return both;
}

TEST(Handshake, AgreesOnSessionAndRecords) {
  const Both both = shake({.party = 0, .records = 77}, {.party = 1, .records = 5});
  ASSERT_TRUE(both.service && both.client);
  EXPECT_EQ(both.service->records, 5u);
  EXPECT_EQ(both.client->records, 5u);
  EXPECT_EQ(both.service->session, both.client->session);
  const Both other = shake({.party = 0}, {.party = 1, .records = 5}, 9);
  EXPECT_NE(other.client->session, both.client->session);
}

TEST(Handshake, BothSidesNameWhatDiffers) {
  const auto expectBoth = [](const Both &both, const std::string &text) {
    ASSERT_FALSE(both.service || both.client);
    EXPECT_THAT(both.service.error().message, HasSubstr(text));
    EXPECT_THAT(both.client.error().message, HasSubstr(text));
  };
  Digest other{};
  other[0] = 0xab;
  expectBoth(shake({.party = 0}, {.party = 1, .program = other, .records = 1}), "give both sides the same .sdb file");
  expectBoth(shake({.party = 1, .records = 1}, {.party = 1, .records = 1}), "both sides run as party 1");
  expectBoth(shake({.party = 0, .mode = PreprocessMode::Dealer}, {.party = 1, .records = 1}), "the same --preprocess");
  expectBoth(shake({.party = 0}, {.party = 1, .records = 0}), "announces 0 records");

  const auto with = [](int party, Purpose purpose, std::uint64_t records) {
    return HandshakeOptions{
        .party = party, .records = records, .purpose = purpose, .store = {static_cast<std::uint8_t>(party + 1)}};
  };
  const Purpose purposes[] = {Purpose::Fresh, Purpose::Prepare, Purpose::Stored};
  for (const Purpose mine : purposes)
    for (const Purpose theirs : purposes)
      if (mine != theirs) expectBoth(shake(with(0, mine, 1), with(1, theirs, 1)), "start both sides alike");
  HandshakeOptions same = with(1, Purpose::Stored, 1);
  same.store = with(0, Purpose::Stored, 0).store;
  expectBoth(shake(with(0, Purpose::Stored, 0), same), "both sides use the same store");
  const Both prepare = shake(with(0, Purpose::Prepare, 5), with(1, Purpose::Prepare, 5));
  ASSERT_TRUE(prepare.service && prepare.client);
  EXPECT_EQ(prepare.service->peerStore[0], 2);
  EXPECT_EQ(prepare.client->peerStore[0], 1);
  const Both fewer = shake(with(0, Purpose::Prepare, 4), with(1, Purpose::Prepare, 5));
  ASSERT_TRUE(fewer.service && fewer.client);
  EXPECT_EQ(fewer.service->records, 4u);
  EXPECT_EQ(fewer.client->records, 4u);
}

TEST(Handshake, OnlyAPeerWithTheProgramIsAnswered) {
  auto [near, far] = makeMemoryConnections();
  std::thread thread([&, &far = *far] {
    Prg prg(seed(1));
    EXPECT_FALSE(shakeHands(far.stream(kSessionStream), {.party = 1, .program = {1}, .records = 1}, prg));
  });
  Prg prg(seed(2));
  EXPECT_FALSE(shakeHands(near->stream(kSessionStream), {.party = 0, .program = {2}}, prg));
  EXPECT_EQ(near->traffic().messagesSent, 0u);
  near->close("wrong program");
  thread.join();
}

// Whatever the peer greets with, this side answers with a result or an error.
TEST(Handshake, EveryDamagedGreetingIsRefused) {
  auto [left, right] = makeMemoryConnections();
  std::vector<std::uint8_t> good;
  {
    Prg prg(seed(1));
    std::thread thread([&, &far = *left] {
      good = *far.stream(kSessionStream).receiveUpTo(kHelloTag, 4096);
      far.close("enough");
    });
    (void)shakeHands(right->stream(kSessionStream), {.party = 1, .records = 1}, prg).has_value();
    thread.join();
  }
  ASSERT_EQ(good.size(), 117u);
  const auto answer = [](std::span<const std::uint8_t> greeting) {
    auto [near, far] = makeMemoryConnections();
    EXPECT_TRUE(far->stream(kSessionStream).send(kHelloTag, greeting));
    Prg prg(seed(3));
    return shakeHands(near->stream(kSessionStream), {.party = 0}, prg);
  };
  ASSERT_TRUE(answer(good));
  for (std::size_t length = 0; length < good.size(); ++length)
    ASSERT_FALSE(answer(std::span(good).first(length)));
  for (std::size_t i = 0; i < good.size(); ++i) {
    auto bad = good;
    bad[i] ^= 0x80;
    ASSERT_FALSE(answer(bad)) << i;
  }
  auto longer = good;
  longer.push_back(0);
  EXPECT_FALSE(answer(longer));
  auto version = good;
  ++version[8];
  EXPECT_THAT(answer(version).error().message,
              HasSubstr(fmt::format("version {} of the protocol, this side version {};", kProtocolVersion + 1,
                                    kProtocolVersion)));
  auto many = good;
  many[68] = 1;
  const Digest proof = sha256({Bytes(many).first(85)});
  std::ranges::copy(proof, many.begin() + 85);
  EXPECT_THAT(answer(many).error().message, HasSubstr("announces"));
}

TEST(Handshake, ASessionIsBoundToItsChannel) {
  const std::vector<std::uint8_t> ours(32, 1), others(32, 2);
  const auto with = [](const std::vector<std::uint8_t> &left, const std::vector<std::uint8_t> &right) {
    return shake({.party = 0, .channelBinding = left}, {.party = 1, .records = 5, .channelBinding = right});
  };
  const Both plain = with({}, {}), bound = with(ours, ours), elsewhere = with(others, others);
  ASSERT_TRUE(plain.client && bound.client && elsewhere.client);
  EXPECT_EQ(bound.service->session, bound.client->session);
  EXPECT_NE(bound.client->session, plain.client->session); // the nonces are the same
  EXPECT_NE(bound.client->session, elsewhere.client->session);
  for (const Both &both : {with(ours, others), with(ours, {}), with({}, ours)}) {
    ASSERT_FALSE(both.service || both.client);
    EXPECT_THAT(both.service.error().message, HasSubstr("made for another connection"));
  }
}

TEST(Handshake, APeerThatLeavesIsAnError) {
  auto [near, far] = makeMemoryConnections();
  far->close("gone for lunch");
  Prg prg(seed(3));
  const auto result = shakeHands(near->stream(kSessionStream), {.party = 0}, prg);
  ASSERT_FALSE(result);
  EXPECT_THAT(result.error().message, HasSubstr("gone for lunch"));
}

} // namespace
} // namespace sd
