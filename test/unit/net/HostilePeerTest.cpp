// A TCP peer that is something else, or misbehaves after a correct greeting.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "runtime/net/Connect.h"
#include "runtime/net/Frame.h"
#include "runtime/net/Handshake.h"
#include "test/unit/net/RawPeer.h"

namespace sd {
namespace {

using namespace std::chrono_literals;
using test::RawPeer;
using testing::HasSubstr;

std::vector<std::uint8_t> frame(const FrameHeader &header, std::size_t payloadBytes) {
  const auto head = encodeFrameHeader(header);
  std::vector<std::uint8_t> bytes(head.size() + payloadBytes, 0x55);
  std::copy(head.begin(), head.end(), bytes.begin());
  return bytes;
}

std::vector<std::uint8_t> closeFrame(std::string_view reason) {
  std::vector<std::uint8_t> bytes = frame({static_cast<std::uint32_t>(reason.size()), kControlStream, kCloseTag}, 0);
  for (char c : reason)
    bytes.push_back(static_cast<std::uint8_t>(c));
  return bytes;
}

class HostilePeerTest : public testing::Test {
protected:
  void SetUp() override {
    options.address = {"127.0.0.1", 0};
    options.waitForPeer = 10s;
    options.connection.timeout = 10s;
  }
  // A connection whose other end is a RawPeer that has sent its greeting and `more`.
  std::pair<std::unique_ptr<Connection>, RawPeer> accepted(std::span<const std::uint8_t> more = {}) {
    Expected<Listener> listener = listen(options);
    EXPECT_TRUE(listener);
    RawPeer peer = RawPeer::to(listener->address());
    std::vector<std::uint8_t> bytes(more.begin(), more.end());
    const auto hello = helloBytes();
    bytes.insert(bytes.begin(), hello.begin(), hello.end());
    peer.send(bytes);
    Expected<std::unique_ptr<Connection>> connection = listener->accept();
    EXPECT_TRUE(connection) << connection.error().message;
    EXPECT_EQ(peer.read(kHelloBytes).size(), kHelloBytes);
    return {std::move(*connection), std::move(peer)};
  }
  static std::string receiveError(Connection &connection) {
    std::vector<std::uint8_t> out(10);
    const Expected<void> result = connection.stream(1).receive(5, out);
    return result ? "" : result.error().message;
  }
  // The error of connect() to a service that answers with `bytes`.
  std::string connectError(std::span<const std::uint8_t> bytes, bool hangUp = true) {
    const Expected<Socket> listener = listenOn({"127.0.0.1", 0});
    options.address = localAddress(*listener);
    std::jthread service([&] {
      const RawPeer peer = RawPeer::from(*listener);
      peer.send(bytes);
      if (!hangUp) peer.read(1000);
    });
    const Expected<std::unique_ptr<Connection>> connection = sd::connect(options);
    return connection ? "" : connection.error().message;
  }
  static std::span<const std::uint8_t> bytesOf(std::string_view text) {
    return {reinterpret_cast<const std::uint8_t *>(text.data()), text.size()};
  }
  EndpointOptions options;
};

TEST_F(HostilePeerTest, AListenerOutlivesStrayConnections) {
  std::vector<std::string> refused;
  options.onRefused = [&](std::string_view why) { refused.emplace_back(why); };
  Expected<Listener> listener = listen(options);
  ASSERT_TRUE(listener);
  const Address address = listener->address();
  { const RawPeer scanner = RawPeer::to(address); }
  const RawPeer browser = RawPeer::to(address);
  browser.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
  const RawPeer silent = RawPeer::to(address);
  const RawPeer tls = RawPeer::to(address);
  tls.send(std::vector<std::uint8_t>{0x16, 0x03, 0x01, 0x02, 0x00, 0x01});
  const RawPeer older = RawPeer::to(address);
  older.send(helloBytes(77));
  options.address = address;
  std::jthread party([&] {
    const Expected<std::unique_ptr<Connection>> connection = sd::connect(options);
    ASSERT_TRUE(connection) << connection.error().message;
    ASSERT_TRUE((*connection)->stream(1).send(1, std::vector<std::uint8_t>(10)));
  });
  const Expected<std::unique_ptr<Connection>> connection = listener->accept();
  ASSERT_TRUE(connection) << connection.error().message;
  std::vector<std::uint8_t> out(10);
  EXPECT_TRUE((*connection)->stream(1).receive(1, out));
  EXPECT_THAT(refused, testing::UnorderedElementsAre(
                           HasSubstr("closed the connection before its greeting"),
                           HasSubstr("does not speak this protocol (it began with 'GET / HTTP/1.1..')"),
                           HasSubstr("speaks TLS and this side does not"), HasSubstr("speaks version 77")));
}

TEST_F(HostilePeerTest, AcceptGivesUpAndTellsWhomItTurnedAway) {
  options.waitForPeer = 200ms;
  Expected<Listener> listener = listen(options);
  ASSERT_TRUE(listener);
  const RawPeer browser = RawPeer::to(listener->address());
  browser.send("GET / HTTP/1.1\r\n");
  const Expected<std::unique_ptr<Connection>> connection = listener->accept();
  ASSERT_FALSE(connection);
  EXPECT_THAT(connection.error().message, HasSubstr("no peer came to 127.0.0.1:"));
  EXPECT_THAT(connection.error().message, HasSubstr("1 turned away"));
  EXPECT_THAT(connection.error().message, HasSubstr("does not speak this protocol"));
}

TEST_F(HostilePeerTest, ASlowGreetingIsTurnedAwayInTime) {
  options.waitForPeer = 5s;
  options.handshakeTimeout = 50ms;
  std::string refused;
  Expected<Listener> listener{tl::unexpect, Error{}};
  options.onRefused = [&](std::string_view why) {
    refused = why;
    listener->stop();
  };
  listener = listen(options);
  ASSERT_TRUE(listener);
  const RawPeer silent = RawPeer::to(listener->address());
  const Expected<std::unique_ptr<Connection>> connection = listener->accept();
  ASSERT_FALSE(connection);
  EXPECT_THAT(connection.error().message, HasSubstr("was stopped"));
  EXPECT_THAT(refused, HasSubstr("did not finish its greeting in time"));
}

TEST_F(HostilePeerTest, ManySilentConnectionsDoNotShutTheDoor) {
  Expected<Listener> listener = listen(options);
  ASSERT_TRUE(listener);
  options.address = listener->address();
  std::vector<RawPeer> silent;
  for (int i = 0; i < 60; ++i)
    silent.push_back(RawPeer::to(options.address));
  std::vector<std::unique_ptr<Connection>> parties(8);
  std::vector<std::jthread> threads;
  for (std::unique_ptr<Connection> &party : parties)
    threads.emplace_back([&] {
      Expected<std::unique_ptr<Connection>> connection = sd::connect(options);
      ASSERT_TRUE(connection) << connection.error().message;
      party = std::move(*connection);
    });
  std::vector<std::unique_ptr<Connection>> accepted;
  for (int i = 0; i < 8; ++i) {
    Expected<std::unique_ptr<Connection>> connection = listener->accept();
    ASSERT_TRUE(connection) << connection.error().message;
    accepted.push_back(std::move(*connection));
  }
}

TEST_F(HostilePeerTest, ConnectNamesAWrongService) {
  EXPECT_THAT(connectError(bytesOf("HTTP/1.1 400 Bad Request\r\n")),
              HasSubstr("does not speak this protocol (it began with 'HTTP/1.1 400 Bad')"));
  EXPECT_THAT(connectError(bytesOf("SSH-2.0-OpenSSH\r\n")), HasSubstr("does not speak this protocol"));
  EXPECT_THAT(connectError(std::vector<std::uint8_t>{0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 0x46}),
              HasSubstr("speaks TLS and this side does not; give --tls-cert"));
  EXPECT_THAT(connectError(helloBytes(1)), HasSubstr("speaks version 1 of this protocol and this side version 2"));
}

TEST_F(HostilePeerTest, ConnectDoesNotWaitForeverForAGreeting) {
  options.handshakeTimeout = options.waitForPeer = 100ms;
  EXPECT_THAT(connectError({}, false), HasSubstr("accepts connections but does not answer"));
}

TEST_F(HostilePeerTest, ConnectWaitsForALateGreeting) {
  options.handshakeTimeout = 50ms;
  const Expected<Socket> listener = listenOn({"127.0.0.1", 0});
  options.address = localAddress(*listener);
  std::jthread service([&] {
    const RawPeer peer = RawPeer::from(*listener);
    std::this_thread::sleep_for(200ms);
    peer.send(helloBytes());
    peer.read(1000);
  });
  const Expected<std::unique_ptr<Connection>> connection = sd::connect(options);
  EXPECT_TRUE(connection) << connection.error().message;
}

TEST_F(HostilePeerTest, ConnectRetriesUntilSomeoneListens) {
  Expected<Socket> probe = listenOn({"127.0.0.1", 0});
  options.address = localAddress(*probe);
  *probe = Socket(); // now nobody listens there
  options.waitForPeer = 100ms;
  Expected<std::unique_ptr<Connection>> connection = sd::connect(options);
  ASSERT_FALSE(connection);
  EXPECT_THAT(connection.error().message, HasSubstr("cannot reach a peer at 127.0.0.1:"));
  EXPECT_THAT(connection.error().message, HasSubstr("within 0.1 s: Connection refused; is the other party listening"));
  options.waitForPeer = 10s;
  std::jthread late([&] {
    std::this_thread::sleep_for(100ms);
    Expected<Listener> listener = listen(options);
    ASSERT_TRUE(listener) << listener.error().message;
    EXPECT_TRUE(listener->accept());
  });
  connection = sd::connect(options);
  EXPECT_TRUE(connection) << connection.error().message;
}

TEST_F(HostilePeerTest, ConnectRetriesWhenAForwarderHangsUp) {
  const Expected<Socket> forwarder = listenOn({"127.0.0.1", 0});
  options.address = localAddress(*forwarder);
  std::jthread service([&] {
    { const RawPeer early = RawPeer::from(*forwarder); }
    const RawPeer peer = RawPeer::from(*forwarder);
    peer.send(helloBytes());
    peer.read(1000);
  });
  const Expected<std::unique_ptr<Connection>> connection = sd::connect(options);
  EXPECT_TRUE(connection) << connection.error().message;
}

TEST_F(HostilePeerTest, UnknownHostIsAnError) {
  options.address = {"no-such-host.invalid", 1};
  options.allowPlaintext = true;
  options.waitForPeer = 0ms;
  const Expected<std::unique_ptr<Connection>> connection = sd::connect(options);
  ASSERT_FALSE(connection);
  EXPECT_THAT(connection.error().message, HasSubstr("'no-such-host.invalid' is not known here"));
}

TEST_F(HostilePeerTest, PlaintextPolicyHoldsForBothSides) {
  options.address = {"192.0.2.1", 7766};
  const Expected<std::unique_ptr<Connection>> connection = sd::connect(options);
  ASSERT_FALSE(connection);
  EXPECT_THAT(connection.error().message, HasSubstr("--allow-plaintext"));
  options.address = {"0.0.0.0", 0};
  const Expected<Listener> listener = listen(options);
  ASSERT_FALSE(listener);
  EXPECT_THAT(listener.error().message, HasSubstr("--allow-plaintext"));
}

TEST_F(HostilePeerTest, APortInUseIsAnError) {
  const Expected<Listener> first = listen(options);
  options.address = first->address();
  const Expected<Listener> second = listen(options);
  ASSERT_FALSE(second);
  EXPECT_THAT(second.error().message, HasSubstr("another program does already"));
}

TEST_F(HostilePeerTest, ListensOnIpv6) {
  options.address = {"::1", 0};
  Expected<Listener> listener = listen(options);
  if (!listener) GTEST_SKIP() << "this machine has no IPv6 loopback";
  options.address = listener->address();
  EXPECT_EQ(options.address.host, "::1");
  std::jthread party([&] { EXPECT_TRUE(sd::connect(options)); });
  EXPECT_TRUE(listener->accept());
}

TEST_F(HostilePeerTest, StopEndsAcceptForGood) {
  options.waitForPeer = 0ms; // for ever
  Expected<Listener> listener = listen(options);
  std::jthread stopper([&] {
    std::this_thread::sleep_for(30ms);
    listener->stop();
  });
  EXPECT_FALSE(listener->accept());
  EXPECT_FALSE(listener->accept());
}

TEST_F(HostilePeerTest, OversizedFrameIsRefusedBeforeItIsRead) {
  auto [connection, peer] = accepted(frame({kMaxFrameBytes + 1, 1, 5}, 0));
  EXPECT_THAT(receiveError(*connection), HasSubstr("sent a frame of 1073741825 bytes"));
  // The peer is told, too.
  const std::vector<std::uint8_t> told = peer.read(kFrameHeaderBytes);
  ASSERT_EQ(told.size(), kFrameHeaderBytes);
  EXPECT_EQ(decodeFrameHeader(std::span<const std::uint8_t, 8>(told.data(), 8)).stream, kControlStream);
}

TEST_F(HostilePeerTest, UnknownControlFrameIsRefused) {
  auto [connection, peer] = accepted(frame({10, kControlStream, 99}, 10));
  EXPECT_THAT(receiveError(*connection), HasSubstr("sent a frame of 10 bytes on stream 65535"));
}

TEST_F(HostilePeerTest, OverlongReasonIsRefused) {
  auto [connection, peer] = accepted(closeFrame(std::string(kMaxReasonBytes + 1, 'x')));
  EXPECT_THAT(receiveError(*connection), HasSubstr("sent a frame of 1025 bytes on stream 65535"));
}

TEST_F(HostilePeerTest, ReasonsArePrintedAsText) {
  auto [connection, peer] = accepted(closeFrame("no \x1b[31mcolours\r\n"));
  EXPECT_THAT(receiveError(*connection), HasSubstr("ended the session: no  [31mcolours  "));
}

TEST_F(HostilePeerTest, DisconnectBetweenMessages) {
  std::unique_ptr<Connection> connection = accepted().first; // the peer is gone already
  EXPECT_THAT(receiveError(*connection), HasSubstr("closed the connection without a word"));
}

TEST_F(HostilePeerTest, DisconnectAfterAMessageDeliversIt) {
  std::unique_ptr<Connection> connection = accepted(frame({10, 1, 5}, 10)).first;
  EXPECT_EQ(receiveError(*connection), "");
  EXPECT_THAT(receiveError(*connection), HasSubstr("closed the connection without a word"));
}

TEST_F(HostilePeerTest, DisconnectAnywhereInAFrame) {
  const std::vector<std::uint8_t> whole = frame({10, 1, 5}, 10);
  for (std::size_t cut = 1; cut < whole.size(); ++cut) {
    std::unique_ptr<Connection> connection = accepted(std::span(whole).first(cut)).first;
    EXPECT_THAT(receiveError(*connection), HasSubstr("closed the connection without a word")) << cut;
  }
}

TEST_F(HostilePeerTest, StallInTheMiddleOfAMessageTimesOut) {
  options.connection.timeout = 100ms;
  auto [connection, peer] = accepted(frame({10, 1, 5}, 4));
  EXPECT_THAT(receiveError(*connection), HasSubstr("nothing came for 0.1 s"));
}

TEST_F(HostilePeerTest, StallInTheMiddleOfALongMessageTimesOut) {
  options.connection.timeout = 100ms;
  auto [connection, peer] = accepted(frame({1 << 20, 1, 5}, 100'000));
  std::vector<std::uint8_t> out(1 << 20);
  EXPECT_FALSE(connection->stream(1).receive(5, out));
  EXPECT_THAT(receiveError(*connection), HasSubstr("nothing came for 0.1 s"));
}

TEST_F(HostilePeerTest, AReplayedMessageIsOutOfStep) {
  const std::vector<std::uint8_t> once = frame({10, 1, 5}, 10);
  std::vector<std::uint8_t> twice = once;
  twice.insert(twice.end(), once.begin(), once.end());
  auto [connection, peer] = accepted(twice);
  EXPECT_EQ(receiveError(*connection), "");
  std::vector<std::uint8_t> out(10);
  const Expected<void> next = connection->stream(1).receive(6, out);
  ASSERT_FALSE(next);
  EXPECT_THAT(next.error().message, HasSubstr("expected tag 6 with 10 bytes and got tag 5"));
}

TEST_F(HostilePeerTest, BytesOneAtATimeAreStillAFrame) {
  auto [connection, peer] = accepted();
  std::jthread drip([&peer = peer] {
    for (std::uint8_t byte : frame({10, 1, 5}, 10)) {
      peer.send(std::span(&byte, 1));
      std::this_thread::sleep_for(2ms);
    }
  });
  EXPECT_EQ(receiveError(*connection), "");
}

TEST_F(HostilePeerTest, DripFeedingDoesNotKeepTheSession) {
  options.connection.timeout = 200ms;
  for (const bool greeted : {false, true}) {
    const std::vector<std::uint8_t> first = frame({10, 1, 5}, 10);
    auto [connection, peer] = accepted(greeted ? std::span(first) : std::span<const std::uint8_t>());
    ASSERT_TRUE(!greeted || receiveError(*connection).empty());
    peer.send(frame({1 << 20, 2, 5}, 0));
    std::atomic<bool> over = false;
    std::jthread drip([&over, &peer = peer] {
      const std::vector<std::uint8_t> some(100);
      while (!over) {
        peer.send(some);
        std::this_thread::sleep_for(5ms);
      }
    });
    EXPECT_THAT(receiveError(*connection), HasSubstr("next to nothing came for 0.2 s"));
    over = true;
  }
}

TEST_F(HostilePeerTest, AFloodBeforeTheFirstMessageIsRefused) {
  auto [connection, peer] = accepted();
  std::jthread flood([&peer = peer] {
    const std::vector<std::uint8_t> megabyte = frame({1 << 20, 2, 5}, 1 << 20);
    for (int i = 0; i < 65; ++i)
      peer.sendAll(megabyte);
  });
  EXPECT_THAT(receiveError(*connection), HasSubstr("sent more than 63 MiB that this side did not ask for"));
}

TEST_F(HostilePeerTest, MoreThanASessionCanNeedIsRefused) {
  auto [connection, peer] = accepted(frame({10, 1, 5}, 10));
  ASSERT_EQ(receiveError(*connection), "");
  connection->limitUnread(std::size_t{3} << 20);
  connection->limitUnread(std::size_t{9} << 20); // lowers only
  std::jthread flood([&peer = peer] {
    for (int i = 0; i < 3; ++i)
      peer.sendAll(frame({1 << 20, 2, 5}, 1 << 20));
  });
  EXPECT_THAT(receiveError(*connection), HasSubstr("sent more than 2 MiB that this side did not ask for"));
}

TEST_F(HostilePeerTest, AStreamThatNobodyUsesIsRefused) {
  auto [connection, peer] = accepted(frame({0, kStreams, 1}, 0));
  EXPECT_THAT(receiveError(*connection), HasSubstr("on stream 64"));
}

TEST_F(HostilePeerTest, APeerThatNeverReadsDoesNotHangTheEnd) {
  options.connection.flushTimeout = 100ms;
  options.connection.timeout = 300ms;
  auto [connection, peer] = accepted();
  const std::vector<std::uint8_t> megabyte(1 << 20);
  Expected<void> sent;
  for (int i = 0; sent && i < 1000; ++i)
    sent = connection->stream(1).send(1, megabyte);
  ASSERT_FALSE(sent);
  EXPECT_THAT(sent.error().message, HasSubstr("nothing could be sent for 0.3 s"));
  const auto start = std::chrono::steady_clock::now();
  connection.reset();
  EXPECT_LT(std::chrono::steady_clock::now() - start, 5s);
}

} // namespace
} // namespace sd
