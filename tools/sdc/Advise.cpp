#include "compiler/Advice.h"
#include "tools/sdc/CommandLine.h"
#include "tools/sdc/Common.h"

namespace sd::tool {

namespace {

// Models that trials take seconds for.
constexpr double kMostWork = 5e8; // multiply-adds
constexpr double kMostWeights = 1e7;

double weightsOf(const Module &imported) {
  double count = 0;
  for (auto &op : imported.ops)
    if (op.kind == OpKind::Constant) count += static_cast<double>(elementCount(imported.type(op.result).shape));
  return count;
}

} // namespace

bool hasManyWeights(const Module &imported) { return weightsOf(imported) > kMostWeights; }

std::string adviceOn(const ModelFlags &flags, const Job &job) {
  if (workOf(job.imported) > kMostWork || hasManyWeights(job.imported) || hasManyOps(job.imported))
    return fmt::format("other settings take long to try; this does: {}\n",
                       commandLine(*flags.command, {.subcommand = "tune",
                                                    .left = {"--output", "--ranges", "--min-records"},
                                                    .added = {"--data", "X.npy"},
                                                    .settings = {}}));
  TrialOptions options;
  options.passes = job.context.options;
  options.records = job.calibration;
  const Advice advice =
      advise(job.imported, options, [&](const TrialResult &result) { return isSound(result, options); });
  if (std::ranges::none_of(advice.tried, [](const Tried &each) { return each.result.compiled(); })) return "";
  std::string text = fmt::format("other settings, tried{}:\n{}", advice.note.empty() ? "" : " (" + advice.note + ")",
                                 trialTable(advice.tried, advice.best));
  if (advice.best)
    text += fmt::format("* is: {}\n",
                        commandLine(*flags.command, {.subcommand = "",
                                                     .left = {},
                                                     .added = advice.declared,
                                                     .settings = advice.tried[*advice.best].result.settings}));
  if (job.calibration.empty() && options.passes.ranges != RangePolicy::Require)
    text += fmt::format("{}: --calibrate X.npy with at least {} records measures what is not proved\n",
                        advice.best ? "Or" : "No setting proves all", options.passes.minRecords);
  else if (!advice.best)
    text += "None of them is enough.\n";
  return text;
}

} // namespace sd::tool
