// sdc check: the fixed-point program against the float model, on data.
#include <algorithm>
#include <cmath>

#include <nlohmann/json.hpp>

#include "compiler/Comparison.h"
#include "passes/Intervals.h"
#include "passes/Rewrite.h"
#include "runtime/vm/NamedFiles.h"
#include "tools/sdc/Follow.h"

namespace sd::tool {

namespace {

struct Flags {
  ModelFlags model;
  std::vector<std::string> data, expected; // [NAME=]FILE
  std::string labels;
  std::size_t records = 0;
  bool json = false;
};

std::string power(double value) { return value < 1 ? "0" : fmt::format("2^{:.2f}", std::log2(value)); }

// The largest value seen before each op with a bound and each output, against what is proved and what it takes.
std::string rangeTable(const Job &job, const std::vector<double> &seen) {
  std::string text = fmt::format("{:<36} {:>9} {:>9} {:>9}\n", "largest |y| before", "seen", "proved", "limit");
  walkIntervals(
      job.module, Knowledge::Weights,
      [&](std::size_t i, double proved) {
        const Op &op = job.module.ops[i];
        text += fmt::format("{:<36} {:>9} {:>9} {:>9}{}\n", describe(op), power(seen[i]), power(proved),
                            power(limitOf(op, job.module.ringBits)),
                            proved <= limitOf(op, job.module.ringBits) ? "" : "  NOT PROVED");
      },
      job.context.options.columnRanges);
  return text;
}

// Whether no value seen lies beyond what its op takes.
bool holdsWithin(const Job &job, std::span<const double> seen) {
  for (std::size_t i = 0; i < seen.size(); ++i)
    if (seen[i] > 0 && seen[i] > limitOf(job.module.ops[i], job.module.ringBits)) return false;
  return true;
}

// How many records of each label (row) are of each class (column); empty if there are no labels, or several findings.
std::vector<std::vector<std::int64_t>> confusionOf(const Comparison &sum) {
  std::vector<std::vector<std::int64_t>> counts;
  std::int64_t classes = sum.classes;
  for (const ComparedRecord &record : sum.each) {
    if (record.labels.size() != 1 || record.fixed.size() != 1) return {};
    classes = std::max({classes, record.labels[0] + 1, record.fixed[0] + 1});
  }
  constexpr std::int64_t kMostClasses = 1000;
  if (classes > kMostClasses) return {};
  counts.assign(static_cast<std::size_t>(classes), std::vector<std::int64_t>(static_cast<std::size_t>(classes)));
  for (const ComparedRecord &record : sum.each)
    ++counts[static_cast<std::size_t>(record.labels[0])][static_cast<std::size_t>(record.fixed[0])];
  return counts;
}

std::string confusionTable(const Comparison &sum) {
  constexpr std::size_t kMostShown = 10;
  const auto counts = confusionOf(sum);
  if (counts.empty() || counts.size() > kMostShown) return "";
  std::string text = fmt::format("\n{:<18}", "label \\ class");
  for (std::size_t i = 0; i < counts.size(); ++i)
    text += fmt::format("{:>7}", i);
  for (std::size_t i = 0; i < counts.size(); ++i) {
    text += fmt::format("\n{:<18}", i);
    for (const std::int64_t count : counts[i])
      text += fmt::format("{:>7}", count);
  }
  return text + '\n';
}

// Findings: of each, how often the program's decision is the label's.
std::vector<std::int64_t> findingsRight(const Comparison &sum) {
  std::vector<std::int64_t> right;
  for (const ComparedRecord &record : sum.each) {
    if (record.labels.size() < 2) return {};
    right.resize(record.labels.size());
    for (std::size_t i = 0; i < record.labels.size(); ++i)
      right[i] += record.labels[i] == record.fixed[i];
  }
  return right;
}

std::string toJson(const Job &job, const Comparison &sum, const Flags &flags) {
  using nlohmann::ordered_json;
  const auto decision = [](const std::vector<std::int64_t> &values) {
    return values.size() == 1 ? ordered_json(values[0]) : ordered_json(values);
  };
  const bool labels = !flags.labels.empty(), scores = sum.compared;
  ordered_json root = {{"records", sum.records}, {"scale", flags.model.scale}, {"same_class", sum.same}};
  if (labels) root["float_right"] = sum.floatRight, root["fixed_right"] = sum.fixedRight;
  if (scores && sum.elements > 0)
    root["output_error"] = {{"mean", sum.errorSum / static_cast<double>(sum.elements)},
                            {"largest", sum.errorMost},
                            {"of_range", sum.rangeError},
                            {"largest_output", sum.outputMost}};
  if (sum.importMost) root["import_error"] = *sum.importMost;
  root["within_bounds"] = holdsWithin(job, sum.seen);
  if (const auto counts = confusionOf(sum); labels && !counts.empty()) root["confusion"] = counts;
  if (const auto right = findingsRight(sum); !right.empty()) root["findings_right"] = right;
  root["each"] = ordered_json::array();
  for (const ComparedRecord &record : sum.each) {
    ordered_json line = {{"float", decision(record.floats)}, {"fixed", decision(record.fixed)}};
    if (labels) line["label"] = decision(record.labels);
    if (scores) line["error"] = record.error;
    root["each"].push_back(std::move(line));
  }
  root["ranges"] = ordered_json::array();
  walkIntervals(
      job.module, Knowledge::Weights,
      [&](std::size_t i, double proved) {
        const double limit = limitOf(job.module.ops[i], job.module.ringBits);
        root["ranges"].push_back({{"before", describe(job.module.ops[i])},
                                  {"seen", sum.seen[i]},
                                  {"proved", proved},
                                  {"limit", limit},
                                  {"is_proved", proved <= limit}});
      },
      job.context.options.columnRanges);
  return root.dump(2, ' ', false, ordered_json::error_handler_t::replace) + '\n';
}

Expected<void> check(const Flags &flags) {
  Job job;
  Progress progress("check", "record");
  ModelFlags model = flags.model;
  follow(progress, model, job);
  SD_TRY(run(model, defaultPipeline(), job));
  if (!flags.model.manager.stopAfter.empty())
    return fail(ErrorKind::Usage, "--stop-after: check needs the whole pipeline");
  SD_ASSIGN(std::vector<NamedTensors> records, readRecords(job, "--data", flags.data, flags.model.tables));
  const std::size_t runs = records.size(), all = runs * static_cast<std::size_t>(recordsInRun(job.imported));
  if (flags.records) records.resize(std::min(records.size(), flags.records));
  std::optional<Tensor<float>> labels;
  if (!flags.labels.empty()) {
    SD_ASSIGN(labels, readLabels(flags.labels, flags.model.tables, job, all));
  }
  std::map<std::string, Tensor<float>> expected;
  SD_ASSIGN(const auto paths,
            asUsage(filesByName(flags.expected,
                                {"--expected", "output", job.imported.ops.back().attrs.strings(Attr::Names)})));
  for (const auto &[name, path] : paths) {
    SD_ASSIGN(Tensor<float> values, readNumbers(path, flags.model.tables));
    if (values.data.size() % runs != 0)
      return fail("output '{}' has {} values for {} records", name, values.size(), runs);
    values.data.resize(values.data.size() / runs * records.size());
    const Shape shape{values.size()};
    expected[name] = Tensor<float>(shape, std::move(values.data));
  }
  const bool scores = flags.model.reveal == "scores"; // else the outputs are classes, and no scores to compare
  SD_ASSIGN(const Comparison sum, compare(job.imported, job.module, records,
                                          {.labels = labels ? &*labels : nullptr,
                                           .scores = scores,
                                           .expected = expected.empty() ? nullptr : &expected,
                                           .thresholds = &job.context.options.thresholds,
                                           .progress = comparing(progress, records.size())}));

  if (flags.json) return writeText("-", toJson(job, sum, flags));
  std::string text = fmt::format("records            {}\nscale              {}\n", sum.records, flags.model.scale);
  if (labels)
    text += fmt::format("float accuracy     {}\nfixed accuracy     {}\n", percentOf(sum.floatRight, sum.records),
                        percentOf(sum.fixedRight, sum.records));
  text += fmt::format("same class         {}\n", percentOf(sum.same, sum.records));
  if (sum.importMost)
    text += fmt::format("import error       largest {:.3g}, of the outputs expected\n", *sum.importMost);
  if (scores)
    text += fmt::format("output error       mean {:.3g}, largest {:.3g}, of outputs up to {:.4g}\n",
                        sum.errorSum / static_cast<double>(sum.elements), sum.errorMost, sum.outputMost);
  text += holdsWithin(job, sum.seen)
              ? "rounding           exact: a secure run gives exactly these outputs\n"
              : "out of bounds      a secure run is wrong where a value lies beyond its limit, below\n";
  if (labels) text += confusionTable(sum);
  for (std::size_t i = 0; const std::int64_t right : findingsRight(sum))
    text += fmt::format("finding {:<10} {}\n", i++, percentOf(right, sum.records));
  text += '\n';
  if (const auto functions = describeApproximations(job.context.approximations); !functions.empty())
    text += "piecewise linear functions in place of smooth ones\n" + functions + "\n";
  return writeText("-", text + rangeTable(job, sum.seen));
}

} // namespace

void addCheck(CLI::App &app, Action &action) {
  auto *command = app.add_subcommand("check", "compare the fixed-point model with the float one on data");
  auto flags = std::make_shared<Flags>();
  addModelFlags(*command, flags->model);
  addRecordFlags(*command, flags->data, flags->labels);
  addPerInput(*command, "--expected", flags->expected,
              "what another implementation gives for them: says how far the imported model is off")
      ->type_name("[NAME=]Y.npy");
  command->add_option("--records", flags->records, "use the first so many records only")
      ->type_name("N")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 31));
  command->add_flag("--json", flags->json, "as JSON, with each record's classes and error, and the confusion matrix");
  command->callback([flags, &action] { action = [flags] { return check(*flags); }; });
}

} // namespace sd::tool
