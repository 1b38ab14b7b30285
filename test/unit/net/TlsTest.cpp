#include "runtime/net/Tls.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <unistd.h>

#include <fstream>
#include <thread>

#include "runtime/net/ChannelBinding.h"
#include "runtime/net/Connect.h"
#include "runtime/net/SocketConnection.h"
#include "test/unit/net/Authority.h"
#include "test/unit/net/RawPeer.h"

namespace sd {
namespace {

using namespace std::chrono_literals;
using test::Authority;
using testing::HasSubstr;

struct Outcome {
  std::string client, server, refused; // errors; empty: success
};

// Both sides try; a listener that turns the peer away goes on, so it is stopped once the client knows.
Outcome meet(const std::optional<TlsFiles> &server, const std::optional<TlsFiles> &client,
             const std::string &host = "127.0.0.1") {
  Outcome outcome;
  EndpointOptions options;
  options.address = {"127.0.0.1", 0};
  options.tls = server;
  options.waitForPeer = 10s;
  options.connection.timeout = 10s;
  options.onRefused = [&](std::string_view why) { outcome.refused = why; };
  Expected<Listener> listener = listen(options);
  EXPECT_TRUE(listener) << listener.error().message;
  EndpointOptions peer = options;
  peer.address = {host, listener->address().port};
  peer.tls = client;
  std::jthread thread([&] {
    const Expected<std::unique_ptr<Connection>> connection = sd::connect(peer);
    if (!connection) {
      outcome.client = connection.error().message;
      std::this_thread::sleep_for(20ms); // for the listener to notice
      listener->stop();
      return;
    }
    EXPECT_TRUE((*connection)->stream(1).receiveUpTo(1, 10));
  });
  const Expected<std::unique_ptr<Connection>> connection = listener->accept();
  if (connection)
    EXPECT_TRUE((*connection)->stream(1).send(1, {}));
  else
    outcome.server = connection.error().message;
  thread.join();
  return outcome;
}

class TlsTest : public testing::Test {
protected:
  const Authority authority{"ours"}, other{"others"};
  const TlsFiles service = authority.issue("service", "IP:127.0.0.1,DNS:localhost");
  const TlsFiles clinic = authority.issue("clinic", "DNS:clinic.example");
};

TEST_F(TlsTest, BothCertificatesOfTheAuthorityConnect) {
  EXPECT_EQ(meet(service, clinic).client, "");
  EXPECT_EQ(meet(service, clinic, "localhost").client, "");
}

TEST_F(TlsTest, AServiceOfAnotherNameIsRefused) {
  const TlsFiles elsewhere = authority.issue("elsewhere", "DNS:elsewhere.example,IP:127.0.0.2");
  EXPECT_THAT(meet(elsewhere, clinic).client, HasSubstr("certificate that is not accepted here: IP address mismatch"));
  EXPECT_THAT(meet(elsewhere, clinic, "localhost").client,
              HasSubstr("not accepted here: hostname mismatch (it must name the host given with --address"));
}

TEST_F(TlsTest, AServiceOfAnotherAuthorityIsRefused) {
  TlsFiles stranger = other.issue("stranger", "IP:127.0.0.1");
  stranger.ca = authority.caFile();
  EXPECT_THAT(meet(stranger, clinic).client,
              AllOf(HasSubstr("has a certificate that is not accepted here"), HasSubstr("(see --tls-ca)")));
}

TEST_F(TlsTest, AClientOfAnotherAuthorityIsRefusedAndToldSo) {
  TlsFiles stranger = other.issue("stranger", "DNS:clinic.example");
  stranger.ca = authority.caFile();
  const Outcome outcome = meet(service, stranger);
  EXPECT_THAT(outcome.refused, HasSubstr("has a certificate that is not accepted here"));
  EXPECT_THAT(outcome.client, HasSubstr("refuses this side's TLS"));
}

TEST_F(TlsTest, ExpiredAndFutureCertificatesAreRefused) {
  EXPECT_THAT(meet(authority.issue("old", "IP:127.0.0.1", -7200, -3600), clinic).client,
              HasSubstr("certificate has expired"));
  EXPECT_THAT(meet(service, authority.issue("young", "DNS:c", 3600, 7200)).refused,
              HasSubstr("certificate is not yet valid"));
}

TEST_F(TlsTest, ARevokedCertificateIsRefusedAndOthersAreNot) {
  TlsFiles careful = service;
  careful.crl = authority.revoke(clinic);
  EXPECT_THAT(meet(careful, clinic).refused, HasSubstr("certificate revoked"));
  EXPECT_EQ(meet(careful, authority.issue("second", "DNS:second.example")).client, "");
}

TEST_F(TlsTest, AListThatIsNoLongerInForceLetsNobodyIn) {
  TlsFiles careful = service;
  careful.crl = authority.revoke(clinic, -7200, -3600);
  EXPECT_THAT(meet(careful, authority.issue("second", "DNS:second.example")).refused, HasSubstr("CRL has expired"));
}

TEST_F(TlsTest, PlainAndTlsDoNotMeet) {
  Outcome outcome = meet(service, std::nullopt);
  EXPECT_THAT(outcome.refused, HasSubstr("does not speak TLS"));
  EXPECT_THAT(outcome.client, HasSubstr("speaks TLS and this side does not; give --tls-cert"));
  outcome = meet(std::nullopt, clinic);
  EXPECT_THAT(outcome.client, HasSubstr("does not speak TLS; does it run without --tls-cert"));
  EXPECT_THAT(outcome.refused, HasSubstr("speaks TLS and this side does not"));
}

TEST_F(TlsTest, FilesAreChecked) {
  const auto error = [](const TlsFiles &files) {
    const Expected<TlsContext> context = TlsContext::load(files);
    return context ? "" : context.error().message;
  };
  EXPECT_EQ(error(service), "");
  EXPECT_THAT(error({"/nowhere.pem", service.key, service.ca}), HasSubstr("'/nowhere.pem' (--tls-cert)"));
  EXPECT_THAT(error({service.cert, "/nowhere.key", service.ca}), HasSubstr("'/nowhere.key' (--tls-key)"));
  EXPECT_THAT(error({service.cert, service.key, "/nowhere.pem"}), HasSubstr("'/nowhere.pem' (--tls-ca)"));
  EXPECT_THAT(error({service.cert, clinic.key, service.ca}), HasSubstr("--tls-key"));
  EXPECT_THAT(error({service.key, service.key, service.ca}), HasSubstr("(--tls-cert)"));
}

TEST_F(TlsTest, AKeyThatOthersMayReadIsRefused) {
  namespace fs = std::filesystem;
  for (const fs::perms extra :
       {fs::perms::group_exec, fs::perms::group_write, fs::perms::others_read, fs::perms::others_exec}) {
    fs::permissions(service.key, extra, fs::perm_options::add);
    const Expected<TlsContext> context = TlsContext::load(service);
    ASSERT_FALSE(context);
    EXPECT_THAT(context.error().message, HasSubstr("chmod 600 " + service.key));
    fs::permissions(service.key, extra, fs::perm_options::remove);
    EXPECT_TRUE(TlsContext::load(service));
  }
}

TEST_F(TlsTest, AGroupMayReadTheKeyIfItIsOurs) {
  namespace fs = std::filesystem;
  fs::permissions(service.key, fs::perms::owner_read | fs::perms::group_read);
  EXPECT_TRUE(TlsContext::load(service));
  fs::permissions(service.key, fs::perms::owner_write, fs::perm_options::add);
  EXPECT_TRUE(TlsContext::load(service));
  if (::geteuid() != 0) return; // only root gives files away
  ASSERT_EQ(::chown(service.key.c_str(), ::geteuid(), 54321), 0);
  EXPECT_FALSE(TlsContext::load(service));
  ASSERT_EQ(::chown(service.key.c_str(), 54321, ::getegid()), 0);
  EXPECT_FALSE(TlsContext::load(service));
}

// A service that has no room for strangers cuts their connections; it may have room a moment later.
TEST_F(TlsTest, ALinkThatIsCutInTheHandshakeIsTriedAgain) {
  const Expected<Socket> listener = listenOn({"127.0.0.1", 0});
  ASSERT_TRUE(listener);
  std::jthread closing([&] {
    for (int i = 0; i < 3; ++i)
      test::RawPeer::from(*listener).read(1);
  });
  EndpointOptions options;
  options.address = localAddress(*listener);
  options.tls = clinic;
  options.waitForPeer = 3s;
  options.handshakeTimeout = 100ms;
  EXPECT_FALSE(sd::connect(options)); // the first three were cut, or the test would hang
}

TEST_F(TlsTest, OptionsComeTogether) {
  EXPECT_EQ(tlsFilesFromOptions({}).value(), std::nullopt);
  EXPECT_TRUE(tlsFilesFromOptions(service).value());
  const Expected<std::optional<TlsFiles>> partial = tlsFilesFromOptions({"cert", "", ""});
  ASSERT_FALSE(partial);
  EXPECT_THAT(partial.error().message, HasSubstr("missing: --tls-key --tls-ca"));
}

TEST_F(TlsTest, KeysAreRenewedWhileDataFlows) {
  const Expected<Socket> listener = listenOn({"127.0.0.1", 0});
  Expected<Socket> near = connectTo(localAddress(*listener), Deadline::max());
  Socket far = acceptFrom(*listener).first;
  const Expected<TlsContext> serviceSide = TlsContext::load(service), clinicSide = TlsContext::load(clinic);
  constexpr std::uint64_t kBytesPerKey = 100'000;
  std::unique_ptr<ByteStream> a = serviceSide->server(std::move(far), kBytesPerKey);
  std::unique_ptr<ByteStream> b = clinicSide->client(std::move(*near), "127.0.0.1", kBytesPerKey);
  for (bool done = false; !done;) {
    const Expected<IoWait> first = b->handshake(), second = a->handshake();
    ASSERT_TRUE(first && second);
    done = *first == IoWait::None && *second == IoWait::None;
  }
  const auto left = makeSocketConnection(std::move(a), "b", {}), right = makeSocketConnection(std::move(b), "a", {});
  ASSERT_TRUE(left && right);
  const auto exchange = [](Connection &self) {
    const std::vector<std::uint8_t> megabyte(1 << 20, 7);
    std::vector<std::uint8_t> received(megabyte.size());
    for (int i = 0; i < 8; ++i) {
      ASSERT_TRUE(self.stream(1).send(1, megabyte));
      ASSERT_TRUE(self.stream(1).receive(1, received));
      ASSERT_EQ(received, megabyte);
    }
  };
  std::jthread thread([&] { exchange(**right); });
  exchange(**left);
}

TEST_F(TlsTest, BothEndsKnowTheBindingOfTheirConnectionAlone) {
  const auto bindings = [&](const std::optional<TlsFiles> &server, const std::optional<TlsFiles> &client) {
    EndpointOptions options;
    options.address = {"127.0.0.1", 0};
    options.tls = server;
    Expected<Listener> listener = listen(options);
    EXPECT_TRUE(listener);
    EndpointOptions peer = options;
    peer.address = listener->address();
    peer.tls = client;
    std::vector<std::uint8_t> near, far;
    std::jthread thread([&] {
      const auto connection = sd::connect(peer);
      ASSERT_TRUE(connection) << connection.error().message;
      far = channelBinding(**connection).value();
      std::vector<std::uint8_t> out(1);
      EXPECT_TRUE((*connection)->stream(1).receive(1, out));
    });
    const auto connection = listener->accept();
    EXPECT_TRUE(connection);
    near = channelBinding(**connection).value();
    EXPECT_TRUE((*connection)->stream(1).send(1, std::vector<std::uint8_t>(1)));
    thread.join();
    EXPECT_EQ(near, far);
    return near;
  };
  const auto first = bindings(service, clinic), second = bindings(service, clinic);
  EXPECT_EQ(first.size(), 32u);
  EXPECT_NE(first, second);
  EXPECT_NE(first, std::vector<std::uint8_t>(32));
  EXPECT_TRUE(bindings(std::nullopt, std::nullopt).empty());
}

TEST_F(TlsTest, GarbageInsideTheSessionEndsIt) {
  EndpointOptions options;
  options.address = {"127.0.0.1", 0};
  options.tls = service;
  Expected<Listener> listener = listen(options);
  ASSERT_TRUE(listener);
  // Forwards the handshake, then adds bytes of its own, as someone on the network might.
  const Expected<Socket> between = listenOn({"127.0.0.1", 0});
  EndpointOptions peer = options;
  peer.address = localAddress(*between);
  peer.tls = clinic;
  std::atomic<bool> spoil = false;
  std::jthread forwarder([&] {
    const test::RawPeer client = test::RawPeer::from(*between), server = test::RawPeer::to(listener->address());
    while (!spoil) {
      server.send(client.readSome(5ms));
      client.send(server.readSome(5ms));
    }
    server.send("this was not sent by the peer");
    server.readSome(1s);
  });
  std::jthread client([&] {
    const Expected<std::unique_ptr<Connection>> connection = sd::connect(peer);
    ASSERT_TRUE(connection) << connection.error().message;
    std::vector<std::uint8_t> out(1);
    EXPECT_FALSE((*connection)->stream(1).receive(1, out));
  });
  const Expected<std::unique_ptr<Connection>> connection = listener->accept();
  ASSERT_TRUE(connection) << connection.error().message;
  spoil = true;
  std::vector<std::uint8_t> out(1);
  const Expected<void> result = (*connection)->stream(1).receive(1, out);
  ASSERT_FALSE(result);
  EXPECT_THAT(result.error().message, HasSubstr("breaks TLS"));
}

} // namespace
} // namespace sd
