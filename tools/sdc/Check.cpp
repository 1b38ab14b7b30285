// sdc check: the fixed-point program against the float model, on data.
#include <algorithm>
#include <cmath>

#include "compiler/Comparison.h"
#include "passes/Intervals.h"
#include "passes/Rewrite.h"
#include "runtime/vm/NamedFiles.h"
#include "tools/sdc/Common.h"

namespace sd::tool {

namespace {

struct Flags {
  ModelFlags model;
  std::vector<std::string> data, expected; // [NAME=]FILE
  std::string labels;
  std::size_t records = 0;
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

Expected<void> check(const Flags &flags) {
  Job job;
  SD_TRY(run(flags.model, defaultPipeline(), job));
  if (!flags.model.manager.stopAfter.empty())
    return fail(ErrorKind::Usage, "--stop-after: check needs the whole pipeline");
  SD_ASSIGN(std::vector<NamedTensors> records, readRecords(job, "--data", flags.data, flags.model.tables));
  const std::size_t all = records.size() * static_cast<std::size_t>(recordsInRun(job.imported));
  if (flags.records) records.resize(std::min(records.size(), flags.records));
  std::optional<Tensor<float>> labels;
  if (!flags.labels.empty()) {
    SD_ASSIGN(labels, readLabels(flags.labels, flags.model.tables, all));
  }
  std::map<std::string, Tensor<float>> expected;
  SD_ASSIGN(const auto paths,
            asUsage(filesByName(flags.expected,
                                {"--expected", "output", job.imported.ops.back().attrs.strings(Attr::Names)})));
  for (const auto &[name, path] : paths) {
    SD_ASSIGN(expected[name], readNumbers(path, flags.model.tables));
  }
  const bool scores = flags.model.reveal == "scores"; // else the outputs are classes, and no scores to compare
  SD_ASSIGN(const Comparison sum, compare(job.imported, job.module, records,
                                          {.labels = labels ? &*labels : nullptr,
                                           .scores = scores,
                                           .expected = expected.empty() ? nullptr : &expected,
                                           .thresholds = &job.context.options.thresholds}));

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
  command->callback([flags, &action] { action = [flags] { return check(*flags); }; });
}

} // namespace sd::tool
