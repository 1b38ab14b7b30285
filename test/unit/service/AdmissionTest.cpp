// Room for sessions: nobody gets more than there is, and who waits gets what is left.
#include "runtime/service/Admission.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <thread>

namespace sd::service {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

std::optional<Admission::Room> roomOf(Expected<Admission::Room> room) {
  return room ? std::optional<Admission::Room>(std::move(*room)) : std::nullopt;
}

TEST(AdmissionTest, MemoryAndPlaces) {
  Admission admission(100);
  auto first = roomOf(admission.enter({"a", 2, 60}, 0ms));
  ASSERT_TRUE(first);
  EXPECT_FALSE(admission.enter({"b", 2, 50}, 10ms));
  auto second = roomOf(admission.enter({"a", 2, 30}, 0ms));
  ASSERT_TRUE(second);
  EXPECT_EQ(admission.bytes(), 90u);
  const auto third = admission.enter({"a", 2, 1}, 10ms);
  ASSERT_FALSE(third);
  EXPECT_EQ(third.error().kind, ErrorKind::Refused);
  EXPECT_THAT(third.error().message, HasSubstr("no room for another session of this model now"));
  first.reset();
  EXPECT_EQ(admission.bytes(), 30u);
  EXPECT_TRUE(admission.enter({"a", 2, 70}, 0ms));
}

TEST(AdmissionTest, WhoNeedsMoreThanThereEverIsDoesNotWait) {
  Admission admission(100);
  const auto room = admission.enter({"a", 2, 101}, 1h);
  ASSERT_FALSE(room);
  EXPECT_THAT(room.error().message, HasSubstr("more than the service has"));
}

TEST(AdmissionTest, WhoWaitsGetsWhatIsLeft) {
  Admission admission(100);
  auto first = roomOf(admission.enter({"a", 2, 100}, 0ms));
  ASSERT_TRUE(first);
  std::jthread leaving([&] {
    std::this_thread::sleep_for(50ms);
    first.reset();
  });
  EXPECT_TRUE(admission.enter({"b", 1, 100}, 1h));
}

TEST(AdmissionTest, ABudgetThatShrinksBelowWhatIsTakenLetsNobodyIn) {
  Admission admission(100);
  auto first = roomOf(admission.enter({"a", 2, 80}, 0ms));
  admission.setBudget(50);
  EXPECT_FALSE(admission.enter({"a", 2, 10}, 10ms));
  first.reset();
  EXPECT_TRUE(admission.enter({"a", 2, 10}, 0ms));
}

} // namespace
} // namespace sd::service
