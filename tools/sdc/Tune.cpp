// sdc tune: the settings of a compilation, searched on data.
#include <algorithm>
#include <cmath>

#include "compiler/Sweep.h"
#include "tools/Console.h"
#include "tools/Progress.h"
#include "tools/sdc/CommandLine.h"
#include "tools/sdc/Common.h"

namespace sd::tool {

namespace {

constexpr double kTrialWork = 2e9; // multiply-adds of one trial's comparison: some seconds
constexpr std::size_t kFewest = 20;

struct Flags {
  ModelFlags model;
  std::vector<std::string> data; // [NAME=]FILE
  std::string labels;
  std::size_t records = 0; // 0: as many as take little time
};

// Some of the runs, evenly spaced: files are often sorted by class.
struct Sample {
  std::vector<Record> runs;
  std::optional<Tensor<float>> labels;
};

Sample sampleOf(std::vector<Record> runs, const std::optional<Tensor<float>> &labels, std::size_t count) {
  Sample sample;
  const std::size_t all = runs.size();
  const std::size_t batch = labels ? labels->data.size() / all : 0;
  if (labels) sample.labels = Tensor<float>(Shape{static_cast<std::int64_t>(count * batch)});
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t at = i * all / count;
    sample.runs.push_back(std::move(runs[at]));
    if (labels) std::copy_n(labels->data.begin() + at * batch, batch, sample.labels->data.begin() + i * batch);
  }
  return sample;
}

std::string verdict(const TrialResult &best, const TrialOptions &options) {
  if (!best.comparison->close())
    return "No setting comes close to floats; * is the closest. Look for the layer with sdc check.";
  if (best.unknown) return "No setting proves all ranges, or holds all measured values; * comes closest.";
  if (!best.measured) return "* is the cheapest whose ranges are all proved, and the most precise at that price.";
  return fmt::format("No setting proves all ranges; at * they hold on the {} records{}.", best.recordsMeasured,
                     best.recordsMeasured < options.passes.minRecords
                         ? fmt::format(", which are fewer than {} (--min-records)", options.passes.minRecords)
                         : "");
}

// That compiles the best, and refuses it where it no longer holds.
std::string recommendation(const Flags &flags, const TrialResult &best, const std::vector<std::string> &declared,
                           const TrialOptions &options) {
  Rewritten how;
  how.subcommand = "compile";
  how.left = {"--data", "--labels", "--records", "--ranges", "--calibrate"};
  how.settings = best.settings;
  how.added = {"-o", std::filesystem::path(flags.model.model).stem().string() + ".sdb"};
  how.added.insert(how.added.end(), declared.begin(), declared.end());
  if (!best.unknown && !best.measured) {
    how.added.insert(how.added.end(), {"--ranges", "require"});
  } else {
    for (auto &file : flags.model.calibrate.empty() ? flags.data : flags.model.calibrate)
      how.added.insert(how.added.end(), {"--calibrate", file});
    if (!best.unknown && best.recordsMeasured >= options.passes.minRecords)
      how.added.insert(how.added.end(), {"--ranges", "measured"});
  }
  return commandLine(*flags.model.command, how);
}

Expected<void> tune(const Flags &flags) {
  Job job;
  SD_TRY(load(flags.model, job));
  if (!flags.model.manager.stopAfter.empty())
    return fail(ErrorKind::Usage, "--stop-after: tune needs the whole pipeline");
  SD_ASSIGN(std::vector<NamedTensors> records, readRecords(job, "--data", flags.data, flags.model.tables));
  std::optional<Tensor<float>> labels;
  const std::size_t runs = records.size();
  const auto batch = static_cast<std::size_t>(recordsInRun(job.imported));
  if (!flags.labels.empty()) {
    SD_ASSIGN(labels, readLabels(flags.labels, flags.model.tables, job, runs * batch));
  }
  const Declared declared = declareMissing(job.imported, records);
  const auto affordable = static_cast<std::size_t>(kTrialWork / workOf(job.imported));
  const std::size_t count = std::min(runs, flags.records ? flags.records : std::max(kFewest, affordable));
  const Sample sample = sampleOf(std::move(records), labels, count);

  TrialOptions options;
  options.passes = job.context.options;
  if (job.calibration.empty()) options.passes.calibration = sample.runs;
  options.records = sample.runs;
  options.labels = sample.labels ? &*sample.labels : nullptr;
  if (!declared.flags.empty())
    writeError(fmt::format("note: no range of the input was given; tried with {}, which fits the records: others are "
                           "refused at run time\n",
                           fmt::join(declared.flags, " ")));
  Sweep found;
  {
    Progress progress("tune", "setting");
    found = sweep(declared.module, options, [&](std::size_t done, std::size_t expected, const std::string &what) {
      progress.step(done, std::max(done, expected), what, true);
    });
  }
  if (!found.best) return fail("no setting gives a program; as given: {}", found.tried.front().result.refusal);
  const TrialResult &best = found.tried[*found.best].result;
  std::string text =
      fmt::format("{} of {} records{}; times for {} ms round trip, {:g} Mbit/s\n", count * batch, runs * batch,
                  count < runs ? " (--records)" : "", options.passes.network.roundTripSeconds * 1e3,
                  options.passes.network.bitsPerSecond * 1e-6);
  if (options.labels)
    text += "float accuracy " + percentOf(best.comparison->floatRight, best.comparison->records) + '\n';
  text += trialTable(found.tried, found.best) + verdict(best, options) + '\n' +
          recommendation(flags, best, declared.flags, options) + '\n';
  return writeText("-", text);
}

} // namespace

void addTune(CLI::App &app, Action &action) {
  auto *command = app.add_subcommand("tune", "search the settings on data: accuracy, ranges, costs, and what to take");
  auto flags = std::make_shared<Flags>();
  addModelFlags(*command, flags->model);
  addRecordFlags(*command, flags->data, flags->labels);
  command->add_option("--records", flags->records, "use so many records, evenly spaced; left out, what takes seconds")
      ->type_name("N")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 31));
  command->callback([flags, &action] { action = [flags] { return tune(*flags); }; });
}

} // namespace sd::tool
