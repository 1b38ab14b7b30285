#include "ir/bytecode/ProgramCost.h"

#include <gmock/gmock.h>

#include "ir/core/ProtocolCost.h"
#include "test/unit/bytecode/Samples.h"

namespace sd {
namespace {

// By hand, from the message chart of a comparison of 20 and 10 bits in two levels.
TEST(ProgramCostTest, CountsAnMlpToTheByte) {
  const ProgramCost cost = *costOf(tinyMlp().program);
  const ProtocolCost relu = compareCost(32, standardShape(10, 30));
  ASSERT_EQ(relu.messages(), 4);
  // input 2 x 4 bytes from P1; the ReLU's three elements, each message padded once; output 2 x 4 bytes from P0.
  std::uint64_t fromP0 = 8 + 8, fromP1 = 8 + 8;
  for (int k = 0; k < 4; ++k)
    (k % 2 ? fromP1 : fromP0) += 8 + (3 * relu.messageBits[k] + 7) / 8;
  EXPECT_EQ(cost.onlineBytes, (ByParty{fromP0, fromP1}));
  EXPECT_EQ(cost.messages, (ByParty{3, 3}));
  EXPECT_EQ(cost.roundTrips, 3u);
  EXPECT_EQ(cost.multiplyAdds, 2u * 3 + 3 * 2);
  EXPECT_EQ(cost.comparisons, 3u);
  EXPECT_EQ(cost.offline.ots, 3u * relu.ots);
  EXPECT_EQ(cost.offline.reverseOts, 3u + 32 * (2 + 3)); // the layers are small: by OT, one a bit of each input
  EXPECT_EQ(cost.offline.linearProducts, 0u);
  EXPECT_EQ(cost.weightBytes, 4u * (6 + 3 + 6));
}

TEST(ProgramCostTest, OpsOfOneGroupShareItsMessages) {
  const ProgramCost cost = *costOf(branches().program);
  const ProtocolCost relu = compareCost(32, standardShape(0, 20)),
                     truncation = compareCost(32, standardShape(4, 30, false));
  const GroupCost &shared = cost.groups[3];
  EXPECT_EQ(shared.messages, (ByParty{2, 2}));
  EXPECT_EQ(shared.onlineBytes[0], 2 * relu.onlineBytes(0, 4) + truncation.onlineBytes(0, 4) + 2 * 8);
  EXPECT_EQ(shared.onlineBytes[1], 2 * relu.onlineBytes(1, 4) + truncation.onlineBytes(1, 4) + 2 * 8);
}

TEST(ProgramCostTest, TotalsAreTheSumsOfTheirParts) {
  for (const Sample &sample : {tinyMlp(), branches()}) {
    const ProgramCost cost = *costOf(sample.program);
    ByParty payload{}, total{};
    OfflineCost offline;
    for (const auto &instruction : cost.instructions) {
      for (int party : {0, 1})
        payload[party] += instruction.onlineBytes[party];
      offline += instruction.offline;
    }
    for (int party : {0, 1})
      total[party] = payload[party] + 8 * cost.messages[party];
    EXPECT_EQ(cost.onlineBytes, total);
    EXPECT_EQ(cost.offline.bytes, offline.bytes);
    EXPECT_EQ(cost.offline.ots, offline.ots);
    EXPECT_GT(cost.offline.totalBytes(), 0u);
  }
}

TEST(ProgramCostTest, RefusesALayerTooLargeToPlan) {
  Program program = tinyMlp().program;
  program.slots[6].shape = {1 << 28, 2}; // the matrix product's operand and its result
  program.slots[7].shape = {1 << 28, 3};
  const auto cost = costOf(program);
  ASSERT_FALSE(cost);
  EXPECT_THAT(cost.error().message, testing::HasSubstr("Gemm_1: a linear layer"));
}

} // namespace
} // namespace sd
