#include "compiler/ErrorEstimate.h"

#include <algorithm>

#include "compiler/Advice.h"
#include "compiler/Compile.h"
#include "compiler/ErrorSource.h"
#include "compiler/Pipeline.h"

namespace sd {

namespace {

constexpr double kRecords = 200, kMostWork = 2e8;        // multiply-adds of all records: below a second
constexpr double kMostWorkOfOne = 1e9;                   // of a single one: seconds
constexpr double kManyRecords = 1000, kLittleWork = 2e7; // so that large errors which are rare are among them
constexpr double kWorkOfOp = 2000;                       // as much time as so many multiply-adds
constexpr double kMostWeights = 5e6;                     // both forms of the model are in memory
constexpr std::size_t kGroup = 24;                       // records that an output's range is of
constexpr std::size_t kUniformPerSmooth = 4;             // smooth ones are for what uniform ones never reach

double weightsOf(const Module &imported) {
  double count = 0;
  for (auto &op : imported.ops)
    if (op.kind == OpKind::Constant) count += static_cast<double>(elementCount(imported.type(op.result).shape));
  return count;
}

double workOfRecord(const Module &imported, const Module &lowered) {
  return workOf(imported) + kWorkOfOp * static_cast<double>(lowered.ops.size());
}

} // namespace

std::string whyNotEstimated(const Module &imported, const Module &lowered) {
  if (const double weights = weightsOf(imported); weights > kMostWeights)
    return fmt::format("it has {:.2g} weights", weights);
  if (const double work = workOfRecord(imported, lowered); work > kMostWorkOfOne)
    return fmt::format("a record takes {:.2g} multiply-adds", work);
  return {};
}

std::optional<ErrorEstimate> estimateError(const Module &imported, const Module &lowered, const PassContext &context) {
  if (!whyNotEstimated(imported, lowered).empty()) return std::nullopt;
  const double work = workOfRecord(imported, lowered);
  const auto count = static_cast<std::size_t>(
      std::max({std::min(kRecords, kMostWork / work), std::min(kManyRecords, kLittleWork / work), 1.0}));
  Declared declared = declareMissing(imported, {});
  ErrorEstimate estimate;
  estimate.assumed = std::move(declared.flags);
  std::optional<Module> scores; // a class says nothing of errors: the same program with its scores
  if (context.options.revealClass) {
    PassContext opening;
    opening.options = context.options;
    opening.options.revealClass = false;
    opening.options.ranges = RangePolicy::Warn;
    auto module = lower(imported, {defaultPipeline(), {}}, opening);
    if (!module) return std::nullopt;
    scores = *std::move(module);
  }
  for (const RecordKind kind : {RecordKind::Uniform, RecordKind::Smooth}) {
    const std::size_t own = kind == RecordKind::Uniform ? count : (count + kUniformPerSmooth - 1) / kUniformPerSmooth;
    auto records = randomRecords(declared.module, context.options.columnRanges, own, kind);
    auto comparison = compare(imported, scores ? *scores : lowered, records,
                              {.thresholds = &context.options.thresholds, .group = kGroup});
    if (!comparison && kind == RecordKind::Uniform) return std::nullopt; // such as beyond the bound: said elsewhere
    if (!comparison || (kind != RecordKind::Uniform && comparison->rangeError <= estimate.comparison.rangeError))
      continue;
    estimate.records = std::move(records);
    estimate.kind = kind;
    estimate.comparison = *std::move(comparison);
  }
  return estimate;
}

std::string describeRecords(const ErrorEstimate &estimate) {
  const std::size_t count = estimate.records.size();
  const std::string_view kind = estimate.kind == RecordKind::Smooth ? "smooth " : "";
  return fmt::format("on {} {}random record{} of {}", count, kind, count == 1 ? "" : "s",
                     estimate.assumed.empty() ? "the declared range"
                                              : fmt::format("{} (none is declared)", fmt::join(estimate.assumed, " ")));
}

std::string describeError(const ErrorEstimate &estimate, const Module &imported, const Module &lowered,
                          const PassContext &context) {
  const OutputError &worst = estimate.comparison.worst;
  const std::string source = sourceOfError({imported, lowered, context, estimate.records, estimate.comparison});
  return fmt::format("fixed point may be off by more than 1 % of an output's range: {}, by {:.2g} %. "
                     "There output '{}' lies between {:.4g} and {:.4g}, and is off by {:.2g} at most{}",
                     describeRecords(estimate), 100 * estimate.comparison.rangeError, worst.name, worst.low, worst.high,
                     worst.error, source.empty() ? "" : fmt::format("; most of it comes from {}", source));
}

} // namespace sd
