// Bounds in two steps. First the public ones: behind a truncation by t bits of |y| <= 2^k - 2^t every value is below
// 2^(k-t), whatever the weights, so comparisons there get narrower. Then the promises: proved by intervals over the
// weights and the declared input range, or measured on calibration records, or warned about, or refused. What the
// weights prove never changes the program: it would tell about them.
#include <algorithm>
#include <cmath>
#include <map>

#include "ir/Run.h"
#include "passes/Intervals.h"
#include "passes/Pass.h"
#include "passes/Rewrite.h"

namespace sd {

namespace {

// The least k with `magnitude` within the op's limit at bound k, or the op's own.
std::int64_t publicBound(const Module &module, const Op &op, double magnitude) {
  Op trial = op;
  const std::int64_t own = op.attrs.i(Attr::Bound);
  for (std::int64_t k = op.attrs.i(Attr::Bits, 0) + 1; k < own; ++k) {
    trial.attrs.set(Attr::Bound, k);
    if (magnitude <= limitOf(trial, module.ringBits)) return k;
  }
  return own;
}

// A smaller bound narrows what follows: walks until nothing changes.
void tightenBounds(Module &module) {
  for (bool changed = true; changed;) {
    changed = false;
    std::vector<std::pair<std::size_t, std::int64_t>> bounds;
    walkIntervals(module, Knowledge::Public, [&](std::size_t i, double magnitude) {
      const Op &op = module.ops[i];
      if (!op.attrs.has(Attr::Bound)) return;
      if (const auto bound = publicBound(module, op, magnitude); bound < op.attrs.i(Attr::Bound))
        bounds.emplace_back(i, bound);
    });
    for (auto &[i, bound] : bounds) {
      module.ops[i].attrs.set(Attr::Bound, bound);
      changed = true;
    }
  }
}

void note(std::optional<RangeFact> &fact, double magnitude) {
  if (!fact) return;
  fact->measured = std::max(fact->measured, magnitude);
  fact->wasMeasured = true;
}

// The largest values over the calibration records.
Expected<void> measure(const Module &module, PassContext &context, std::vector<std::optional<RangeFact>> &facts) {
  if (context.options.calibration.empty()) return {};
  SD_ASSIGN(const Interpreter interpreter, Interpreter::create(viewOf(module)));
  InterpreterOptions options;
  options.observe = true;
  for (auto &record : context.options.calibration) {
    SD_ASSIGN(const RunResult result, interpreter.run(record, options));
    for (auto &observation : result.observations)
      note(facts[observation.op], observation.largest);
  }
  return {};
}

double bits(double magnitude) { return std::log2(std::max(magnitude, 1.0)); }

std::string describeUnknown(const RangeFact &fact) {
  return fmt::format(
      "{}: |y| is only known to be below 2^{:.1f}, and 2^{:.1f} is the limit (as a real: {:.4g}); a larger "
      "value would give a wrong result",
      fact.where, bits(fact.proved), bits(fact.limit), std::ldexp(fact.limit, -fact.scale));
}

// Flags that leave larger values room, if there are any.
std::string moreRoom(const Module &module, const PassOptions &options) {
  if (const int k = boundBitsOf(module, options); k < module.ringBits - 2)
    return fmt::format("a --bound above {}, up to {}", k, module.ringBits - 2);
  return module.ringBits == kBitsOf<Ring32> ? "--ring 64" : "";
}

std::string waysOut(const Module &module, const PassOptions &options) {
  std::string ways;
  for (auto &op : module.ops)
    if (op.kind == OpKind::Input && !op.attrs.has(Attr::Low) && ways.empty())
      ways = fmt::format("--input-range LO,HI (the range of input '{}' is not declared), a smaller --scale, or "
                         "--calibrate X.npy to measure the values on records",
                         op.attrs.str(Attr::Name));
  if (ways.empty())
    ways = "a smaller --scale, a tighter --input-range LO,HI, or --calibrate X.npy to measure the values on records";
  const std::string room = moreRoom(module, options);
  return room.empty() ? ways : ways + "; and where the values need it, " + room;
}

// One op of the model may have become many, such as the maxima of a pool: the worst stands for all.
std::vector<RangeFact> worstOfEach(const std::vector<RangeFact> &facts) {
  std::vector<RangeFact> worst;
  std::map<std::string_view, std::size_t> known; // by `where` of the given facts: the index in `worst`
  for (auto &fact : facts) {
    const auto [found, isNew] = known.try_emplace(fact.where, worst.size());
    if (isNew)
      worst.push_back(fact);
    else if (auto &other = worst[found->second]; fact.proved / fact.limit > other.proved / other.limit)
      other = fact;
  }
  return worst;
}

Expected<void> judgeMeasured(const RangeFact &fact, const std::string &room, PassContext &context) {
  if (fact.measured > fact.limit)
    return fail("{}: a calibration record gives |y| = 2^{:.1f}, above the limit of 2^{:.1f} (as a real: {:.4g}); "
                "compile with a smaller --scale{}",
                fact.where, bits(fact.measured), bits(fact.limit), std::ldexp(fact.limit, -fact.scale),
                room.empty() ? "" : ", or with " + room);
  if (fact.measured * 2 > fact.limit)
    context.warnings.push_back(
        fmt::format("{}: on the calibration records |y| reaches 2^{:.2f}, less than one bit below the limit of "
                    "2^{:.1f}; consider a smaller --scale",
                    fact.where, bits(fact.measured), bits(fact.limit)));
  return {};
}

Expected<void> judge(const Module &module, PassContext &context) {
  std::vector<RangeFact> unknown;
  for (auto &fact : context.ranges) {
    if (fact.proved <= fact.limit) {
      fact.basis = RangeFact::Basis::Proved;
    } else if (fact.wasMeasured) {
      fact.basis = RangeFact::Basis::Measured;
      SD_TRY(judgeMeasured(fact, moreRoom(module, context.options), context));
    } else {
      unknown.push_back(fact);
    }
  }
  if (unknown.empty()) return {};
  std::string refusal;
  for (auto &fact : worstOfEach(unknown)) {
    refusal += describeUnknown(fact) + "\n";
    if (context.options.ranges == RangePolicy::Warn) context.warnings.push_back(describeUnknown(fact));
  }
  if (context.options.ranges == RangePolicy::Require)
    return fail("{}Ways out: {}", refusal, waysOut(module, context.options));
  context.warnings.push_back("ways out: " + waysOut(module, context.options));
  return {};
}

} // namespace

Expected<Module> analyseRanges(const Module &module, PassContext &context) {
  Module result = module;
  tightenBounds(result);

  std::vector<std::optional<RangeFact>> facts(result.ops.size());
  walkIntervals(result, Knowledge::Weights, [&](std::size_t i, double magnitude) {
    const Op &op = result.ops[i];
    RangeFact fact;
    fact.where = describe(op);
    fact.limit = limitOf(op, result.ringBits);
    fact.proved = magnitude;
    fact.scale = result.type(op.operands[0]).scale;
    facts[i] = fact;
  });
  SD_TRY(measure(result, context, facts));
  context.ranges.clear();
  for (auto &fact : facts)
    if (fact) context.ranges.push_back(*fact);
  SD_TRY(judge(result, context));
  return result;
}

} // namespace sd
