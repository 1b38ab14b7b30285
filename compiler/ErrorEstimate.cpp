#include "compiler/ErrorEstimate.h"

#include <algorithm>

#include "compiler/Advice.h"
#include "compiler/ErrorSource.h"
#include "compiler/RandomRecords.h"

namespace sd {

namespace {

constexpr double kRecords = 200, kMostWork = 2e8;        // multiply-adds of all records: below a second
constexpr double kMostWorkOfOne = 1e9;                   // of a single one: seconds
constexpr double kManyRecords = 1000, kLittleWork = 2e7; // so that large errors which are rare are among them
constexpr double kWorkOfOp = 2000;                       // as much time as so many multiply-adds
constexpr double kMostWeights = 5e6;                     // both forms of the model are in memory

double weightsOf(const Module &imported) {
  double count = 0;
  for (auto &op : imported.ops)
    if (op.kind == OpKind::Constant) count += static_cast<double>(elementCount(imported.type(op.result).shape));
  return count;
}

double workOfRecord(const Module &imported, const Module &lowered) {
  return workOf(imported) + kWorkOfOp * static_cast<double>(lowered.ops.size());
}

// A class says nothing of errors: the same program with its scores.
Expected<Comparison> compareScores(const Module &imported, const PassContext &context,
                                   std::span<const Record> records) {
  TrialOptions options{.passes = context.options, .records = records, .cost = false};
  options.passes.revealClass = false;
  options.passes.ranges = RangePolicy::Warn;
  TrialResult trial = tryOut(imported, settingsOf(imported, options.passes), options);
  if (!trial.comparison) return fail("{}", trial.refusal);
  return *std::move(trial.comparison);
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
  estimate.records = randomRecords(declared.module, context.options.columnRanges, count);
  auto comparison = context.options.revealClass
                        ? compareScores(imported, context, estimate.records)
                        : compare(imported, lowered, estimate.records, {.thresholds = &context.options.thresholds});
  if (!comparison) return std::nullopt; // such as records that are beyond the bound, which is said elsewhere
  estimate.comparison = *std::move(comparison);
  return estimate;
}

std::string describeRecords(const ErrorEstimate &estimate) {
  const std::size_t count = estimate.records.size();
  return fmt::format("on {} random record{} of {}", count, count == 1 ? "" : "s",
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
