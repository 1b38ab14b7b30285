#include "runtime/offline/TwoPartyOverlap.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

#include "runtime/net/MemoryChannel.h"

namespace sd {
namespace {

// Whichever part fails, the other one waits for a message that never comes.
class OverlapTest : public testing::Test {
protected:
  std::pair<std::unique_ptr<Connection>, std::unique_ptr<Connection>> link_ = makeMemoryConnections();
  std::array<std::uint8_t, 4> unused_{};

  Expected<void> waits() { return link_.first->stream(1).receive(1, unused_); }
  static Expected<void> fails() { return fail(ErrorKind::Resources, "the cause"); }
};

TEST_F(OverlapTest, TheFirstPartsFailureEndsTheSecondAndIsReturned) {
  const auto done = runBoth(
      *link_.first, [] { return fails(); }, [&] { return waits(); });
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().message, "the cause");
  EXPECT_EQ(done.error().kind, ErrorKind::Resources);
}

TEST_F(OverlapTest, TheSecondPartsFailureEndsTheFirstAndIsReturned) {
  const auto done = runBoth(
      *link_.first, [&] { return waits(); }, [] { return fails(); });
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().message, "the cause");
  EXPECT_EQ(done.error().kind, ErrorKind::Resources);
}

TEST_F(OverlapTest, BothPartsRunToTheirEnds) {
  int ran = 0;
  EXPECT_TRUE(runBoth(
      *link_.first, [&]() -> Expected<void> { return {}; },
      [&]() -> Expected<void> {
        ++ran;
        return {};
      }));
  EXPECT_EQ(ran, 1);
}

} // namespace
} // namespace sd
