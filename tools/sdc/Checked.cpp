#include "tools/sdc/Checked.h"

#include <algorithm>

#include "passes/Intervals.h"
#include "passes/Rewrite.h"
#include "runtime/vm/NamedFiles.h"
#include "tools/sdc/Follow.h"

namespace sd::tool {

void addCheckFlags(CLI::App &command, CheckFlags &flags) {
  addModelFlags(command, flags.model);
  addRecordFlags(command, flags.data, flags.labels);
  command.add_option("--records", flags.records, "use the first so many records only")
      ->type_name("N")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 31));
}

std::vector<SeenRange> Checked::ranges() const {
  std::vector<SeenRange> ranges;
  walkIntervals(
      job.module, Knowledge::Weights,
      [&](std::size_t i, double proved) {
        const Op &op = job.module.ops[i];
        ranges.push_back({describe(op), sum.seen[i], proved, limitOf(op, job.module.ringBits)});
      },
      job.context.options.columnRanges);
  return ranges;
}

bool Checked::holdsWithin() const {
  for (std::size_t i = 0; i < sum.seen.size(); ++i)
    if (sum.seen[i] > 0 && sum.seen[i] > limitOf(job.module.ops[i], job.module.ringBits)) return false;
  return true;
}

std::vector<std::vector<std::int64_t>> Checked::confusion() const {
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

std::vector<std::int64_t> Checked::findingsRight() const {
  std::vector<std::int64_t> right;
  for (const ComparedRecord &record : sum.each) {
    if (record.labels.size() < 2) return {};
    right.resize(record.labels.size());
    for (std::size_t i = 0; i < record.labels.size(); ++i)
      right[i] += record.labels[i] == record.fixed[i];
  }
  return right;
}

Expected<Checked> checkModel(const CheckFlags &flags) {
  Checked checked;
  Job &job = checked.job;
  Progress progress(flags.model.command->get_name(), "record");
  ModelFlags model = flags.model;
  follow(progress, model, job);
  SD_TRY(run(model, defaultPipeline(), job));
  job.context.options.progress = {}; // it lives longer
  if (!flags.model.manager.stopAfter.empty())
    return fail(ErrorKind::Usage, "--stop-after: {} needs the whole pipeline", flags.model.command->get_name());
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
  checked.hasLabels = labels.has_value();
  checked.hasScores = flags.model.reveal == "scores";
  SD_ASSIGN(checked.sum, compare(job.imported, job.module, records,
                                 {.labels = labels ? &*labels : nullptr,
                                  .scores = checked.hasScores,
                                  .expected = expected.empty() ? nullptr : &expected,
                                  .thresholds = &job.context.options.thresholds,
                                  .progress = comparing(progress, records.size())}));
  return checked;
}

} // namespace sd::tool
