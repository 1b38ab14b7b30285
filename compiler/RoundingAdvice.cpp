#include "compiler/RoundingAdvice.h"

#include <algorithm>
#include <cmath>

namespace sd {

namespace {

constexpr std::int64_t kMostWeights = 5'000'000; // of models that are compiled several times over
constexpr std::size_t kMostRecords = 100;        // that a trial looks at

std::int64_t weightsOf(const Module &module) {
  std::int64_t count = 0;
  for (auto &op : module.ops)
    if (op.kind == OpKind::Constant) count += elementCount(module.type(op.result).shape);
  return count;
}

// Finer weights first, which cost nothing; then finer functions and values; then the larger ring.
std::vector<Settings> candidates(const Compilation &compilation) {
  const Settings now = settingsOf(compilation.imported, compilation.context.options);
  const bool approximates = !compilation.context.approximations.empty();
  std::vector<Settings> tried;
  const auto add = [&](auto change) {
    Settings settings = now;
    change(settings);
    if (settings.scaleBits <= 16 && settings.weightScaleBits.value_or(16) <= 24 &&
        settings.approximationError >= 0x1p-16)
      tried.push_back(settings);
  };
  const int s = now.scaleBits;
  for (int finer : {2, 4, 6})
    add([&](Settings &x) { x.weightScaleBits = now.weightScaleBits.value_or(s) + finer; });
  if (approximates)
    for (double closer : {0x1p-2, 0x1p-4})
      add([&](Settings &x) { x.approximationError *= closer; });
  for (int finer : {2, 4})
    add([&](Settings &x) {
      x.scaleBits = s + finer;
      if (approximates) x.approximationError *= 0x1p-2;
    });
  if (now.ringBits == kBitsOf<Ring64>) return tried;
  for (int finer : {0, 2, 4, 6})
    add([&](Settings &x) {
      x.ringBits = kBitsOf<Ring64>;
      x.boundBits.reset();
      x.scaleBits = s + finer;
      x.weightScaleBits.reset();
      if (approximates && finer) x.approximationError *= std::ldexp(1.0, -finer);
    });
  return tried;
}

std::size_t coarseChannels(const std::vector<Coarseness> &layers) {
  std::size_t count = 0;
  for (auto &layer : layers)
    count += layer.coarse;
  return count;
}

std::string cost(const TrialResult &trial) {
  return fmt::format("{} of {} ranges proved, {:.3g} s online and {:.3g} s offline predicted", trial.proved,
                     trial.ranges.size(), trial.online, trial.offline);
}

// The first that is good and leaves no more ranges unknown than there are now.
std::optional<TrialResult> firstGood(const Compilation &now, const std::function<bool(const TrialResult &)> &good) {
  const auto unknown = std::ranges::count(now.context.ranges, RangeFact::Basis::Unknown, &RangeFact::basis);
  const TrialOptions options{.passes = now.context.options,
                             .records = now.records.first(std::min(now.records.size(), kMostRecords))};
  for (auto &each : candidates(now)) {
    TrialResult trial = tryOut(now.imported, each, options);
    if (trial.compiled() && static_cast<std::ptrdiff_t>(trial.unknown) <= unknown && good(trial)) return trial;
  }
  return std::nullopt;
}

bool isLarge(const Compilation &now) { return weightsOf(now.imported) > kMostWeights || hasManyOps(now.imported); }

constexpr std::string_view kUntried = "settings were not tried out, since the model is large; sdc check tells what a "
                                      "larger --weight-scale, --scale or --ring 64 gives on records";

} // namespace

std::vector<std::string> describeRounding(const std::vector<Coarseness> &layers) {
  std::vector<std::string> lines;
  for (auto &layer : layers)
    if (layer.coarse > 0)
      lines.push_back(fmt::format("{}: the rounded weights of {} of {} output channels ({:.0f} %) are off by more than "
                                  "2 % of their size, by {:.0f} % at most",
                                  layer.where, layer.coarse, layer.channels,
                                  100.0 * static_cast<double>(layer.coarse) / static_cast<double>(layer.channels),
                                  100 * layer.worst));
  return lines;
}

std::string adviseOnRounding(const Compilation &now) {
  if (isLarge(now)) return std::string(kUntried);
  const std::size_t coarse = coarseChannels(now.context.coarse);
  const auto better = firstGood(now, [&](const TrialResult &t) { return coarseChannels(t.coarse) * 4 <= coarse; });
  if (!better)
    return "tried: neither finer scales nor --ring 64 change that without leaving more ranges unproved; sdc check "
           "--data X.npy tells what it means for results";
  return fmt::format("tried: with {} that is so for {} in place of {} channels ({})",
                     flagsOf(better->settings, settingsOf(now.imported, now.context.options)),
                     coarseChannels(better->coarse), coarse, cost(*better));
}

std::string adviseOnZeros(const Compilation &now) {
  if (isLarge(now)) return std::string(kUntried);
  const auto better = firstGood(now, [](const TrialResult &) { return true; });
  if (!better) return "tried: neither finer scales nor --ring 64 help; remove the layer from the model";
  return fmt::format("tried: it compiles with {} ({})",
                     flagsOf(better->settings, settingsOf(now.imported, now.context.options)), cost(*better));
}

std::string adviseOnError(const Compilation &now, const Closeness &isClose) {
  if (isLarge(now)) return std::string(kUntried);
  std::optional<TrialResult> closest;
  const auto good = [&](const TrialResult &trial) {
    if (!trial.comparison) return false;
    if (!closest || trial.comparison->rangeError < closest->comparison->rangeError) closest = trial;
    return isClose(*trial.comparison);
  };
  const auto found = firstGood(now, good);
  if (!found && !closest) return "tried: neither finer scales nor --ring 64 compile without more unproved ranges";
  const TrialResult &best = found ? *found : *closest;
  return fmt::format(
      "tried: {}{} brings it to {} of the same class and an error of {:.2g} % of the output range ({})",
      found ? "" : "nothing brings it close; ", flagsOf(best.settings, settingsOf(now.imported, now.context.options)),
      percentOf(best.comparison->same, best.comparison->records), 100 * best.comparison->rangeError, cost(best));
}

} // namespace sd
