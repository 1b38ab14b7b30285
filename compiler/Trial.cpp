#include "compiler/Trial.h"

#include <algorithm>

#include "compiler/Compile.h"
#include "compiler/HidingAdvice.h"
#include "compiler/Pipeline.h"
#include "compiler/codegen/Codegen.h"
#include "ir/bytecode/Prediction.h"

namespace sd {

Settings settingsOf(const Module &imported, const PassOptions &options) {
  return {options.scaleBits, options.weightScaleBits, imported.ringBits, options.boundBits, options.approximationError};
}

PassOptions withSettings(PassOptions options, const Settings &settings) {
  options.scaleBits = settings.scaleBits;
  options.weightScaleBits = settings.weightScaleBits;
  options.boundBits = settings.boundBits;
  options.approximationError = settings.approximationError;
  return options;
}

std::string flagsOf(const Settings &settings, const Settings &from) {
  std::vector<std::string> flags;
  const auto power = [](int bits) { return std::int64_t{1} << bits; };
  if (settings.scaleBits != from.scaleBits) flags.push_back(fmt::format("--scale {}", power(settings.scaleBits)));
  if (settings.weightScaleBits && settings.weightScaleBits != from.weightScaleBits)
    flags.push_back(fmt::format("--weight-scale {}", power(*settings.weightScaleBits)));
  if (settings.ringBits != from.ringBits) flags.push_back(fmt::format("--ring {}", settings.ringBits));
  if (settings.boundBits && settings.boundBits != from.boundBits)
    flags.push_back(fmt::format("--bound {}", *settings.boundBits));
  if (settings.approximationError != from.approximationError)
    flags.push_back(fmt::format("--approximation-error {:g}", settings.approximationError));
  return fmt::format("{}", fmt::join(flags, " "));
}

namespace {

constexpr std::size_t kMostOps = 4000; // a trial of so many takes some tenths of a second, advice a dozen of them

Expected<void> fill(const Module &imported, const TrialOptions &options, TrialResult &result) {
  Module module = imported;
  module.ringBits = result.settings.ringBits;
  PassContext context;
  context.options = withSettings(options.passes, result.settings);
  const auto lowered = lower(std::move(module), {defaultPipeline(), {}}, context);
  result.warnings = std::move(context.warnings);
  result.ranges = std::move(context.ranges);
  result.recordsMeasured = context.recordsMeasured;
  for (auto &each : context.approximations)
    result.approximationError = std::max(result.approximationError, each.error);
  result.coarse = std::move(context.coarse);
  for (auto &fact : result.ranges)
    ++(fact.basis == RangeFact::Basis::Proved     ? result.proved
       : fact.basis == RangeFact::Basis::Measured ? result.measured
                                                  : result.unknown);
  if (!lowered) return tl::unexpected(lowered.error());
  if (!options.records.empty()) {
    SD_ASSIGN(result.comparison, compare(imported, *lowered, options.records,
                                         {.labels = options.labels,
                                          .scores = !options.passes.revealClass,
                                          .thresholds = &options.passes.thresholds}));
  }
  if (!options.cost) return {};
  result.hidingBits = hidingOf(*lowered).bits;
  SD_ASSIGN(const Compiled compiled, generate(*lowered));
  SD_ASSIGN(const ProgramCost cost, costOf(compiled.program));
  const Prediction prediction = predict(compiled.program, cost, options.passes.network);
  result.online = prediction.online;
  result.offline = prediction.offline;
  result.onlineBytes = cost.totalOnlineBytes();
  result.offlineBytes = cost.offline.totalBytes();
  return {};
}

} // namespace

bool hasManyOps(const Module &imported) { return imported.ops.size() > kMostOps; }

TrialResult tryOut(const Module &imported, const Settings &settings, const TrialOptions &options) {
  TrialResult result;
  result.settings = settings;
  if (auto done = fill(imported, options, result); !done) result.refusal = done.error().message;
  return result;
}

} // namespace sd
