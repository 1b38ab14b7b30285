#include "tools/ProgressText.h"

#include <gtest/gtest.h>

namespace sd {
namespace {

ProgressState state(std::uint64_t done, std::uint64_t all, double elapsed, double firstDone = 0) {
  ProgressState result;
  result.task = "run";
  result.done = done, result.all = all, result.elapsed = elapsed, result.firstDone = firstDone;
  return result;
}

TEST(ProgressText, CountsRateAndRest) {
  EXPECT_EQ(progressLine(state(12, 100, 3)), "run: 12 of 100 records, 3.7 records/s, 24 s left");
  EXPECT_EQ(progressLine(state(100, 100, 1)), "run: 100 of 100 records, 99 records/s, 0 s left");
  EXPECT_EQ(progressLine(state(1, 1, 90)), "run: 1 of 1 record, 1 min 30 s a record, 0 s left");
}

TEST(ProgressText, SetUpIsNotCountedTwice) {
  // The first took 30 s, session and all; the nine after it 1 s each.
  EXPECT_EQ(progressLine(state(10, 20, 39, 30)), "run: 10 of 20 records, 1.0 records/s, 10 s left");
}

TEST(ProgressText, BeforeTheFirstThePredictionTells) {
  ProgressState begun = state(0, 4, 5);
  EXPECT_EQ(progressLine(begun), "run: 0 of 4 records, 5 s so far");
  begun.predicted = 65;
  EXPECT_EQ(progressLine(begun), "run: 0 of 4 records, about 1 min 0 s left");
  begun.elapsed = 70; // longer than predicted: no promise
  EXPECT_EQ(progressLine(begun), "run: 0 of 4 records, 1 min 10 s so far");
}

TEST(ProgressText, WithoutACountTimeGoesOn) {
  ProgressState passes = state(0, 0, 35);
  passes.what = "pass 3 of 9, quantize";
  EXPECT_EQ(progressLine(passes), "run: 35 s so far: pass 3 of 9, quantize");
  ProgressState open = state(7, 0, 14);
  EXPECT_EQ(progressLine(open), "run: 7 records, 2.3 s a record, 14 s so far");
}

TEST(ProgressText, BarsFitTheTerminal) {
  ProgressState half = state(50, 100, 10);
  half.isAbout = true;
  EXPECT_EQ(progressBar(half, 200),
            "run [############............] 50 of about 100 records, 4.9 records/s, about 11 s left");
  EXPECT_EQ(progressBar(half, 40).size(), 40U);
  EXPECT_NE(progressBar(state(300, 100, 1), 200).find("[########################]"), std::string::npos);
}

TEST(ProgressText, Durations) {
  EXPECT_EQ(durationText(0), "0 s");
  EXPECT_EQ(durationText(59.2), "1 min 0 s");
  EXPECT_EQ(durationText(3600), "1 h 0 min");
  EXPECT_EQ(durationText(7500), "2 h 5 min");
  EXPECT_EQ(durationText(1e300), durationText(1e9));
}

} // namespace
} // namespace sd
