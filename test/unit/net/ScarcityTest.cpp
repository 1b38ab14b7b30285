// When memory or threads run out a session ends, never the process.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pthread.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <new>
#include <optional>
#include <thread>

#include "runtime/net/Connect.h"
#include "runtime/net/Handshake.h"
#include "runtime/net/SocketConnection.h"
#include "test/unit/net/RawPeer.h"

namespace sd {
namespace {

using namespace std::chrono_literals;
using test::RawPeer;
using testing::HasSubstr;

// While one exists no thread can be created: the stacks would be larger than any address space.
class NoThreads {
public:
  NoThreads() {
    pthread_getattr_default_np(&before_);
    pthread_attr_t huge;
    pthread_attr_init(&huge);
    pthread_attr_setstacksize(&huge, std::size_t{1} << 60);
    pthread_setattr_default_np(&huge);
    pthread_attr_destroy(&huge);
  }
  ~NoThreads() {
    pthread_setattr_default_np(&before_);
    pthread_attr_destroy(&before_);
  }
  NoThreads(const NoThreads &) = delete;
  NoThreads &operator=(const NoThreads &) = delete;

private:
  pthread_attr_t before_{};
};

TEST(Scarcity, APeerForWhomThereIsNoThreadIsTurnedAway) {
  EndpointOptions options{.address = {"127.0.0.1", 0}, .connection = {.timeout = 10s}, .waitForPeer = 10s};
  std::vector<std::string> refused;
  std::optional<NoThreads> scarce;
  options.onRefused = [&](std::string_view why) {
    refused.emplace_back(why);
    scarce.reset();
  };
  Expected<Listener> listener = listen(options);
  ASSERT_TRUE(listener);
  const RawPeer first = RawPeer::to(listener->address()), second = RawPeer::to(listener->address());
  first.send(helloBytes());
  second.send(helloBytes());
  scarce.emplace();
  const Expected<std::unique_ptr<Connection>> accepted = listener->accept();
  ASSERT_TRUE(accepted) << accepted.error().message;
  EXPECT_THAT(refused, testing::ElementsAre(HasSubstr("the system refuses")));
}

// Memory fails it when it reads, or when its connection's own thread writes.
class FailingStream final : public ByteStream {
public:
  explicit FailingStream(bool onRead) : onRead_(onRead), event_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {}
  int descriptor() const override { return event_.get(); }
  Expected<IoWait> handshake() override { return IoWait::None; }
  Expected<IoResult> read(std::span<std::uint8_t>) override {
    if (onRead_) throw std::bad_alloc();
    return IoResult{0, IoWait::Read};
  }
  Expected<IoResult> write(std::span<const std::uint8_t>, std::span<const std::uint8_t>) override {
    if (std::this_thread::get_id() != sender_) throw std::bad_alloc();
    return IoResult{0, IoWait::Read}; // so that it goes to the queue
  }
  void endWrite() override {}

private:
  const bool onRead_;
  const Socket event_;
  const std::thread::id sender_ = std::this_thread::get_id();
};

TEST(Scarcity, AConnectionThatMemoryFailsEnds) {
  for (const bool onRead : {false, true}) {
    const auto connection = makeSocketConnection(std::make_unique<FailingStream>(onRead), "the peer", {.timeout = 10s});
    ASSERT_TRUE(connection);
    std::vector<std::uint8_t> out(10);
    static_cast<void>((*connection)->stream(1).send(1, out));
    const Expected<void> received = (*connection)->stream(1).receive(1, out);
    ASSERT_FALSE(received);
    EXPECT_THAT(received.error().message, HasSubstr("out of memory"));
    EXPECT_FALSE((*connection)->stream(1).send(1, out));
  }
}

// A transport whose thread that waits for a message finds no memory to read with.
class FailingConnection final : public StreamedConnection {
public:
  using StreamedConnection::begin;
  using StreamedConnection::finish;
  using StreamedConnection::holdsBack;
  FailingConnection() : StreamedConnection("the peer", {.receiveLimit = 1}) {}
  bool fails = true;

protected:
  Expected<void> sendFrame(const FrameHeader &, std::span<const std::uint8_t>) override { return {}; }
  void sendClose(std::string_view) override {}
  void wake() override {}
  bool lead(Stream &, Clock::time_point) override {
    if (fails) throw std::bad_alloc();
    return false;
  }
};

TEST(Scarcity, AReceiverThatMemoryFailsLeavesNothingBehind) {
  FailingConnection connection;
  Channel &channel = connection.stream(1);
  {
    std::vector<std::uint8_t> gone(10);
    EXPECT_THROW(static_cast<void>(channel.receive(5, gone)), std::bad_alloc);
    EXPECT_THROW(static_cast<void>(channel.receiveUpTo(5, 10)), std::bad_alloc);
    EXPECT_THROW(static_cast<void>(channel.await(10s)), std::bad_alloc);
  }
  auto incoming = connection.begin({10, 1, 5});
  ASSERT_TRUE(incoming);
  EXPECT_FALSE(incoming->posted) << "no one's buffer is left there";
  std::ranges::fill(incoming->target, std::uint8_t{7});
  EXPECT_FALSE(connection.finish(*std::move(incoming))) << "no one waits";
  EXPECT_TRUE(connection.holdsBack()) << "no one waits";
  connection.fails = false;
  std::vector<std::uint8_t> out(10);
  ASSERT_TRUE(channel.receive(5, out));
  EXPECT_EQ(out, std::vector<std::uint8_t>(10, 7));
}

} // namespace
} // namespace sd
