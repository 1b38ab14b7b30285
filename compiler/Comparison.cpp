#include "compiler/Comparison.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <thread>

#include "ir/Rows.h"
#include "ir/Run.h"

namespace sd {

namespace {

struct Outcome {
  RunResult exact, fixed; // by the float model, by the fixed-point one
};

bool namesClasses(OpKind op) { return op == OpKind::ArgMax || op == OpKind::ArgTopK; }

// The rows of a run's outputs that are records of their own; one if there are none.
struct Rows {
  std::int64_t count = 1;
  RowLayout layout; // as of separateRows()

  explicit Rows(const Module &module) {
    const RowInputs inputs = likelyRows(module);
    if (inputs.count < 2) return;
    if (auto found = separateRows(module, inputs)) {
      count = inputs.count;
      layout = *std::move(found);
    }
  }

  std::vector<float> of(const Tensor<float> &output, std::size_t index, std::int64_t row) const {
    if (count == 1) return output.data;
    std::vector<float> values;
    for (std::int64_t from = row * layout[index]; from < output.size(); from += count * layout[index])
      values.insert(values.end(), output.data.begin() + from, output.data.begin() + from + layout[index]);
    return values;
  }
};

// The class an output names: its first one behind an argmax or argtopk, whether its only element is above one half or
// zero, else the largest.
std::int64_t classOf(std::span<const float> values, OpKind last) {
  if (namesClasses(last)) return std::llround(values[0]);
  if (values.size() == 1) return values[0] > (last == OpKind::Sigmoid ? 0.5f : 0.0f);
  return std::ranges::max_element(values) - values.begin();
}

// What a record's output decides: one class, or each finding of those above their thresholds.
struct Decider {
  OpKind last;
  std::span<const double> thresholds; // empty: no findings

