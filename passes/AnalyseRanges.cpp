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
void tightenBounds(Module &module, const ColumnRanges &columns) {
  for (bool changed = true; changed;) {
    changed = false;
    std::vector<std::pair<std::size_t, std::int64_t>> bounds;
    walkIntervals(
        module, Knowledge::Public,
        [&](std::size_t i, double magnitude) {
          const Op &op = module.ops[i];
          if (!op.attrs.has(Attr::Bound)) return;
          if (const auto bound = publicBound(module, op, magnitude); bound < op.attrs.i(Attr::Bound))
            bounds.emplace_back(i, bound);
        },
        columns);
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

// In one run of the module: its batch.
std::int64_t recordsOf(const std::map<std::string, Tensor<float>> &run) {
  const Shape &shape = run.begin()->second.shape;
  return shape.empty() ? 1 : shape[0];
}

// The largest values over the calibration records.
Expected<void> measure(const Module &module, PassContext &context, std::vector<std::optional<RangeFact>> &facts) {
  if (context.options.calibration.empty()) return {};
  SD_ASSIGN(const Interpreter interpreter, Interpreter::create(viewOf(module)));
  InterpreterOptions options;
  options.observe = true;
  std::size_t done = 0;
  for (auto &record : context.options.calibration) {
    if (context.options.progress) context.options.progress(done++, context.options.calibration.size());
    SD_ASSIGN(const RunResult result, interpreter.run(record, options));
    for (auto &observation : result.observations)
      note(facts[observation.op], observation.largest);
    context.recordsMeasured += recordsOf(record);
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

// Without a declared range nothing is proved.
std::string undeclaredInputs(const Module &module) {
  std::vector<std::string> names;
  for (auto &op : module.ops)
    if (op.kind == OpKind::Input && !op.attrs.has(Attr::Low)) names.push_back("'" + op.attrs.str(Attr::Name) + "'");
  if (names.empty()) return "";
  return fmt::format("the range of input {} is not declared, without which nothing is proved: --input-range LO,HI",
                     fmt::join(names, ", "));
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

Expected<void> judgeMeasured(const RangeFact &fact, PassContext &context) {
  if (fact.measured > fact.limit)
    return fail("{}: a calibration record gives |y| = 2^{:.1f}, above the limit of 2^{:.1f} (as a real: {:.4g})",
                fact.where, bits(fact.measured), bits(fact.limit), std::ldexp(fact.limit, -fact.scale));
  if (fact.measured * 2 > fact.limit)
    context.warnings.push_back(
        fmt::format("{}: on the calibration records |y| reaches 2^{:.2f}, less than one bit below the limit of "
                    "2^{:.1f}",
                    fact.where, bits(fact.measured), bits(fact.limit)));
  return {};
}

// Measured on too few records to count.
std::string describeFew(const std::vector<RangeFact> &few, const PassContext &context) {
  const auto least = std::ranges::min_element(few, {}, &RangeFact::margin);
  return fmt::format(
      "{} not proved, and {} measured on {} {} alone, fewer than {} (--min-records): others may give larger "
      "values. The smallest margin is {:.1f} bits, of {}",
      few.size() == 1 ? "1 range is" : fmt::format("{} ranges are", few.size()), few.size() == 1 ? "was" : "were",
      context.recordsMeasured, context.recordsMeasured == 1 ? "record" : "records", context.options.minRecords,
      least->margin(), least->where);
}

Expected<void> judge(const Module &module, PassContext &context) {
  std::vector<RangeFact> unknown, few;
  for (auto &fact : context.ranges) {
    if (fact.proved <= fact.limit) {
      fact.basis = RangeFact::Basis::Proved;
      continue;
    }
    if (fact.wasMeasured) {
      fact.basis = RangeFact::Basis::Measured;
      SD_TRY(judgeMeasured(fact, context));
      if (context.recordsMeasured < context.options.minRecords) few.push_back(fact);
    }
    if (!fact.wasMeasured || context.options.ranges == RangePolicy::Require) unknown.push_back(fact);
  }
  std::vector<std::string> complaints;
  for (auto &fact : worstOfEach(unknown))
    complaints.push_back(describeUnknown(fact));
  if (!few.empty() && context.options.ranges != RangePolicy::Require)
    complaints.push_back(describeFew(worstOfEach(few), context));
  if (complaints.empty()) return {};
  if (const std::string undeclared = undeclaredInputs(module); !undeclared.empty()) complaints.push_back(undeclared);
  if (context.options.ranges != RangePolicy::Warn) return fail("{}", fmt::join(complaints, "\n"));
  context.warnings.insert(context.warnings.end(), complaints.begin(), complaints.end());
  return {};
}

// The hospital refuses what is beyond an input's bound, whatever range is declared.
void warnOfInputs(const Module &module, PassContext &context) {
  const auto definitions = definitionsOf(module);
  for (auto &op : module.ops) {
    if (op.kind != OpKind::ShareInput) continue;
    const Op &input = module.ops[definitions[op.operands[0]]];
    if (input.kind != OpKind::Input || !input.attrs.has(Attr::Low)) continue;
    const double most = std::max(std::abs(input.attrs.f(Attr::Low)), std::abs(input.attrs.f(Attr::High)));
    const auto bound = static_cast<int>(op.attrs.i(Attr::Bound, module.ringBits - 2));
    const int scale = module.type(op.result).scale;
    if (std::ldexp(most, scale) >= std::ldexp(1.0, bound))
      context.warnings.push_back(
          fmt::format("input '{}': values of {:g} and more, which its range admits, are refused at "
                      "run time: at scale 2^{} they are not below the bound 2^{}",
                      input.attrs.str(Attr::Name), std::ldexp(1.0, bound - scale), scale, bound));
  }
}

} // namespace

Expected<Module> analyseRanges(const Module &module, PassContext &context) {
  Module result = module;
  const ColumnRanges &columns = context.options.columnRanges;
  tightenBounds(result, columns);

  std::vector<std::optional<RangeFact>> facts(result.ops.size());
  walkIntervals(
      result, Knowledge::Weights,
      [&](std::size_t i, double magnitude) {
        const Op &op = result.ops[i];
        RangeFact fact;
        fact.where = describe(op);
        fact.limit = limitOf(op, result.ringBits);
        fact.proved = magnitude;
        fact.scale = result.type(op.operands[0]).scale;
        facts[i] = fact;
      },
      columns);
  context.recordsMeasured = 0;
  SD_TRY(measure(result, context, facts));
  context.ranges.clear();
  for (auto &fact : facts)
    if (fact) context.ranges.push_back(*fact);
  SD_TRY(judge(result, context));
  warnOfInputs(result, context);
  return result;
}

} // namespace sd
