// Plans make what was asked for, from every state, and cost no more than the simplest one.
#include "runtime/ot/CotPlan.h"

#include <gtest/gtest.h>

#include "ir/bytecode/Prediction.h"
#include "runtime/ot/SoftSpoken.h"

namespace sd {
namespace {

// Walks a plan as the engine does; the OTs that reach the caller.
std::uint64_t made(const CotPlan &plan, CotState state) {
  std::uint64_t forCaller = 0, pooled = 0, used = 0;
  for (const CotStep &step : plan.steps) {
    if (step.kind == CotStep::SoftSpoken) {
      EXPECT_EQ(step.count % kSoftSpokenUnit, 0u);
      EXPECT_EQ(state.set, -1);
      (step.forTable ? pooled : forCaller) += step.count;
    } else if (step.kind == CotStep::Load) {
      const LpnParameters &set = kLpnSets[step.set];
      EXPECT_EQ(step.count, set.inputs());
      EXPECT_GE(pooled, step.count);
      EXPECT_GT(step.set, state.set);
      state = {step.set, static_cast<std::uint64_t>(set.freeTrees()), 0};
      pooled = 0;
    } else if (step.kind == CotStep::Refill) {
      const LpnParameters &set = kLpnSets[step.set];
      EXPECT_EQ(state.freeTrees, 0u);
      EXPECT_EQ(step.set, state.set);
      EXPECT_GE(step.count << set.depth, set.inputs());
      state.freeTrees = static_cast<std::uint64_t>(set.freeTrees());
    } else {
      EXPECT_EQ(step.set, state.set);
      EXPECT_LE(step.count, state.freeTrees);
      state.freeTrees -= step.count;
      (step.forTable ? pooled : forCaller) += step.count << kLpnSets[step.set].depth;
    }
    used += step.count;
  }
  EXPECT_EQ(pooled, 0u);
  EXPECT_EQ(state.set, plan.after.set);
  EXPECT_EQ(state.freeTrees, plan.after.freeTrees);
  return forCaller;
}

TEST(CotPlan, MakesWhatWasAskedForFromEveryState) {
  for (int set = -1; set < static_cast<int>(kLpnSets.size()); ++set)
    for (std::uint64_t freeTrees : {0, 1, 300})
      for (std::uint64_t n : {1u, 511u, 513u, 70'000u, 100'000u, 1'000'000u, 7'000'000u, 40'000'000u}) {
        const CotState state{set, set < 0 ? 0 : freeTrees, 0};
        const CotPlan plan = planCots(state, n);
        EXPECT_EQ(made(plan, state), n + plan.after.buffered) << set << ' ' << n;
      }
  EXPECT_TRUE(planCots({}, 0).steps.empty());
}

TEST(CotPlan, SizeDecides) {
  EXPECT_EQ(planCots({}, 10'000).after.set, -1); // no silent set-up for a small job
  EXPECT_GE(planCots({}, 300'000).after.set, 0);
  // Large jobs: at most 0.42 bits an OT, set-up left out (the goal is 0.5).
  const CotPlan large = planCots(planCots({}, 6'000'000).after, 30'000'000);
  EXPECT_LE(8.0 * static_cast<double>(costOf(large).bytes()) / 30e6, 0.42);
  // Set-up and a first million in all: 3 MB is the goal.
  EXPECT_LE(cotSetupCost().bytes() + costOf(planCots({}, 1'000'000)).bytes(), 500'000u);
}

TEST(CotPlan, CostGrowsWithSize) {
  std::uint64_t last = 0;
  for (std::uint64_t n = 1; n < 50'000'000; n = n * 5 / 4 + 1) {
    const CotCost cost = costOf(planCots({}, n));
    const std::uint64_t weight = cost.nanoseconds + 150 * cost.bytes();
    EXPECT_GE(weight, last) << n;
    last = weight;
  }
}

// Predictions of time know the extension by a few figures.
TEST(CotPlan, CostsAboutWhatIsPredicted) {
  for (const std::uint64_t ots : {1'000, 40'000, 150'000, 600'000, 1'500'000, 7'000'000}) {
    constexpr int kInferences = 40;
    CotState state;
    CotCost steady;
    for (int i = 0; i < kInferences; ++i) {
      if (ots <= state.buffered) {
        state.buffered -= ots;
        continue;
      }
      const CotPlan plan = planCots(state, ots - state.buffered);
      if (i > 0) steady += costOf(plan);
      state = plan.after;
    }
    const ExtensionCost predicted = extensionCost(ots);
    const double bits = 8 * static_cast<double>(steady.bytes()) / static_cast<double>(ots * (kInferences - 1));
    EXPECT_NEAR(predicted.bitsFromReceiver + predicted.bitsFromSender, bits, 0.25 * bits) << ots << " OTs";
    EXPECT_EQ(predicted.silent, state.set >= 0) << ots << " OTs";
  }
}

} // namespace
} // namespace sd
