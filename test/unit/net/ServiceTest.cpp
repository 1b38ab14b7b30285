// A service of several sessions: whose turn it is, what those who wait are told, and how it stops.
#include "runtime/net/Service.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sys/resource.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <new>
#include <thread>

#include "runtime/net/Handshake.h"
#include "test/unit/net/RawPeer.h"

namespace sd {
namespace {

using namespace std::chrono_literals;
using test::RawPeer;
using testing::HasSubstr;

// Words of many threads.
class Notes {
public:
  void add(std::string_view text) {
    const std::lock_guard lock(mutex_);
    texts_.emplace_back(text);
    changed_.notify_all();
  }
  // Once there are so many of them, or after ten seconds.
  std::vector<std::string> first(std::size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, 10s, [&] { return texts_.size() >= count; });
    return texts_;
  }

private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> texts_;
};

// A session is one byte from the hospital, its name, and the same one back when the test lets go().
class ServiceTest : public testing::Test {
protected:
  void start(unsigned places, std::chrono::milliseconds timeout = 10s, std::chrono::milliseconds longest = 0ms) {
    Expected<WakeUp> made = WakeUp::make();
    ASSERT_TRUE(made);
    cut = std::make_shared<const WakeUp>(*std::move(made));
    EndpointOptions options;
    options.address = {"127.0.0.1", 0};
    options.waitForPeer = 0ms;
    options.connection.timeout = timeout;
    options.connection.longest = longest;
    options.connection.cut = cut;
    options.onRefused = [this](std::string_view why) { refused.add(why); };
    Expected<Listener> listening = listen(options);
    ASSERT_TRUE(listening);
    listener = std::make_unique<Listener>(*std::move(listening));
    address = listener->address();
    const auto serve = [this](std::unique_ptr<Connection> peer) { serveOne(*peer); };
    thread = std::jthread([this, places, serve] {
      serveInTurn(*listener, {places, serve, [this](std::string_view text) { log.add(text); }, drain, cut});
      stopped = true;
    });
  }
  void TearDown() override {
    letGo(100);
    listener->stop();
    thread.join();
  }

  void letGo(int sessions) {
    const std::lock_guard lock(mutex);
    allowed += sessions;
    mayGo.notify_all();
  }

  std::unique_ptr<Connection> hospital(std::chrono::milliseconds timeout = 10s) const {
    EndpointOptions options;
    options.address = address;
    options.connection.timeout = timeout;
    auto connection = sd::connect(options);
    EXPECT_TRUE(connection) << connection.error().message;
    return *std::move(connection);
  }
  static void ask(Connection &connection, std::uint8_t name) { EXPECT_TRUE(connection.stream(1).send(1, {&name, 1})); }
  static std::string answer(Connection &connection) {
    std::uint8_t back = 0;
    const Expected<void> received = connection.stream(1).receive(1, {&back, 1});
    return received ? std::string(1, static_cast<char>(back)) : received.error().message;
  }

  std::unique_ptr<Listener> listener;
  std::shared_ptr<const WakeUp> cut;
  std::chrono::milliseconds drain = 20s;
  Address address;
  Notes begun, refused, log;
  std::atomic<bool> stopped = false, failing = false;
  std::jthread thread;

private:
  void serveOne(Connection &peer) {
    std::uint8_t name = 0;
    if (!peer.stream(1).receive(1, {&name, 1})) return;
    begun.add(std::string(1, static_cast<char>(name)));
    if (failing.exchange(false)) throw std::bad_alloc();
    {
      std::unique_lock lock(mutex);
      mayGo.wait(lock, [&] { return allowed > 0; });
      --allowed;
    }
    static_cast<void>(peer.stream(1).send(1, {&name, 1}));
    static_cast<void>(peer.stream(2).receive(1, {})); // until it hangs up
  }

