// By estimated time: the tree of each comparison, and how many bytes of ciphertexts the work on a polynomial is
// worth in the packing of the linear layers.
#include <limits>

#include "ir/core/LinearEstimate.h"
#include "ir/core/ScheduleAttr.h"
#include "ir/core/ScheduleChoice.h"
#include "passes/Linear.h"
#include "passes/Pass.h"
#include "passes/Rewrite.h"

namespace sd {

namespace {

// What a round trip that is made ahead counts beside one that a record waits for: of equals, less online.
constexpr double kPrepared = 0.9;

struct Comparison {
  CompareShape shape;
  std::uint64_t elements = 0;
};

// Each alone takes its best, but for the round trips of the offline phase: it has as many as the longest schedule.
std::vector<CompareSchedule> chooseComparisons(int ringBits, std::span<const Comparison> comparisons,
                                               const NetworkProfile &network) {
  ScheduleChooser chooser(ringBits, network);
  std::vector<CompareSchedule> best;
  double least = std::numeric_limits<double>::infinity();
  for (int messages = 1; messages <= kMostOfflineMessages; messages += 2) {
    std::vector<CompareSchedule> schedules;
    double seconds = kPrepared * messages * network.roundTripSeconds / 2;
    for (const auto &[shape, elements] : comparisons) {
      const ScheduleCost *own = chooser.best(shape, elements, messages);
      if (!own) break;
      schedules.push_back(own->schedule);
      seconds += estimateSeconds(own->cost, elements, network);
    }
    if (schedules.size() < comparisons.size() || seconds >= least) continue;
    least = seconds;
    best = std::move(schedules);
  }
  return best;
}

// A truncation by no bits has nothing to compare; codegen refuses it.
bool isScheduled(const Op &op) {
  return compares(op.kind) && (op.kind != OpKind::ShareTruncate || op.attrs.i(Attr::Bits) > 0);
}

} // namespace

Expected<Module> chooseSchedules(const Module &module, PassContext &context) {
  const NetworkProfile &network = context.options.network;
  std::vector<Comparison> comparisons;
  std::vector<LinearGeometry> layers;
  for (auto &op : module.ops) {
    if (isScheduled(op))
      comparisons.push_back(
          {compareShape(op.kind, op.attrs), static_cast<std::uint64_t>(elementCount(module.type(op.result).shape))});
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
    if (isScheduled(op)) attrs.set(Attr::Schedule, toIntegers(*schedule++));
    if (isPacked(op.kind)) {
      attrs.erase(Attr::Balance);
      if (balance != kDefaultBalance) attrs.set(Attr::Balance, balance);
    }
    rewriter.clone(op, std::move(attrs));
  }
  return rewriter.finish();
}

} // namespace sd
