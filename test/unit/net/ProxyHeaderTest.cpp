// A listener behind a balancer: who the peer is, and what is turned away.
#include "runtime/net/ProxyHeader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "runtime/net/ChannelBinding.h"
#include "runtime/net/Connect.h"
#include "runtime/net/Handshake.h"
#include "test/unit/net/Authority.h"
#include "test/unit/net/RawPeer.h"

namespace sd {
namespace {

using namespace std::chrono_literals;
using test::RawPeer;
using testing::HasSubstr;

// "\r\n\r\n\0\r\nQUIT\n", version and command, family, the length of what follows, and that.
std::vector<std::uint8_t> header(std::uint8_t command, std::uint8_t family,
                                 const std::vector<std::uint8_t> &following) {
  std::vector<std::uint8_t> bytes = {'\r', '\n', '\r', '\n', 0, '\r', '\n', 'Q', 'U', 'I', 'T', '\n', command, family};
  bytes.push_back(static_cast<std::uint8_t>(following.size() >> 8));
  bytes.push_back(static_cast<std::uint8_t>(following.size()));
  bytes.insert(bytes.end(), following.begin(), following.end());
  return bytes;
}

const std::vector<std::uint8_t> kFrom4 = {192, 0, 2, 7, 10, 0, 0, 1, 0xc0, 0x01, 0x1e, 0x56}; // 192.0.2.7:49153

AddressRange range(const char *text) { return *AddressRange::parse(text); }

// The name of a peer that sends `bytes`, in pieces, and then greets, to a listener behind `proxies`; or why it was
// turned away.
std::string nameOf(std::span<const std::uint8_t> bytes, std::size_t piece = 1000, const char *proxies = "127.0.0.0/8") {
  std::optional<Listener> listener;
  std::string refused;
  EndpointOptions options;
  options.address = {"127.0.0.1", 0};
  options.proxies = {range(proxies)};
  options.onRefused = [&](std::string_view why) { refused = why, listener->stop(); };
  listener.emplace(*listen(options));
  std::optional<RawPeer> peer = RawPeer::to(listener->address());
  std::jthread sender([&] {
    for (std::size_t at = 0; at < bytes.size(); at += piece)
      peer->send(bytes.subspan(at, std::min(piece, bytes.size() - at)));
    peer->send(helloBytes());
  });
  const auto accepted = listener->accept();
  sender.join();
  peer.reset(); // so that no end of the connection is waited for
  return accepted ? (*accepted)->peerName() : refused;
}

TEST(ProxyHeader, theSourceIsThePeer) {
  EXPECT_EQ(nameOf(header(0x21, 0x11, kFrom4)), "192.0.2.7:49153");
  EXPECT_EQ(nameOf(header(0x21, 0x11, kFrom4), 1), "192.0.2.7:49153");
  std::vector<std::uint8_t> longer = kFrom4; // further fields, which are passed over
  longer.resize(kMostProxyBytes, 7);
  EXPECT_EQ(nameOf(header(0x21, 0x11, longer), 100), "192.0.2.7:49153");
  std::vector<std::uint8_t> wide(36, 0);
  wide[0] = 0x20, wide[1] = 0x01, wide[2] = 0x0d, wide[3] = 0xb8, wide[15] = 9, wide[33] = 80;
  EXPECT_EQ(nameOf(header(0x21, 0x21, wide)), "[2001:db8::9]:80");
  // The balancer speaks for itself, or does not know: then it is the peer.
  EXPECT_THAT(nameOf(header(0x20, 0x00, {})), HasSubstr("127.0.0.1:"));
  EXPECT_THAT(nameOf(header(0x21, 0x00, {})), HasSubstr("127.0.0.1:"));
}

TEST(ProxyHeader, whatIsMalformedIsClosed) {
  EXPECT_THAT(nameOf({}), HasSubstr("sent no PROXY header of version 2"));
  const std::string old = "PROXY TCP4 192.0.2.7 10.0.0.1 49153 7766\r\n";
  EXPECT_THAT(nameOf({reinterpret_cast<const std::uint8_t *>(old.data()), old.size()}),
              HasSubstr("sent no PROXY header of version 2"));
  EXPECT_THAT(nameOf(header(0x11, 0x11, kFrom4)), HasSubstr("of another version"));
  EXPECT_THAT(nameOf(header(0x22, 0x11, kFrom4)), HasSubstr("unknown command"));
  EXPECT_THAT(nameOf(header(0x21, 0x12, kFrom4)), HasSubstr("another transport than TCP"));
  EXPECT_THAT(nameOf(header(0x21, 0x11, {192, 0, 2})), HasSubstr("too short"));
  EXPECT_THAT(nameOf(header(0x21, 0x21, kFrom4)), HasSubstr("too short"));
  EXPECT_THAT(nameOf(header(0x21, 0x11, std::vector<std::uint8_t>(kMostProxyBytes + 1))),
              HasSubstr("announced 1025 bytes in its PROXY header"));
}

// TLS begins behind the header, and its certificate is the peer's.
TEST(ProxyHeader, certificatesAreSeenBehindIt) {
  const test::Authority authority("ca");
  std::optional<Listener> listener;
  EndpointOptions options;
  options.address = {"127.0.0.1", 0};
  options.proxies = {range("127.0.0.1")};
  options.tls = authority.issue("service", "IP:127.0.0.1");
  listener.emplace(*listen(options));
  Socket socket = *connectTo(listener->address(), Deadline::max());
  const auto head = header(0x21, 0x11, kFrom4);
  ASSERT_EQ(::send(socket.get(), head.data(), head.size(), 0), static_cast<ssize_t>(head.size()));
  const TlsContext context = *TlsContext::load(authority.issue("hospital", "DNS:hospital.example"));
  Handshake handshake(context.client(std::move(socket), "127.0.0.1"));
  std::jthread hospital([&] {
    for (Expected<IoWait> wait = IoWait::Read; wait && *wait != IoWait::None; wait = handshake.step()) {
      pollfd ready{handshake.descriptor(), static_cast<short>(*wait == IoWait::Write ? POLLOUT : POLLIN), 0};
      pollUntil({&ready, 1}, std::chrono::steady_clock::now() + 20ms);
    }
  });
  const auto accepted = listener->accept();
  ASSERT_TRUE(accepted) << accepted.error().message;
  EXPECT_EQ((*accepted)->peerName(), "192.0.2.7:49153");
  EXPECT_FALSE(channelBinding(**accepted)->empty());
}

TEST(ProxyHeader, noPrefixIsTakenForAWholeHeader) {
  const auto whole = header(0x21, 0x11, kFrom4);
  for (std::size_t length = 0; length < kProxyHeadBytes; ++length)
    EXPECT_TRUE(readProxyHead(std::span(whole).first(length))) << length;
  for (std::size_t i = 0; i < 12; ++i) {
    auto bad = whole;
    bad[i] ^= 1;
    EXPECT_FALSE(readProxyHead(std::span(bad).first(i + 1))) << i; // at once, not at the end
  }
}

TEST(ProxyHeader, othersAreNotLetInWhateverTheySay) {
  const std::string said = nameOf(header(0x21, 0x11, kFrom4), 1000, "10.0.0.0/8");
  EXPECT_THAT(said, HasSubstr("127.0.0.1:"));
  EXPECT_THAT(said, HasSubstr("none of the balancers"));
}

TEST(AddressRange, holdsItsAddresses) {
  const auto holds = [](const char *text, const char *host) { return range(text).holds({host, 1}); };
  EXPECT_TRUE(holds("10.0.0.0/8", "10.255.0.1"));
  EXPECT_FALSE(holds("10.0.0.0/8", "11.0.0.1"));
  EXPECT_TRUE(holds("10.0.0.0/8", "::ffff:10.1.2.3"));
  EXPECT_TRUE(holds("192.0.2.7", "192.0.2.7"));
  EXPECT_FALSE(holds("192.0.2.7", "192.0.2.6"));
  EXPECT_TRUE(holds("0.0.0.0/0", "8.8.8.8"));
  EXPECT_FALSE(holds("0.0.0.0/0", "2001:db8::1"));
  EXPECT_TRUE(holds("2001:db8::/33", "2001:db8:7fff::1"));
  EXPECT_FALSE(holds("2001:db8::/33", "2001:db8:8000::1"));
  EXPECT_FALSE(holds("::/0", "name.example"));
  for (const char *bad : {"", "x", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/a", "::/129", "10.0.0/8"})
    EXPECT_FALSE(AddressRange::parse(bad)) << bad;
}

} // namespace
} // namespace sd
