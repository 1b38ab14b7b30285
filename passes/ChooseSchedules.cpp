// By estimated time: digit and radix of each comparison, and how many bytes of ciphertexts the work on a polynomial is
// worth in the packing of the linear layers.
#include <limits>
#include <map>

#include "ir/core/LinearEstimate.h"
#include "passes/Pass.h"
#include "passes/Rewrite.h"

namespace sd {

namespace {

bool compares(const Op &op) { return op.kind == OpKind::ShareRelu || op.kind == OpKind::ShareMax; }

// Larger layers are refused later; their geometry is not worth its memory.
constexpr std::int64_t kMostPackedElements = std::int64_t{1} << 27;

// What a round trip that is made ahead counts beside one that a record waits for: of equals, less online.
constexpr double kPrepared = 0.9;

struct Comparison {
  int truncation = 0, bound = 0;
  std::uint64_t elements = 0;
  auto operator<=>(const Comparison &) const = default;
};

// Each alone takes its best, but for the round trips of the offline phase: it has as many as the longest schedule.
std::vector<CompareSchedule> chooseComparisons(int ringBits, std::span<const Comparison> comparisons,
                                               const NetworkProfile &network) {
  std::vector<CompareSchedule> best;
  double least = std::numeric_limits<double>::infinity();
  for (int messages = 1; messages <= kMostOfflineMessages; messages += 2) {
    std::vector<CompareSchedule> schedules;
    double seconds = kPrepared * messages * network.roundTripSeconds / 2;
    std::map<Comparison, std::pair<CompareSchedule, double>> known; // many are alike
    for (const Comparison &each : comparisons) {
      const auto [found, isNew] = known.try_emplace(each);
      auto &[schedule, own] = found->second;
      if (isNew) {
        const auto &[truncation, bound, elements] = each;
        schedule = bestSchedule(ringBits, truncation, bound, elements, network, messages);
        own = estimateSeconds(compareCost(ringBits, {truncation, bound, schedule}), elements, network);
      }
      schedules.push_back(schedule);
      seconds += own;
    }
    if (seconds >= least) continue;
    least = seconds;
    best = std::move(schedules);
  }
  return best;
}

} // namespace

Expected<Module> chooseSchedules(const Module &module, PassContext &context) {
  const NetworkProfile &network = context.options.network;
  std::vector<Comparison> comparisons;
  std::vector<LinearGeometry> layers;
  for (auto &op : module.ops) {
    if (compares(op))
      comparisons.push_back({static_cast<int>(op.attrs.i(Attr::Bits, 0)), static_cast<int>(op.attrs.i(Attr::Bound)),
                             static_cast<std::uint64_t>(elementCount(module.type(op.result).shape))});
    if (!isPacked(op.kind)) continue;
    const Type operands[] = {module.type(op.operands[0]), module.type(op.operands[1])};
    const auto elements = std::max(elementCount(operands[0].shape), elementCount(module.type(op.result).shape));
    if (elements <= kMostPackedElements)
      layers.push_back(linearGeometry(op.kind, operands, op.attrs, module.type(op.result), module.ringBits));
  }
  const std::vector<CompareSchedule> schedules = chooseComparisons(module.ringBits, comparisons, network);
  const std::int64_t balance = bestBalance(std::move(layers), network);

  Rewriter rewriter(module);
  auto schedule = schedules.begin();
  for (auto &op : module.ops) {
    Attrs attrs = op.attrs;
    if (compares(op)) {
      attrs.set(Attr::Digit, std::int64_t{schedule->digit});
      attrs.set(Attr::Radix, std::int64_t{schedule->radix});
      ++schedule;
    }
    if (isPacked(op.kind)) {
      attrs.erase(Attr::Balance);
      if (balance != kDefaultBalance) attrs.set(Attr::Balance, balance);
    }
    rewriter.clone(op, std::move(attrs));
  }
  return rewriter.finish();
}

} // namespace sd
