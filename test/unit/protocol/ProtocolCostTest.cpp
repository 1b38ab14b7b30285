#include "ir/core/ScheduleChoice.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <set>

namespace sd {
namespace {

ProtocolCost costOf(int t, int width, int radix, int bound = 30, int ringBits = 32) {
  return compareCost(ringBits, evenShape(t, bound, width, radix));
}

ProtocolCost truncationCost(int ringBits, int t) {
  return compareCost(ringBits, standardShape(t, ringBits - 2, false));
}

std::uint32_t bitsFrom(const ProtocolCost &cost, int sender) {
  std::uint32_t bits = 0;
  for (int k = sender; k < cost.messages(); k += 2)
    bits += cost.messageBits[k];
  return bits;
}

// The table of docs/protocols.md, truncation and comparison.
TEST(ProtocolCost, matchesTheDocumentedTable) {
  struct Row {
    int t, bound;
    CompareSchedule schedule;
    double online, offline;
    std::uint32_t ots;
    double dealer;
  };
  for (const Row &row : {Row{12, 30, {2, {6, 3}, {4, 4}}, 18.50, 51.38, 61, 36.38},
                         Row{10, 30, {2, {7, 4}, {3, 3}}, 18.50, 52.25, 62, 36.12},
                         Row{12, 30, {2, {6, 3}, {3, 3}}, 18.00, 58.25, 58, 38.12},
                         Row{10, 30, {2, {6, 3}, {3, 3}}, 18.00, 57.50, 58, 37.38},
                         Row{10, 25, {2, {5, 3}, {3, 3}}, 16.88, 42.88, 50, 30.62},
                         Row{0, 30, {2, {10, 4}, {0, 3}}, 18.00, 44.25, 58, 28.50}}) {
    SCOPED_TRACE(testing::Message() << row.t << ' ' << row.bound);
    const ProtocolCost cost = compareCost(32, {row.t, row.bound, row.schedule});
    EXPECT_NEAR((bitsFrom(cost, 0) + bitsFrom(cost, 1)) / 8.0, row.online, 0.006);
    EXPECT_NEAR(cost.offlineBits() / 8.0, row.offline, 0.006);
    EXPECT_EQ(cost.ots + cost.reverseOts, row.ots);
    EXPECT_NEAR(cost.dealerBits / 8.0, row.dealer, 0.006);
    EXPECT_EQ(cost.roundTrips(), 2);
  }
}

// Exact truncation with ReLU at a bound of 2^30.
TEST(ProtocolCost, meetsItsBudgets) {
  for (const int t : {10, 12}) {
    const auto schedules = usefulSchedules(32, {t, 30, {}});
    EXPECT_TRUE(std::ranges::any_of(schedules, [](const ScheduleCost &each) {
      const ProtocolCost &cost = each.cost;
      return bitsFrom(cost, 0) + bitsFrom(cost, 1) <= 18.75 * 8 && cost.offlineBits() <= 52.25 * 8 &&
             cost.ots + cost.reverseOts <= 66 && cost.roundTrips() == 2 && cost.offlineMessages == 3;
    })) << t;
  }
}

TEST(ProtocolCost, roundTripsGrowWithTheTree) {
  EXPECT_EQ(costOf(0, 4, 2, 4).roundTrips(), 1) << "one digit, no tree";
  EXPECT_EQ(costOf(26, 4, 4).roundTrips(), 2);
  EXPECT_EQ(costOf(10, 4, 3).roundTrips(), 2);
  EXPECT_EQ(costOf(10, 1, 2).roundTrips(), 3) << "20 and 10 bits in four levels";
  EXPECT_EQ(truncationCost(32, 4).roundTrips(), 1) << "one digit";
  EXPECT_EQ(truncationCost(32, 5).roundTrips(), 2);
  EXPECT_EQ(truncationCost(32, 10).roundTrips(), 2);
  EXPECT_EQ(truncationCost(32, 24).roundTrips(), 2);
  EXPECT_EQ(productCost(32).onlineBytes(10), 120u);
  EXPECT_EQ(inputCost(32).onlineBytes(1, 3), 12u);
  EXPECT_EQ(outputCost(32).onlineBytes(0, 3), 12u);
}

// The same bits are compared: a longer word adds its bits where a word travels, and nothing else.
TEST(ProtocolCost, theRingCountsWhereWordsTravel) {
  for (const int t : {0, 10}) {
    const ProtocolCost narrow = costOf(t, 3, 3), wide = costOf(t, 3, 3, 30, 64);
    ASSERT_EQ(narrow.messages(), wide.messages());
    for (int k = 0; k < wide.messages(); ++k)
      EXPECT_EQ(wide.messageBits[k] - narrow.messageBits[k], k == 0 || k == wide.messages() - 1 ? 32u : 0u);
    const std::uint32_t words = t ? 64 : 32; // of the selection, of the carry
    EXPECT_EQ(wide.offlineBitsToP0, narrow.offlineBitsToP0 + words);
    EXPECT_EQ(wide.dealerBits, narrow.dealerBits + words);
    EXPECT_EQ(wide.ots, narrow.ots);
  }
  EXPECT_EQ(inputCost(64).onlineBytes(1, 3), 24u);
  EXPECT_EQ(outputCost(64).onlineBytes(0, 3), 24u);
  EXPECT_EQ(truncationCost(64, 10).onlineBytes(8) - truncationCost(32, 10).onlineBytes(8), 32u);
  EXPECT_EQ(productCost(64).onlineBytes(10), 240u);
  EXPECT_EQ(productCost(64).ots, 128u);
  EXPECT_EQ(productCost(64).offlineBitsToP0, 64u * 65);
}

TEST(ProtocolCost, partsArePaddedToBytesOnce) {
  const ProtocolCost cost = costOf(10, 3, 3);
  for (int k = 0; k < cost.messages(); ++k)
    EXPECT_EQ(cost.messageBytes(k, 7), (7u * cost.messageBits[k] + 7) / 8);
}

TEST(ProtocolCost, refusesShapesOutsideTheFamily) {
  const auto refusal = [](int ringBits, const CompareShape &shape) { return check(ringBits, shape).error().message; };
  EXPECT_TRUE(check(32, standardShape(0, 1)));
  EXPECT_TRUE(check(32, standardShape(24, 30)));
  EXPECT_TRUE(check(64, standardShape(56, 62)));
  EXPECT_THAT(refusal(32, {25, 30, {}}), testing::HasSubstr("25 bits"));
  EXPECT_THAT(refusal(32, {10, 10, {}}), testing::HasSubstr("2^10"));
  EXPECT_THAT(refusal(32, {10, 31, {}}), testing::HasSubstr("2^31"));
  EXPECT_THAT(refusal(64, {57, 62, {}}), testing::HasSubstr("57 bits"));
  EXPECT_THAT(refusal(64, {10, 63, {}}), testing::HasSubstr("at most 62"));
  for (const CompareSchedule &broken :
       {CompareSchedule{2, {4, 3}, {3, 3}}, CompareSchedule{2, {21, 3}, {3, 3}}, CompareSchedule{2, {7, 5}, {3, 3}},
        CompareSchedule{2, {7, 0}, {3, 3}}, CompareSchedule{2, {7, 2}, {4, 2}}, CompareSchedule{2, {7, 3}, {0, 3}},
        CompareSchedule{1, {7, 3}, {3, 3}}, CompareSchedule{0, {7, 3}, {3, 3}}, CompareSchedule{7, {20, 2}, {3, 3}},
        CompareSchedule{6, {7, 3}, {3, 3}}, CompareSchedule{-1, {7, 3}, {3, 3}}})
    EXPECT_THAT(refusal(32, {10, 30, broken}), testing::HasSubstr("20 and 10 bits in"));
}

TEST(ProtocolCost, bestScheduleFollowsTheNetwork) {
  const auto schedules = usefulSchedules(32, {10, 30, {}});
  const auto best = [&](std::uint64_t elements, const NetworkProfile &network, int offlineMessages = 5) {
    return *bestSchedule(schedules, elements, network, offlineMessages);
  };
  EXPECT_EQ(best(100000, NetworkProfile::lan()).cost.roundTrips(), 2);
  EXPECT_LT(best(100000, {0, 1e15}).cost.ots, best(100000, {0, 1e6}).cost.ots) << "wide digits have the fewest OTs";
  EXPECT_LT(best(100000, {0, 1e6}).cost.offlineBits(), best(100000, {0, 1e15}).cost.offlineBits()) << "and more bytes";
  EXPECT_EQ(best(1, NetworkProfile::wan()).cost.roundTrips(), 2);
  EXPECT_LE(best(1, NetworkProfile::wan(), 3).cost.offlineMessages, 3);
  EXPECT_EQ(bestSchedule(schedules, 1, NetworkProfile::wan(), 1), nullptr) << "two levels multiply three masks";
  EXPECT_EQ(bestSchedule(usefulSchedules(32, {0, 8, {}}), 1, NetworkProfile::wan(), 1)->cost.offlineMessages, 1);
}

TEST(ProtocolCost, twoRoundTripsAreEnough) {
  for (int bound = 1; bound <= 62; ++bound)
    for (int t = 0; t < bound && t <= maxTruncation(64); ++t)
      for (const bool selects : {true, false}) {
        if (t == 0 && !selects) continue;
        for (const ScheduleCost &each : usefulSchedules(64, {t, bound, {}, selects}))
          ASSERT_LE(each.cost.roundTrips(), 2) << t << ' ' << bound;
      }
}

TEST(ProtocolCost, noUsefulScheduleBeatsAnother) {
  for (const CompareShape &shape :
       {CompareShape{12, 30, {}}, CompareShape{0, 20, {}}, CompareShape{20, 62, {}}, CompareShape{10, 30, {}, false}}) {
    const auto schedules = usefulSchedules(64, shape);
    EXPECT_FALSE(schedules.empty());
    for (const ScheduleCost &a : schedules)
      for (const ScheduleCost &b : schedules)
        EXPECT_TRUE(a.schedule == b.schedule || a.cost.ots < b.cost.ots || a.cost.roundTrips() < b.cost.roundTrips() ||
                    a.cost.offlineBits() < b.cost.offlineBits() || a.cost.offlineBitsToP0 < b.cost.offlineBitsToP0 ||
                    bitsFrom(a.cost, 0) + bitsFrom(a.cost, 1) < bitsFrom(b.cost, 0) + bitsFrom(b.cost, 1) ||
                    a.cost.offlineMessages < b.cost.offlineMessages);
  }
}

// Messages of the offline phase: two more for products of three or four masks, and again for products of five.
TEST(ProtocolCost, offlineMessagesFollowTheProducts) {
  EXPECT_EQ(truncationCost(32, 3).offlineMessages, 1);
  EXPECT_EQ(productCost(32).offlineMessages, 1);
  EXPECT_EQ(compareCost(32, {0, 4, {1, {2, 2}, {0, 3}}}).offlineMessages, 1);
  EXPECT_EQ(compareCost(32, {0, 4, {1, {3, 3}, {0, 3}}}).offlineMessages, 3);
  EXPECT_EQ(compareCost(32, {0, 4, {1, {4, 3}, {0, 3}}}).offlineMessages, 3);
  EXPECT_EQ(compareCost(32, {0, 5, {1, {5, 3}, {0, 3}}}).offlineMessages, 5);
  EXPECT_EQ(compareCost(32, {1, 2, {1, {1, 3}, {1, 3}}}).offlineMessages, 1);
  EXPECT_EQ(compareCost(32, {1, 3, {1, {2, 3}, {1, 3}}}).offlineMessages, 3);
}

template <class F>
void forEvenShapes(F &&f) {
  for (int low = 0; low <= 56; ++low)
    for (int high = low ? 0 : 1; low + high <= 62; ++high)
      for (int width = 1; width <= 4; ++width)
        for (int radix = 2; radix <= 4; ++radix)
          f(low, high, evenSchedule(low, high, width, radix));
}

TEST(CompareTree, everyProductIsBuiltFromEarlierNodes) {
  forEvenShapes([](int low, int high, const CompareSchedule &schedule) {
    const CompareTree tree = CompareTree::make(low, high, schedule);
    int covered = 0;
    for (const auto &d : tree.digits) {
      ASSERT_EQ(d.firstBit, covered);
      covered += d.bits;
    }
    ASSERT_EQ(covered, low + high);
    for (const auto &level : tree.levels)
      for (std::size_t p = 0; p < level.products.size(); ++p) {
        ASSERT_LT(level.products[p].a, level.wireCount() + static_cast<int>(p));
        ASSERT_LT(level.products[p].b, level.wireCount() + static_cast<int>(p));
      }
  });
}

// The costs that are counted without making the tree are the tree's.
TEST(CompareTree, hasTheCostsThatAreDeclared) {
  forEvenShapes([](int low, int high, const CompareSchedule &schedule) {
    const CompareTree tree = CompareTree::make(low, high, schedule);
    const auto costs = mergeCosts(schedule);
    ASSERT_EQ(costs.size(), tree.levels.size());
    for (std::size_t k = 0; k < costs.size(); ++k) {
      ASSERT_EQ(costs[k].wires, tree.levels[k].wireCount());
      ASSERT_EQ(costs[k].products, tree.levels[k].products.size());
      std::set<int> choices;
      for (const auto &product : tree.levels[k].products)
        choices.insert({product.a, product.b});
      ASSERT_EQ(costs[k].choices, choices.size());
    }
  });
}

} // namespace
} // namespace sd
