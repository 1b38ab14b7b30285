// What every transport promises: one suite over all of them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <thread>

#include "runtime/net/Connect.h"
#include "runtime/net/MemoryChannel.h"
#include "runtime/net/Shaped.h"
#include "test/unit/net/Authority.h"

namespace sd {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using Ends = std::pair<std::unique_ptr<Connection>, std::unique_ptr<Connection>>;

struct Transport {
  const char *name;
  std::function<Ends(const ConnectionOptions &)> connect;
};

std::vector<std::uint8_t> pattern(std::size_t size, unsigned seed) {
  std::vector<std::uint8_t> bytes(size);
  std::uint64_t state = seed;
  for (std::size_t i = 0; i < size; i += sizeof state) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    std::memcpy(bytes.data() + i, &state, std::min(sizeof state, size - i));
  }
  return bytes;
}

std::string errorOf(const Expected<void> &result) { return result ? "" : result.error().message; }

class TransportTest : public testing::TestWithParam<Transport> {
protected:
  void connect(const ConnectionOptions &options = {.timeout = 60s}) {
    std::tie(a, b) = GetParam().connect(options);
    ASSERT_TRUE(a && b);
  }
  // A first message each way: from then on the limits are those of the options.
  void greet() {
    std::uint8_t byte = 1;
    for (Connection *end : {a.get(), b.get()})
      ASSERT_TRUE(end->stream(9).send(9, {&byte, 1}));
    for (Connection *end : {a.get(), b.get()})
      ASSERT_TRUE(end->stream(9).receive(9, {&byte, 1}));
  }
  std::unique_ptr<Connection> a, b;
};

