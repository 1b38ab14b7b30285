#include "ir/bytecode/Prediction.h"

#include <gtest/gtest.h>

#include "test/unit/bytecode/Samples.h"

namespace sd {
namespace {

NetworkProfile network(double roundTripSeconds, double bitsPerSecond) {
  return {.roundTripSeconds = roundTripSeconds, .bitsPerSecond = bitsPerSecond};
}

Prediction predicted(const Program &program, const NetworkProfile &profile) {
  return predict(program, *costOf(program), profile);
}

TEST(PredictionTest, TotalsAreTheSumsOfTheirParts) {
  for (const Sample &sample : {tinyMlp(), branches(), smallest()})
    for (const NetworkProfile &profile : {NetworkProfile::lan(), NetworkProfile::wan(), network(0, 1e12)}) {
      const Prediction prediction = predicted(sample.program, profile);
      ASSERT_EQ(prediction.instructions.size(), sample.program.instructions.size());
      Seconds sum{0, prediction.sharedOffline};
      for (const Seconds &each : prediction.instructions) {
        EXPECT_GE(each.online, 0);
        EXPECT_GE(each.offline, 0);
        sum.online += each.online;
        sum.offline += each.offline;
      }
      EXPECT_NEAR(prediction.online, sum.online, 1e-12);
      EXPECT_NEAR(prediction.offline, sum.offline, 1e-12);
      EXPECT_GT(prediction.online, 0);
    }
}

TEST(PredictionTest, SlowerLinksTakeLonger) {
  for (const Sample &sample : {tinyMlp(), branches()}) {
    Prediction before = predicted(sample.program, network(0, 1e10));
    for (const NetworkProfile &profile :
         {network(0.001, 1e10), network(0.001, 1e7), network(0.1, 1e7), network(0.1, 1e5)}) {
      const Prediction now = predicted(sample.program, profile);
      EXPECT_GT(now.online, before.online);
      EXPECT_GT(now.offline, before.offline);
      EXPECT_GE(now.setUp, before.setUp);
      before = now;
    }
  }
}

// On a link where nothing else counts: half a round trip a message, as the parties speak in turn.
TEST(PredictionTest, LatencyIsThatOfTheMessages) {
  const Program program = tinyMlp().program;
  const ProgramCost cost = *costOf(program);
  const Prediction prediction = predicted(program, network(100, 1e12));
  EXPECT_NEAR(prediction.online, 100 * 0.5 * static_cast<double>(cost.messages[0] + cost.messages[1]), 1);
  // One for both linear layers; then P1, P0 and P1 about the comparison, whose tree multiplies three masks, and P0's
  // word that it is ready.
  EXPECT_NEAR(prediction.offline, 100 * (1 + 0.5 * 4), 1);
}

// On a link without latency, where work does not count: the bytes.
TEST(PredictionTest, ThinLinksCountBytes) {
  const Program program = tinyMlp().program;
  const ProgramCost cost = *costOf(program);
  const double bits = 1e3;
  EXPECT_NEAR(predicted(program, network(0, bits)).online, 8 * static_cast<double>(cost.totalOnlineBytes()) / bits,
              0.01);
  EXPECT_GT(predicted(program, network(0, bits)).offline, 8 * static_cast<double>(cost.offline.bytes[1]) / bits);
}

} // namespace
} // namespace sd