  std::vector<std::int64_t> decide(std::span<const float> values) const {
    if (thresholds.empty()) return {classOf(values, last)};
    std::vector<std::int64_t> decisions;
    for (std::size_t i = 0; i < values.size(); ++i)
      decisions.push_back(values[i] > thresholds[i % thresholds.size()]);
    return decisions;
  }
};

// The op that makes an output, seen through moves, and through sums and products that make labels of positions.
OpKind opBehind(const Module &module, std::size_t output) {
  const auto definitions = definitionsOf(module);
  const auto behind = [&](bool arithmetic) {
    const Op *op = &module.ops[definitions[module.ops.back().operands[output]]];
    while (op->kind == OpKind::Reshape || op->kind == OpKind::Identity ||
           (arithmetic && (op->kind == OpKind::Add || op->kind == OpKind::Mul)))
      op = &module.ops[definitions[op->operands[0]]];
    return op->kind;
  };
  const OpKind first = behind(true);
  return namesClasses(first) ? first : behind(false);
}

Expected<std::vector<Outcome>> runAll(const Module &imported, const Module &lowered, std::span<const Record> records,
                                      const std::function<void(std::size_t, std::size_t)> &progress) {
  std::atomic<std::size_t> done = 0;
  SD_ASSIGN(const Interpreter exact, Interpreter::create(viewOf(imported)));
  SD_ASSIGN(const Interpreter fixed, Interpreter::create(viewOf(lowered)));
  std::vector<Expected<Outcome>> results(records.size(), fail(""));
  auto runOne = [&](std::size_t i) -> Expected<Outcome> {
    Outcome outcome;
    SD_ASSIGN(outcome.exact, exact.run(records[i]));
    SD_ASSIGN(outcome.fixed, fixed.run(records[i], {.observe = true}));
    return outcome;
  };
  const std::size_t threads = std::clamp<std::size_t>(std::thread::hardware_concurrency(), 1, 64);
  std::vector<std::jthread> workers;
  for (std::size_t t = 0; t < threads; ++t)
    workers.emplace_back([&, t] {
      for (std::size_t i = t; i < records.size(); i += threads) {
        results[i] = runOne(i);
        if (progress) progress(++done, records.size());
      }
    });
  workers.clear(); // joins
  std::vector<Outcome> outcomes;
  for (auto &result : results) {
    if (!result) return tl::unexpected(result.error());
    outcomes.push_back(*std::move(result));
  }
  return outcomes;
}

// Of one output over some records: from its least to its largest value; few of them tell little, and 0 is then taken
// to be within.
class Range {
public:
  explicit Range(std::size_t records) : few_(records < 10) {}
  void join(const Range &other) {
    least_ = std::min(least_, other.least_);
    most_ = std::max(most_, other.most_);
    error_ = std::max(error_, other.error_);
  }
  void add(double value, double error) {
    least_ = std::min(least_, value);
    most_ = std::max(most_, value);
    error_ = std::max(error_, error);
  }
  double relativeError() const {
    if (error_ == 0) return 0;
    const double span = most_ - least_;
    const double range = few_ || span == 0 ? std::max({span, std::abs(most_), std::abs(least_)}) : span;
    return range > 0 ? error_ / range : HUGE_VAL;
  }
  OutputError of(std::string name) const { return {std::move(name), error_, least_, most_}; }

private:
  bool few_;
  double least_ = HUGE_VAL, most_ = -HUGE_VAL, error_ = 0;
};

// What nine of ten groups stay below; of fewer than ten the largest.
double relativeError(const std::vector<Range> &groups) {
  std::vector<double> errors;
  for (const Range &group : groups)
    errors.push_back(group.relativeError());
  const auto at = errors.end() - 1 - std::ssize(errors) / 10;
  std::ranges::nth_element(errors, at);
  return *at;
}

// The last group takes what is left.
std::vector<Range> groupsOf(std::size_t records, std::size_t size) {
  const std::size_t count = size == 0 ? 1 : std::max<std::size_t>(records / size, 1);
  return std::vector<Range>(count, Range(count == 1 ? records : size));
}

void compareValues(const Module &imported, const std::vector<Outcome> &outcomes, std::size_t groupSize,
                   Comparison &sum) {
  for (std::size_t o = 0; o < outcomes[0].exact.outputs.size(); ++o) {
    std::vector<Range> groups = groupsOf(outcomes.size(), groupSize);
    for (std::size_t r = 0; r < outcomes.size(); ++r)
      for (std::int64_t i = 0; i < outcomes[r].exact.outputs[o].size(); ++i) {
        const double value = outcomes[r].exact.outputs[o].data[i];
        const double error = std::abs(value - outcomes[r].fixed.outputs[o].data[i]);
        groups[std::min(groupSize == 0 ? 0 : r / groupSize, groups.size() - 1)].add(value, error);
        sum.errorSum += error;
        sum.errorMost = std::max(sum.errorMost, error);
        sum.outputMost = std::max(sum.outputMost, std::abs(value));
        ++sum.elements;
      }
    const double rangeError = relativeError(groups);
    if (namesClasses(opBehind(imported, o)) || rangeError <= sum.rangeError) continue;
    sum.rangeError = rangeError;
    Range range = groups[0];
    for (const Range &group : groups)
      range.join(group);
    sum.worst = range.of(imported.ops.back().attrs.strings(Attr::Names)[o]);
  }
}

Expected<double> importError(const Module &imported, const std::vector<Outcome> &outcomes,
                             const std::map<std::string, Tensor<float>> &expected) {
  const auto &names = imported.ops.back().attrs.strings(Attr::Names);
  double most = 0;
  for (const auto &[name, values] : expected) {
    const auto output = static_cast<std::size_t>(std::ranges::find(names, name) - names.begin());
    const std::int64_t each = outcomes[0].exact.outputs[output].size();
    if (const std::size_t wanted = static_cast<std::size_t>(each) * outcomes.size(); values.data.size() != wanted)
      return fail("output '{}' has {} values for {} records of {}", name, values.data.size(), outcomes.size(), each);
    for (std::size_t r = 0; r < outcomes.size(); ++r)
      for (std::int64_t i = 0; i < each; ++i) {
        const double difference = std::abs(static_cast<double>(outcomes[r].exact.outputs[output].data[i]) -
                                           values.data[static_cast<std::int64_t>(r) * each + i]);
        if (!(difference <= most)) most = difference; // NaN too
      }
  }
  return most;
}

} // namespace

namespace {

// Of a record, by its number; its class, or each of its findings.
Expected<std::vector<std::int64_t>> labelsOf(const Tensor<float> &labels, std::int64_t record, std::size_t findings,
                                             std::int64_t classes) {
  const std::size_t each = findings > 1 ? findings : 1;
  std::vector<std::int64_t> result;
  for (std::size_t i = 0; i < each; ++i) {
    const std::int64_t label = std::llround(labels.data[static_cast<std::size_t>(record) * each + i]);
    const std::int64_t most = findings > 0 ? 2 : classes;
    if (most > 0 && label >= most)
      return fail("the label of record {} is {}; the model tells {} {} apart, from 0 on", record + 1, label, most,
                  findings > 0 ? "values of a finding" : "classes");
    result.push_back(label);
  }
  return result;
}

// The largest error of a run's outputs that hold no classes.
double errorOf(const Module &imported, const Outcome &outcome) {
  double most = 0;
  for (std::size_t o = 0; o < outcome.exact.outputs.size(); ++o) {
    if (namesClasses(opBehind(imported, o))) continue;
    for (std::int64_t i = 0; i < outcome.exact.outputs[o].size(); ++i)
      most = std::max(
          most, std::abs(static_cast<double>(outcome.exact.outputs[o].data[i]) - outcome.fixed.outputs[o].data[i]));
  }
  return most;
}

} // namespace

bool Comparison::sameClasses() const {
  return records - same <= std::max<std::int64_t>(records / 100, records >= 20 ? 1 : 0);
}

Expected<Comparison> compare(const Module &imported, const Module &lowered, std::span<const Record> records,
                             const CompareOptions &options) {
  Comparison sum;
  if (records.empty()) return sum;
  SD_ASSIGN(const auto outcomes, runAll(imported, lowered, records, options.progress));
  const Rows rows(imported);
  std::size_t named = 0;
  while (named < imported.ops.back().operands.size() && !namesClasses(opBehind(imported, named)))
    ++named;
  named %= imported.ops.back().operands.size();
  Decider exactly{opBehind(imported, named), {}};
  if (options.thresholds)
    if (const auto found = options.thresholds->find(imported.ops.back().attrs.strings(Attr::Names)[named]);
        found != options.thresholds->end())
      exactly.thresholds = found->second;
  Decider roughly = exactly;
  constexpr double kHalf[] = {0.5};
  if (!options.scores && !exactly.thresholds.empty()) roughly.thresholds = kHalf; // decided already
  const std::size_t findings = exactly.thresholds.size();
  const auto scores = static_cast<std::int64_t>(rows.of(outcomes[0].exact.outputs[named], named, 0).size());
  if (findings == 0 && !namesClasses(exactly.last)) sum.classes = std::max<std::int64_t>(scores, 2);
  const std::int64_t all = static_cast<std::int64_t>(outcomes.size()) * rows.count;
  if (options.labels && options.labels->size() < all * static_cast<std::int64_t>(std::max<std::size_t>(findings, 1)))
    return fail("{} labels for {} records{}", options.labels->size(), all,
                findings > 1 ? fmt::format(" of {} findings each", findings) : "");
  for (auto &outcome : outcomes) {
    const double error = options.scores ? errorOf(imported, outcome) : 0;
    for (std::int64_t row = 0; row < rows.count; ++row, ++sum.records) {
      ComparedRecord record{exactly.decide(rows.of(outcome.exact.outputs[named], named, row)),
                            roughly.decide(rows.of(outcome.fixed.outputs[named], named, row)),
                            {},
                            error};
      if (options.labels) {
        SD_ASSIGN(record.labels, labelsOf(*options.labels, sum.records, findings, sum.classes));
      }
      sum.same += record.floats == record.fixed;
      sum.floatRight += options.labels && record.floats == record.labels;
      sum.fixedRight += options.labels && record.fixed == record.labels;
      sum.each.push_back(std::move(record));
    }
  }
  if (options.expected) {
    SD_ASSIGN(sum.importMost, importError(imported, outcomes, *options.expected));
  }
  sum.compared = options.scores;
  compareValues(imported, outcomes, options.group, sum);
  sum.seen.assign(lowered.ops.size(), 0);
  for (auto &outcome : outcomes)
    for (auto &observation : outcome.fixed.observations)
      sum.seen[observation.op] = std::max(sum.seen[observation.op], observation.largest);
  return sum;
}

std::int64_t recordsInRun(const Module &module) { return Rows(module).count; }

std::string percentOf(std::int64_t part, std::int64_t whole) {
  return fmt::format("{:.2f} % ({} of {})", 100.0 * static_cast<double>(part) / static_cast<double>(whole), part,
                     whole);
}

} // namespace sd
