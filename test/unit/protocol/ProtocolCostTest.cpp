#include "ir/core/ProtocolCost.h"

#include <gmock/gmock.h>

namespace sd {
namespace {

ProtocolCost costOf(int t, int digit, int radix, int bound = 30, int ringBits = 32) {
  return compareCost(ringBits, {t, bound, {digit, radix}});
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
    int t, digit, radix;
    double online, offline;
    std::uint32_t ots;
    double dealer;
  };
  for (const Row &row : {Row{10, 4, 3, 14.00, 45.88, 34, 26.75}, Row{10, 3, 3, 15.00, 30.25, 41, 22.00},
                         Row{10, 2, 4, 17.00, 30.00, 58, 22.75}, Row{10, 1, 2, 28.75, 20.88, 76, 21.62},
                         Row{12, 3, 3, 14.25, 28.88, 36, 21.25}, Row{0, 3, 4, 18.00, 45.25, 66, 28.50}}) {
    SCOPED_TRACE(testing::Message() << row.t << ' ' << row.digit << ' ' << row.radix);
    const ProtocolCost cost = costOf(row.t, row.digit, row.radix);
    EXPECT_NEAR((bitsFrom(cost, 0) + bitsFrom(cost, 1)) / 8.0, row.online, 0.006);
    EXPECT_NEAR(cost.offlineBits() / 8.0, row.offline, 0.006);
    EXPECT_EQ(cost.ots + cost.reverseOts, row.ots);
    EXPECT_NEAR(cost.dealerBits / 8.0, row.dealer, 0.006);
  }
}

TEST(ProtocolCost, tenBitTruncationMeetsItsBudgets) {
  const ProtocolCost cost = costOf(10, 3, 3);
  EXPECT_LE(cost.onlineBytes(1000000), 15500000u);
  EXPECT_LE(cost.offlineBits() + (cost.ots + cost.reverseOts) * 0.5, 40 * 8);
  EXPECT_LE(cost.dealerBits, 45u * 8);
  EXPECT_EQ(cost.roundTrips(), 2);
}

TEST(ProtocolCost, roundTripsGrowWithTheTree) {
  EXPECT_EQ(costOf(26, 4, 2).roundTrips(), 1) << "one digit, no tree";
  EXPECT_EQ(costOf(22, 4, 2).roundTrips(), 2);
  EXPECT_EQ(costOf(10, 1, 2).roundTrips(), 4) << "20 bits in five levels";
  EXPECT_EQ(truncateCost(32, 10).roundTrips(), 1);
  EXPECT_EQ(truncateCost(32, 10).onlineBytes(8), 33u);
  EXPECT_EQ(productCost(32).onlineBytes(10), 120u);
  EXPECT_EQ(inputCost(32).onlineBytes(1, 3), 12u);
  EXPECT_EQ(outputCost(32).onlineBytes(0, 3), 12u);
}

// The same n = k - t bits are compared: a longer word adds its bits where a word travels, and nothing else.
TEST(ProtocolCost, theRingCountsWhereWordsTravel) {
  for (const int t : {0, 10}) {
    const ProtocolCost narrow = costOf(t, 3, 3), wide = costOf(t, 3, 3, 30, 64);
    ASSERT_EQ(narrow.messages(), wide.messages());
    for (int k = 0; k < wide.messages(); ++k)
      EXPECT_EQ(wide.messageBits[k] - narrow.messageBits[k], k == 0 || k == wide.messages() - 1 ? 32u : 0u);
    EXPECT_EQ(wide.offlineBitsToP0, narrow.offlineBitsToP0 + 32);
    EXPECT_EQ(wide.dealerBits, narrow.dealerBits + 32);
    EXPECT_EQ(wide.ots, narrow.ots);
  }
  EXPECT_EQ(inputCost(64).onlineBytes(1, 3), 24u);
  EXPECT_EQ(outputCost(64).onlineBytes(0, 3), 24u);
  EXPECT_EQ(truncateCost(64, 10).onlineBytes(8), 65u);
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
  EXPECT_TRUE(check(32, {0, 1, {1, 2}}));
  EXPECT_TRUE(check(32, {24, 30, {4, 4}}));
  EXPECT_THAT(check(32, {25, 30, {4, 4}}).error().message, testing::HasSubstr("25 bits"));
  EXPECT_THAT(check(32, {10, 10, {4, 4}}).error().message, testing::HasSubstr("2^10"));
  EXPECT_THAT(check(32, {10, 31, {4, 4}}).error().message, testing::HasSubstr("2^31"));
  EXPECT_TRUE(check(64, {56, 62, {4, 4}}));
  EXPECT_THAT(check(64, {57, 62, {4, 4}}).error().message, testing::HasSubstr("57 bits"));
  EXPECT_THAT(check(64, {10, 63, {4, 4}}).error().message, testing::HasSubstr("at most 62"));
  EXPECT_THAT(check(32, {10, 30, {5, 4}}).error().message, testing::HasSubstr("5 bits"));
  EXPECT_THAT(check(32, {10, 30, {0, 4}}).error().message, testing::HasSubstr("0 bits"));
  EXPECT_THAT(check(32, {10, 30, {4, 1}}).error().message, testing::HasSubstr("radix 1"));
  EXPECT_THAT(check(32, {10, 30, {4, 5}}).error().message, testing::HasSubstr("radix 5"));
}

TEST(ProtocolCost, bestScheduleFollowsTheNetwork) {
  EXPECT_EQ(bestSchedule(32, 10, 30, 100000, NetworkProfile::lan()), (CompareSchedule{3, 3}));
  EXPECT_LT(bestSchedule(32, 10, 30, 100000, NetworkProfile::wan()).digit, 4);
  EXPECT_EQ(bestSchedule(32, 26, 30, 1, NetworkProfile::lan()).digit, 4) << "one digit saves a round trip";
  EXPECT_EQ(bestSchedule(32, 10, 30, 100000, {0, 1e15}).digit, 4) << "wide digits have the fewest OTs";
  EXPECT_LT(bestSchedule(32, 10, 30, 100000, {0, 1e6}).digit, 4) << "wide tables cost bytes";
}

// Messages of the offline phase: one more each way for each factor that a product of masks has beyond two.
TEST(ProtocolCost, offlineMessagesFollowTheRadix) {
  EXPECT_EQ(truncateCost(32, 10).offlineMessages, 1);
  EXPECT_EQ(productCost(32).offlineMessages, 1);
  for (int radix = 2; radix <= 4; ++radix) {
    EXPECT_EQ(compareCost(32, {10, 30, {1, radix}}).offlineMessages, 2 * radix - 3);
    EXPECT_EQ(compareCost(32, {10, 12, {1, radix}}).offlineMessages, 1); // two digits
  }
  const CompareSchedule few = bestSchedule(32, 10, 30, 1, NetworkProfile::wan(), 1);
  EXPECT_EQ(compareCost(32, {10, 30, few}).offlineMessages, 1);
}

TEST(CompareTree, everyProductIsBuiltFromEarlierNodes) {
  for (int bits = 1; bits <= 62; ++bits)
    for (int digit = 1; digit <= 4; ++digit)
      for (int radix = 2; radix <= 4; ++radix) {
        const CompareTree tree = CompareTree::make(bits, {digit, radix});
        int covered = 0;
        for (const auto &d : tree.digits) {
          EXPECT_EQ(d.firstBit, covered);
          covered += d.bits;
        }
        EXPECT_EQ(covered, bits);
        std::size_t inputs = tree.digits.size();
        for (const auto &level : tree.levels) {
          for (std::size_t p = 0; p < level.products.size(); ++p) {
            EXPECT_LT(level.products[p].rest, level.wires + static_cast<int>(p));
            EXPECT_LT(level.products[p].last, level.wires);
          }
          EXPECT_EQ(static_cast<std::size_t>(level.groups.back().first + level.groups.back().size), inputs);
          inputs = level.groups.size();
        }
        EXPECT_EQ(inputs, 1u);
      }
}

} // namespace
} // namespace sd
