#include "runtime/ot/CotPlan.h"

#include <algorithm>

#include "runtime/crypto/Block.h"
#include "runtime/net/Channel.h"
#include "runtime/ot/SoftSpoken.h"

namespace sd {
namespace {

// Measured on one 2.6 GHz core with AVX-512; only ratios matter, and both parties must use the same.
constexpr std::uint64_t kSoftSpokenPicoseconds = 60'000;                      // an OT
constexpr std::uint64_t kLeafPicoseconds[] = {9'000, 13'000, 18'000, 23'000}; // of each set
constexpr std::uint64_t kBaseTransferNanoseconds = 30'000'000;
constexpr std::uint64_t kNanosecondsPerByte = 150; // what a byte may cost to be saved: a link of 53 Mbit/s

std::uint64_t weigh(const CotCost &cost) { return cost.nanoseconds + kNanosecondsPerByte * cost.bytes(); }

CotCost costOfStep(const CotStep &step) {
  CotCost cost;
  if (step.kind == CotStep::SoftSpoken) {
    cost.messagesFromReceiver = softSpokenMessages(step.count);
    cost.bytesFromReceiver = softSpokenBytes(step.count) + kFrameHeaderBytes * cost.messagesFromReceiver;
    cost.nanoseconds = step.count * kSoftSpokenPicoseconds / 1000;
  } else if (step.kind == CotStep::Trees || step.kind == CotStep::Refill) {
    const LpnParameters &set = kLpnSets[step.set];
    cost.messagesFromSender = (step.count + treesPerMessage(set) - 1) / treesPerMessage(set);
    cost.bytesFromSender = step.count * set.depth * sizeof(Block) + kFrameHeaderBytes * cost.messagesFromSender;
    cost.nanoseconds = (step.count << set.depth) * kLeafPicoseconds[step.set] / 1000;
  }
  return cost;
}

// Appends what makes `n` OTs with the current extension.
void stay(CotPlan &plan, std::uint64_t n, bool forTable) {
  CotState &state = plan.after;
  if (state.set < 0) {
    const std::uint64_t count = (n + kSoftSpokenUnit - 1) / kSoftSpokenUnit * kSoftSpokenUnit;
    plan.steps.push_back({CotStep::SoftSpoken, forTable, -1, count});
    state.buffered = forTable ? 0 : count - n;
    return;
  }
  const LpnParameters &set = kLpnSets[state.set];
  std::uint64_t trees = (n + set.leaves() - 1) >> set.depth;
  state.buffered = forTable ? 0 : (trees << set.depth) - n;
  while (trees > 0) {
    if (state.freeTrees == 0) {
      plan.steps.push_back({CotStep::Refill, true, state.set, static_cast<std::uint64_t>(set.refillTrees())});
      state.freeTrees = static_cast<std::uint64_t>(set.freeTrees());
    }
    const std::uint64_t now = std::min(trees, state.freeTrees);
    plan.steps.push_back({CotStep::Trees, forTable, state.set, now});
    state.freeTrees -= now;
    trees -= now;
  }
}

// The cheapest continuation of `plan` that makes `n` OTs, moving to sets below `limit` on the way where that pays.
CotPlan cheapest(const CotPlan &plan, std::uint64_t n, bool forTable, int limit) {
  CotPlan best = plan;
  stay(best, n, forTable);
  std::uint64_t bestWeight = weigh(costOf(best));
  for (int next = plan.after.set + 1; next < limit; ++next) {
    const LpnParameters &set = kLpnSets[next];
    CotPlan moved = cheapest(plan, set.inputs(), true, next);
    moved.steps.push_back({CotStep::Load, true, next, set.inputs()});
    moved.after = {next, static_cast<std::uint64_t>(set.freeTrees()), 0};
    stay(moved, n, forTable);
    if (const std::uint64_t weight = weigh(costOf(moved)); weight < bestWeight) {
      best = std::move(moved);
      bestWeight = weight;
    }
  }
  return best;
}

} // namespace

CotCost &CotCost::operator+=(const CotCost &other) {
  bytesFromSender += other.bytesFromSender;
  bytesFromReceiver += other.bytesFromReceiver;
  messagesFromSender += other.messagesFromSender;
  messagesFromReceiver += other.messagesFromReceiver;
  nanoseconds += other.nanoseconds;
  return *this;
}

CotCost costOf(const CotPlan &plan) {
  CotCost total;
  for (const CotStep &step : plan.steps)
    total += costOfStep(step);
  return total;
}

CotPlan planCots(const CotState &state, std::uint64_t n) {
  CotPlan empty{{}, {state.set, state.freeTrees, 0}};
  if (n == 0) return empty;
  return cheapest(empty, n, false, static_cast<int>(kLpnSets.size()));
}

CotCost cotSetupCost() {
  // The receiver of the extension sends the base transfers' point and the trees' sums, its sender the keys.
  CotCost cost;
  cost.messagesFromReceiver = 2;
  cost.bytesFromReceiver = 32 + softSpokenSetupBytes() + 2 * kFrameHeaderBytes;
  cost.messagesFromSender = 1;
  cost.bytesFromSender = 64 * kBaseTransfers + kFrameHeaderBytes;
  cost.nanoseconds = kBaseTransferNanoseconds;
  return cost;
}

CotCost cotReverseSetupCost() {
  CotCost cost;
  cost.messagesFromReceiver = 1;
  cost.bytesFromReceiver = softSpokenSetupBytes() + kFrameHeaderBytes;
  cost.messagesFromSender = 1;
  cost.bytesFromSender = kBaseTransfers / 8 + kFrameHeaderBytes;
  return cost;
}

} // namespace sd
