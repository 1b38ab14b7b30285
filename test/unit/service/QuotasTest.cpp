// What hospitals may have, and that offline phases count, not results.
#include "runtime/service/Quotas.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sd::service {
namespace {

using testing::HasSubstr;

class QuotasTest : public testing::Test {
protected:
  HospitalSettings hospital = [] {
    HospitalSettings one;
    one.name = "clinic";
    one.sessions = 2;
    one.inferences = 3;
    return one;
  }();
  TimePoint now = TimePoint(std::chrono::hours(24 * 365));
  Quotas quotas{[this] { return now; }};
};

TEST_F(QuotasTest, SessionsAtOnce) {
  auto first = quotas.visit(hospital, 0);
  {
    auto second = quotas.visit(hospital, 0);
    ASSERT_TRUE(first && second);
    const auto third = quotas.visit(hospital, 0);
    ASSERT_FALSE(third);
    EXPECT_EQ(third.error().kind, ErrorKind::Refused);
    EXPECT_THAT(third.error().message, HasSubstr("has 2 sessions"));
    HospitalSettings other = hospital;
    other.name = "other";
    EXPECT_TRUE(quotas.visit(other, 0));
  }
  EXPECT_TRUE(quotas.visit(hospital, 0));
}

TEST_F(QuotasTest, OfflinePhasesOfADay) {
  EXPECT_FALSE(quotas.visit(hospital, 4));
  {
    auto visit = quotas.visit(hospital, 3);
    ASSERT_TRUE(visit);
    EXPECT_TRUE(visit->take());
    EXPECT_TRUE(visit->take()); // and no result: they are gone all the same
  }
  const auto tooMuch = quotas.visit(hospital, 2);
  ASSERT_FALSE(tooMuch);
  EXPECT_THAT(tooMuch.error().message,
              HasSubstr("may make 1 more inferences today (UTC) of its 3 a day, and asks for 2"));
  auto first = quotas.visit(hospital, 1), second = quotas.visit(hospital, 1); // each would have been right alone
  ASSERT_TRUE(first && second);
  EXPECT_TRUE(first->take());
  EXPECT_FALSE(second->take());
  now += std::chrono::hours(24);
  EXPECT_TRUE(second->take());
}

TEST_F(QuotasTest, WhatAnEarlierProcessHasCounted) {
  quotas.restore("clinic", dayOf(now), 2);
  quotas.restore("clinic", dayOf(now - std::chrono::hours(24)), 3);
  EXPECT_FALSE(quotas.visit(hospital, 2));
  EXPECT_TRUE(quotas.visit(hospital, 1));
}

TEST_F(QuotasTest, AQuotaThatWasLoweredBelowWhatIsUsed) {
  quotas.restore("clinic", dayOf(now), 5);
  EXPECT_FALSE(quotas.visit(hospital, 1));
  EXPECT_TRUE(quotas.visit(hospital, 0)); // what is stored already
}

} // namespace
} // namespace sd::service
