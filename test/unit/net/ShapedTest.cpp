#include "runtime/net/Shaped.h"

#include <gtest/gtest.h>

#include "runtime/net/MemoryChannel.h"

namespace sd {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

// Only lower bounds are tested: a busy machine may always take longer.
TEST(Shaped, NothingArrivesBeforeItsTime) {
  auto [near, far] = makeMemoryConnections();
  const LinkProfile link{.roundTrip = 40ms, .bytesPerSecond = 1e6};
  const std::unique_ptr<Connection> a = shape(std::move(near), link), b = shape(std::move(far), link);
  const Clock::time_point start = Clock::now();
  const std::vector<std::uint8_t> message(10'000 - kFrameHeaderBytes, 1); // 10 ms of the link
  std::vector<std::uint8_t> received(message.size());
  for (int i = 0; i < 3; ++i)
    ASSERT_TRUE(a->stream(1).send(1, message));
  EXPECT_LT(Clock::now() - start, 10s); // the sender does not wait for the link
  for (int i = 1; i <= 3; ++i) {
    ASSERT_TRUE(b->stream(1).receive(1, received));
    EXPECT_GE(Clock::now() - start, 20ms + i * 10ms);
  }
  ASSERT_TRUE(b->stream(1).send(2, {}));
  ASSERT_TRUE(a->stream(1).receive(2, {}));
  EXPECT_GE(Clock::now() - start, 70ms);
}

TEST(Shaped, SentBytesCountAtOnce) {
  auto [near, far] = makeMemoryConnections();
  const std::unique_ptr<Connection> a = shape(std::move(near), {.roundTrip = 20ms});
  ASSERT_TRUE(a->stream(1).send(1, std::vector<std::uint8_t>(5)));
  EXPECT_EQ(a->traffic(), (Traffic{13, 0, 1, 0}));
  EXPECT_EQ(a->stream(1).traffic(), (Traffic{13, 0, 1, 0}));
}

} // namespace
} // namespace sd