  std::mutex mutex;
  std::condition_variable mayGo;
  int allowed = 0;
};

TEST_F(ServiceTest, ThoseWhoComeWhenItIsFullAreServedInTurn) {
  start(1);
  std::vector<std::unique_ptr<Connection>> hospitals;
  for (std::uint8_t name : {'a', 'b', 'c', 'd'}) {
    hospitals.push_back(hospital());
    ask(*hospitals.back(), name);
    std::this_thread::sleep_for(50ms);
  }
  EXPECT_THAT(begun.first(1), testing::ElementsAre("a"));
  for (char name : {'a', 'b', 'c', 'd'}) {
    letGo(1);
    EXPECT_EQ(answer(*hospitals.front()), std::string(1, name));
    hospitals.erase(hospitals.begin());
  }
  EXPECT_THAT(begun.first(4), testing::ElementsAre("a", "b", "c", "d"));
}

TEST_F(ServiceTest, WhoHasWaitedTooLongReadsThatItIsBusy) {
  start(2);
  const auto first = hospital(), second = hospital();
  ask(*first, 'a');
  ask(*second, 'b');
  begun.first(2);
  auto third = hospital(300ms);
  ask(*third, 'c');
  EXPECT_THAT(answer(*third), HasSubstr("busy with 2 sessions and had no room for another within 0.3 s"));
  third.reset();
  EXPECT_THAT(refused.first(1), testing::ElementsAre(HasSubstr("did not wait for its turn")));
  letGo(2);
  EXPECT_EQ(answer(*first) + answer(*second), "ab");
}

TEST_F(ServiceTest, WhoSaysNothingHoldsNoPlace) {
  start(1, 300ms);
  std::vector<RawPeer> silent;
  for (int i = 0; i < 60; ++i)
    silent.push_back(RawPeer::to(address));
  for (const RawPeer &one : silent)
    one.send(helloBytes());
  letGo(1);
  const auto connection = hospital();
  ask(*connection, 'a');
  EXPECT_EQ(answer(*connection), "a");
  EXPECT_THAT(refused.first(60), testing::AllOf(testing::SizeIs(60), testing::Each(HasSubstr("had nothing to say"))));
}

TEST_F(ServiceTest, WithoutMemoryForASessionTheOthersGoOn) {
  start(1);
  failing = true;
  const auto first = hospital(), second = hospital();
  ask(*first, 'a');
  EXPECT_THAT(answer(*first), HasSubstr("ended the session"));
  EXPECT_THAT(log.first(1), testing::ElementsAre("there is not enough memory"));
  letGo(1);
  ask(*second, 'b');
  EXPECT_EQ(answer(*second), "b");
}

// The hospital never hangs up, and what drips from it prolongs nothing.
TEST_F(ServiceTest, ASessionThatTakesTooLongIsEnded) {
  start(1, 10s, 300ms);
  letGo(1);
  const auto first = hospital();
  ask(*first, 'a');
  EXPECT_EQ(answer(*first), "a");
  while (first->stream(3).send(1, {}))
    std::this_thread::sleep_for(20ms);
  EXPECT_THAT(answer(*first), HasSubstr("it took longer than the 0.3 s that a session may"));
  letGo(1);
  const auto second = hospital();
  ask(*second, 'b');
  EXPECT_EQ(answer(*second), "b");
}

TEST_F(ServiceTest, StoppedItCutsSessionsThatDoNotEnd) {
  drain = 100ms;
  start(1);
  letGo(1);
  const auto first = hospital();
  ask(*first, 'a');
  EXPECT_EQ(answer(*first), "a");
  listener->stop();
  EXPECT_THAT(answer(*first), HasSubstr("the service is being stopped, and waits no longer for this session"));
  thread.join();
  EXPECT_TRUE(stopped);
  EXPECT_THAT(log.first(2), testing::ElementsAre("no new sessions; 1 still to end", HasSubstr("1 session cut")));
  thread = std::jthread([] {});
}

TEST(DescriptorsTest, TheLimitIsRaisedToWhatMayBe) {
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit low{std::min<rlim_t>(before.rlim_cur, 100), before.rlim_max}, after{};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &low), 0);
  EXPECT_EQ(raiseDescriptorLimit(), before.rlim_max);
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &after), 0);
  EXPECT_EQ(after.rlim_cur, before.rlim_max);
  setrlimit(RLIMIT_NOFILE, &before);
}

TEST_F(ServiceTest, StoppedItLetsSessionsComeToTheirEnd) {
  start(1);
  auto first = hospital(), second = hospital(), silent = hospital();
  ask(*first, 'a');
  begun.first(1);
  ask(*second, 'b');
  std::this_thread::sleep_for(50ms);
  listener->stop();
  EXPECT_THAT(answer(*second), HasSubstr("the service is being stopped"));
  EXPECT_THAT(answer(*silent), HasSubstr("the service is being stopped"));
  EXPECT_THAT(log.first(1), testing::ElementsAre("no new sessions; 1 still to end"));
  EndpointOptions late;
  late.address = address;
  late.waitForPeer = 0ms;
  EXPECT_FALSE(sd::connect(late));
  EXPECT_FALSE(stopped);
  letGo(1);
  EXPECT_EQ(answer(*first), "a");
  first.reset();
  thread.join();
  EXPECT_TRUE(stopped);
  thread = std::jthread([] {});
}

} // namespace
} // namespace sd