TEST_P(TransportTest, RoundTripsOfManySizes) {
  connect();
  std::jthread echo([&] {
    for (std::uint16_t tag = 0;; ++tag) {
      Expected<std::vector<std::uint8_t>> message = b->stream(3).receiveUpTo(tag, 1 << 20);
      ASSERT_TRUE(message) << message.error().message;
      if (message->empty() && tag > 0) break;
      ASSERT_TRUE(b->stream(3).send(tag, *message));
    }
  });
  std::uint16_t tag = 0;
  for (std::size_t size : {0, 1, 7, 8, 9, 1000, 16383, 16384, 16385, 65535, 65536, 100'000, 1 << 20}) {
    const std::vector<std::uint8_t> sent = pattern(size, tag);
    std::vector<std::uint8_t> back(size);
    ASSERT_TRUE(a->stream(3).send(tag, sent));
    const Expected<void> received = a->stream(3).receive(tag, back);
    ASSERT_TRUE(received) << errorOf(received);
    EXPECT_EQ(back, sent);
    ++tag;
  }
  ASSERT_TRUE(a->stream(3).send(tag, {}));
}

TEST_P(TransportTest, LargeMessagesBothDirectionsAtOnce) {
  connect();
  greet();
  static const std::vector<std::uint8_t> ours = pattern(64 << 20, 1), theirs = pattern(64 << 20, 2);
  const auto exchange = [](Connection &self, const auto &own, const auto &other) {
    ASSERT_TRUE(self.stream(1).send(1, own));
    std::vector<std::uint8_t> received(other.size());
    const Expected<void> result = self.stream(1).receive(1, received);
    ASSERT_TRUE(result) << errorOf(result);
    EXPECT_TRUE(received == other);
  };
  std::jthread thread([&] { exchange(*b, theirs, ours); });
  exchange(*a, ours, theirs);
}

TEST_P(TransportTest, ManyStreamsAtOnce) {
  connect();
  constexpr int kStreams = 8, kMessages = 200;
  const auto party = [](Connection &self, unsigned own, unsigned other) {
    std::vector<std::jthread> threads;
    for (int s = 0; s < kStreams; ++s)
      threads.emplace_back([&self, own, other, s] {
        Channel &channel = self.stream(static_cast<std::uint16_t>(s));
        for (int i = 0; i < kMessages; ++i) {
          const std::size_t size = static_cast<std::size_t>((i * 37 + s * 101) % 5000);
          const auto tag = static_cast<std::uint16_t>(i);
          ASSERT_TRUE(channel.send(tag, pattern(size, own + i)));
          std::vector<std::uint8_t> received(size);
          const Expected<void> result = channel.receive(tag, received);
          ASSERT_TRUE(result) << errorOf(result);
          ASSERT_EQ(received, pattern(size, other + i));
        }
      });
  };
  std::jthread thread([&] { party(*b, 1000, 0); });
  party(*a, 0, 1000);
}

TEST_P(TransportTest, StreamsDoNotWaitForEachOther) {
  connect();
  ASSERT_TRUE(a->stream(1).send(1, pattern(1000, 1)));
  ASSERT_TRUE(a->stream(2).send(2, pattern(10, 2)));
  std::vector<std::uint8_t> first(1000), second(10);
  ASSERT_TRUE(b->stream(2).receive(2, second));
  ASSERT_TRUE(b->stream(1).receive(1, first));
  EXPECT_EQ(first, pattern(1000, 1));
  EXPECT_EQ(second, pattern(10, 2));
}

TEST_P(TransportTest, UnreadMessagesHoldTheSenderBackButNotForEver) {
  connect({.timeout = 60s, .receiveLimit = 1 << 20, .sendLimit = 1 << 20});
  // Far more than the limits, all sent before anything is read; the reader then asks for the last stream first.
  constexpr int kMessages = 40;
  std::jthread sender([&] {
    for (int i = 0; i < kMessages; ++i)
      ASSERT_TRUE(a->stream(1).send(1, pattern(1 << 20, i)));
    ASSERT_TRUE(a->stream(2).send(2, pattern(5, 5)));
  });
  std::vector<std::uint8_t> last(5), next(1 << 20);
  const Expected<void> result = b->stream(2).receive(2, last);
  ASSERT_TRUE(result) << errorOf(result);
  for (int i = 0; i < kMessages; ++i) {
    ASSERT_TRUE(b->stream(1).receive(1, next));
    ASSERT_TRUE(next == pattern(1 << 20, i));
  }
}

TEST(MemoryTransport, MessagesWithoutContentHoldTheSenderBackToo) {
  const auto [a, b] = makeMemoryConnections({.timeout = 10ms, .receiveLimit = 1 << 16});
  int sent = 0; // nobody reads
  while (sent < 1 << 16 && a->stream(1).send(1, {}))
    ++sent;
  EXPECT_LT(sent, 1 << 16);
  EXPECT_GT(sent, 0);
}

TEST_P(TransportTest, BothSidesSendMoreThanTheLimits) {
  connect({.timeout = 60s, .receiveLimit = 1 << 20, .sendLimit = 1 << 20});
  const auto party = [](Connection &self) {
    for (int i = 0; i < 40; ++i)
      ASSERT_TRUE(self.stream(1).send(1, pattern(1 << 20, i)));
    std::vector<std::uint8_t> next(1 << 20);
    for (int i = 0; i < 40; ++i) {
      const Expected<void> result = self.stream(1).receive(1, next);
      ASSERT_TRUE(result) << errorOf(result);
    }
    EXPECT_TRUE(next == pattern(1 << 20, 39));
  };
  std::jthread thread([&] { party(*b); });
  party(*a);
}

TEST_P(TransportTest, TrafficCountsHeadersAndIsEqualOnBothSides) {
  connect();
  ASSERT_TRUE(a->stream(1).send(1, pattern(100, 1)));
  ASSERT_TRUE(a->stream(2).send(1, {}));
  ASSERT_TRUE(b->stream(1).send(7, pattern(50, 1)));
  std::vector<std::uint8_t> hundred(100), fifty(50);
  ASSERT_TRUE(b->stream(1).receive(1, hundred));
  ASSERT_TRUE(b->stream(2).receiveUpTo(1, 10));
  ASSERT_TRUE(a->stream(1).receive(7, fifty));
  EXPECT_EQ(a->traffic(), (Traffic{116, 58, 2, 1}));
  EXPECT_EQ(b->traffic(), (Traffic{58, 116, 1, 2}));
  EXPECT_EQ(a->stream(1).traffic(), (Traffic{108, 58, 1, 1}));
  EXPECT_EQ(b->stream(2).traffic(), (Traffic{0, 8, 0, 1}));
}

TEST_P(TransportTest, AMessageCountsWhenItIsAskedFor) {
  connect();
  ASSERT_TRUE(a->stream(1).send(1, pattern(100, 1)));
  ASSERT_TRUE(a->stream(2).send(2, pattern(1, 1)));
  std::vector<std::uint8_t> hundred(100), one(1);
  ASSERT_TRUE(b->stream(2).receive(2, one));
  EXPECT_EQ(b->traffic(), (Traffic{0, 9, 0, 1}));
  ASSERT_TRUE(b->stream(1).receive(1, hundred));
  EXPECT_EQ(b->traffic(), (Traffic{0, 117, 0, 2}));
}

TEST_P(TransportTest, WrongTagEndsTheSessionOnBothSides) {
  connect();
  ASSERT_TRUE(a->stream(1).send(5, pattern(10, 1)));
  std::vector<std::uint8_t> out(10);
  EXPECT_THAT(errorOf(b->stream(1).receive(6, out)), HasSubstr("expected tag 6 with 10 bytes and got tag 5"));
  EXPECT_FALSE(b->stream(2).send(1, {}));
  EXPECT_THAT(errorOf(a->stream(9).receive(1, out)), HasSubstr("expected tag 6 with 10 bytes and got tag 5"));
}

TEST_P(TransportTest, WrongLengthEndsTheSession) {
  connect();
  ASSERT_TRUE(a->stream(1).send(5, pattern(11, 1)));
  std::vector<std::uint8_t> out(10);
  EXPECT_THAT(errorOf(b->stream(1).receive(5, out)), HasSubstr("expected tag 5 with 10 bytes and got tag 5 with 11"));
  EXPECT_THAT(errorOf(a->stream(1).receive(5, out)), HasSubstr("got tag 5 with 11 bytes"));
}

TEST_P(TransportTest, AWaitingReceiverGetsTheSameErrors) {
  connect();
  std::jthread late([&] {
    std::this_thread::sleep_for(30ms);
    ASSERT_TRUE(a->stream(1).send(5, pattern(11, 1)));
  });
  std::vector<std::uint8_t> out(10);
  EXPECT_THAT(errorOf(b->stream(1).receive(5, out)), HasSubstr("expected tag 5 with 10 bytes and got tag 5 with 11"));
}

TEST_P(TransportTest, LongerThanTheLimitEndsTheSession) {
  connect();
  ASSERT_TRUE(a->stream(1).send(5, pattern(10, 1)));
  ASSERT_TRUE(a->stream(1).send(5, pattern(11, 1)));
  EXPECT_TRUE(b->stream(1).receiveUpTo(5, 10));
  const Expected<std::vector<std::uint8_t>> result = b->stream(1).receiveUpTo(5, 10);
  ASSERT_FALSE(result);
  EXPECT_THAT(result.error().message, HasSubstr("expected tag 5 with up to 10 bytes and got tag 5 with 11 bytes"));
}

TEST_P(TransportTest, SilenceEndsTheSessionAfterTheTimeout) {
  connect({.timeout = 100ms});
  std::vector<std::uint8_t> out(10);
  EXPECT_THAT(errorOf(b->stream(1).receive(5, out)), HasSubstr("nothing came for 0.1 s"));
  EXPECT_THAT(errorOf(a->stream(1).receive(5, out)), HasSubstr("nothing came for 0.1 s"));
}

TEST_P(TransportTest, CloseTellsThePeerWhy) {
  connect();
  std::jthread closer([&] {
    std::this_thread::sleep_for(30ms);
    a->close("the two programs differ\n(digest)");
  });
  std::vector<std::uint8_t> out(10);
  EXPECT_THAT(errorOf(b->stream(1).receive(5, out)), HasSubstr("ended the session: the two programs differ (digest)"));
  closer.join();
  EXPECT_THAT(errorOf(b->stream(1).send(5, out)), HasSubstr("the two programs differ"));
  EXPECT_THAT(errorOf(a->stream(1).receive(5, out)), HasSubstr("the two programs differ"));
  EXPECT_THAT(errorOf(a->stream(1).send(5, out)), HasSubstr("the two programs differ"));
}

TEST_P(TransportTest, CloseWakesReceiversOfItsOwnSide) {
  connect();
  std::jthread closer([&] {
    std::this_thread::sleep_for(30ms);
    a->close("enough");
  });
  std::vector<std::uint8_t> out(10);
  EXPECT_THAT(errorOf(a->stream(1).receive(5, out)), HasSubstr("enough"));
}

TEST_P(TransportTest, WhatWasSentBeforeTheEndStillArrives) {
  connect();
  greet();
  ASSERT_TRUE(a->stream(1).send(1, pattern(3 << 20, 1)));
  ASSERT_TRUE(a->stream(1).send(2, pattern(10, 2)));
  std::jthread destroyer([&] { a.reset(); });
  std::vector<std::uint8_t> big(3 << 20), small(10);
  const Expected<void> first = b->stream(1).receive(1, big);
  ASSERT_TRUE(first) << errorOf(first);
  destroyer.join();
  ASSERT_TRUE(b->stream(1).receive(2, small));
  EXPECT_EQ(big, pattern(3 << 20, 1));
  EXPECT_EQ(small, pattern(10, 2));
  EXPECT_THAT(errorOf(b->stream(1).receive(3, small)), HasSubstr("ended the session"));
}

TEST_P(TransportTest, EndsMayBeDestroyedInAnyOrderAndUnused) {
  connect();
  b.reset();
  a.reset();
  connect();
  a.reset();
  std::vector<std::uint8_t> out(10);
  EXPECT_THAT(errorOf(b->stream(1).receive(5, out)), HasSubstr("ended the session"));
}

Ends overSockets(EndpointOptions options) {
  options.waitForPeer = 10s;
  EndpointOptions peer = options;
  options.address = {"127.0.0.1", 0};
  Expected<Listener> listener = listen(options);
  if (!listener) {
    ADD_FAILURE() << listener.error().message;
    return {};
  }
  peer.address = listener->address();
  Expected<std::unique_ptr<Connection>> client;
  std::thread thread([&] { client = sd::connect(peer); });
  Expected<std::unique_ptr<Connection>> server = listener->accept();
  thread.join();
  EXPECT_TRUE(server) << server.error().message;
  EXPECT_TRUE(client) << client.error().message;
  if (!server || !client) return {};
  return {std::move(*server), std::move(*client)};
}

Ends overTcp(const ConnectionOptions &options) {
  EndpointOptions endpoint;
  endpoint.connection = options;
  return overSockets(endpoint);
}

Ends overTls(const ConnectionOptions &options) {
  static const test::Authority authority("transport");
  EndpointOptions endpoint;
  endpoint.tls = authority.issue("party", "IP:127.0.0.1");
  endpoint.connection = options;
  return overSockets(endpoint);
}

Ends overShapedMemory(const ConnectionOptions &options) {
  auto [a, b] = makeMemoryConnections(options);
  const LinkProfile link{.roundTrip = std::chrono::milliseconds(2), .bytesPerSecond = 1e9};
  return {shape(std::move(a), link), shape(std::move(b), link)};
}

INSTANTIATE_TEST_SUITE_P(All, TransportTest,
                         testing::Values(Transport{"Memory", makeMemoryConnections}, Transport{"Tcp", overTcp},
                                         Transport{"Tls", overTls}, Transport{"Shaped", overShapedMemory}),
                         [](const testing::TestParamInfo<Transport> &transport) { return transport.param.name; });

} // namespace
} // namespace sd
