#include "compiler/Sweep.h"

#include <algorithm>
#include <cmath>

namespace sd {

namespace {

constexpr std::size_t kExpected = 24; // trials of a usual search
constexpr int kLeastScaleBits = 5, kMostScaleBits = 14;
constexpr int kBounds = 3;             // the least may leave averages too little room
constexpr int kReach = 2;              // steps without gain after which a direction is left
constexpr double kGain = 0.9;          // an error that falls to less than this part has become better
constexpr double kEqualSeconds = 1.05; // differences that predictions do not resolve
constexpr double kEqualBytes = 1.25;   // and that nobody minds

double secondsOf(const TrialResult &result) { return result.online + result.offline; }
double bytesOf(const TrialResult &result) { return static_cast<double>(result.onlineBytes + result.offlineBytes); }

double errorOf(const TrialResult &result) { // of classes where nothing else is to be seen
  const Comparison &comparison = *result.comparison;
  const double wrong = static_cast<double>(comparison.records - comparison.same);
  return comparison.compared ? comparison.rangeError : wrong / static_cast<double>(comparison.records);
}

// 0 is best.
int safetyOf(const TrialResult &result, const TrialOptions &options) {
  if (result.unknown) return 3;
  if (!result.measured) return 0;
  double least = HUGE_VAL;
  for (auto &fact : result.ranges)
    if (fact.basis == RangeFact::Basis::Measured) least = std::min(least, fact.margin());
  return result.recordsMeasured >= options.passes.minRecords && least >= 1 ? 1 : 2;
}

// Those of a lower class come first whatever they cost.
int classOf(const TrialResult &result, const TrialOptions &options) {
  if (!result.compiled() || !result.comparison) return 100;
  const bool approximated = result.approximationError <= result.settings.approximationError;
  return (result.comparison->close() ? 0 : 10) + (approximated ? 0 : 5) + safetyOf(result, options);
}

class Sweeper {
public:
  Sweeper(const Module &imported, const TrialOptions &options, const SweepProgress &progress)
      : imported_(imported), options_(options), progress_(progress), start_(settingsOf(imported, options.passes)) {
    options_.passes.ranges = RangePolicy::Warn;
  }

  Sweep run() {
    attempt(start_);
    scales();
    weightScales();
    approximations();
    otherRing();
    bounds();
    const auto found = best();
    return {std::move(tried_), found};
  }

private:
  const TrialResult &attempt(const Settings &settings) {
    const auto known = std::ranges::find(tried_, settings, [](const Tried &t) { return t.result.settings; });
    if (known != tried_.end()) return known->result;
    std::string flags = flagsOf(settings, start_);
    if (flags.empty()) flags = "as given";
    progress_(tried_.size(), std::max(kExpected, tried_.size() + 1), flags);
    tried_.push_back({flags, tryOut(imported_, settings, options_)});
    return tried_.back().result;
  }

  std::optional<std::size_t> best() const {
    int least = 100;
    for (auto &each : tried_)
      least = std::min(least, classOf(each.result, options_));
    if (least == 100) return std::nullopt;
    const auto candidate = [&](const Tried &t) { return classOf(t.result, options_) == least; };
    double seconds = HUGE_VAL, bytes = HUGE_VAL;
    for (auto &each : tried_)
      if (candidate(each)) seconds = std::min(seconds, secondsOf(each.result));
    const auto quick = [&](const Tried &t) { return candidate(t) && secondsOf(t.result) <= seconds * kEqualSeconds; };
    for (auto &each : tried_)
      if (quick(each)) bytes = std::min(bytes, bytesOf(each.result));
    std::optional<std::size_t> found;
    for (std::size_t i = 0; i < tried_.size(); ++i) {
      if (!quick(tried_[i]) || bytesOf(tried_[i].result) > bytes * kEqualBytes) continue;
      if (!found || errorOf(tried_[i].result) < errorOf(tried_[*found].result)) found = i;
    }
    return found;
  }
  Settings bestSettings() const {
    const auto found = best();
    return found ? tried_[*found].result.settings : start_;
  }

  // Settings from one on in steps, while they compile, and for some steps longer than they get better.
  void walk(Settings settings, const std::function<bool(Settings &)> &step) {
    const TrialResult *last = &attempt(settings);
    double error = last->comparison ? errorOf(*last) : HUGE_VAL;
    int kind = classOf(*last, options_);
    for (int idle = 0; idle < kReach && step(settings);) {
      const TrialResult &result = attempt(settings);
      if (!result.compiled() || !result.comparison) {
        ++idle;
        continue;
      }
      const bool better = errorOf(result) < kGain * error || classOf(result, options_) < kind;
      idle = better ? 0 : idle + 1;
      error = std::min(error, errorOf(result));
      kind = std::min(kind, classOf(result, options_));
    }
  }

  static bool move(int &bits, int by) {
    bits += by;
    return bits >= kLeastScaleBits && bits <= kMostScaleBits;
  }

  void scales() {
    for (const int by : {+1, -1})
      walk(start_, [by](Settings &settings) { return move(settings.scaleBits, by); });
  }

  void weightScales() {
    const Settings from = bestSettings();
    for (const int by : {+1, -1})
      walk(from, [by](Settings &settings) {
        if (!settings.weightScaleBits) settings.weightScaleBits = settings.scaleBits;
        return move(*settings.weightScaleBits, by);
      });
  }

  void approximations() {
    if (tried_.front().result.approximationError == 0) return; // no smooth function
    const Settings from = bestSettings();
    for (const double factor : {2.0, 0.5})
      walk(from, [factor](Settings &settings) {
        settings.approximationError *= factor;
        return settings.approximationError >= 0x1p-14 && settings.approximationError <= 0x1p-4;
      });
  }

  // Of 64 bits, at the best scale so far and a finer one; from there, back.
  void otherRing() {
    Settings other = bestSettings();
    other.boundBits.reset();
    other.ringBits = other.ringBits == kBitsOf<Ring32> ? kBitsOf<Ring64> : kBitsOf<Ring32>;
    attempt(other);
    if (other.ringBits == kBitsOf<Ring32>) return;
    other.weightScaleBits.reset();
    other.scaleBits = std::min(other.scaleBits + 3, kMostScaleBits);
    attempt(other);
  }

  // The least bound for what is proved, and for what was measured with a bit to spare: fewer bits to compare.
  void bounds() {
    const auto found = best();
    if (!found) return;
    const TrialResult from = tried_[*found].result; // tried_ grows
    const int own = from.settings.boundBits.value_or(defaultBoundBits(from.settings.ringBits));
    Settings settings = from.settings;
    for (const bool measured : {false, true}) {
      const int least = boundFor(from, measured);
      for (int bits = least; bits < std::min(own, least + kBounds); ++bits) {
        settings.boundBits = bits;
        if (classOf(attempt(settings), options_) <= classOf(from, options_)) break;
      }
    }
  }

  // Least k with all that was proved, or measured, at most 2^k - 2^t; at least what the inputs' ranges need.
  int boundFor(const TrialResult &result, bool measured) const {
    double most = 1;
    const double binding =
        std::ldexp(1.0, result.settings.boundBits.value_or(defaultBoundBits(result.settings.ringBits)) - 1);
    for (auto &fact : result.ranges)
      if (fact.limit > binding && fact.limit < 2 * binding) // others are narrower, or the ring's own
        most = std::max(most, measured && fact.wasMeasured ? 2 * fact.measured : fact.proved);
    for (auto &op : imported_.ops)
      if (op.kind == OpKind::Input && op.attrs.has(Attr::Low))
        most = std::max(most, std::ldexp(std::max(std::abs(op.attrs.f(Attr::Low)), std::abs(op.attrs.f(Attr::High))),
                                         result.settings.scaleBits));
    return static_cast<int>(std::floor(std::log2(most))) + 1;
  }

  const Module &imported_;
  TrialOptions options_;
  const SweepProgress &progress_;
  const Settings start_;
  std::vector<Tried> tried_;
};

} // namespace

Sweep sweep(const Module &imported, const TrialOptions &options, const SweepProgress &progress) {
  return Sweeper(imported, options, progress).run();
}

} // namespace sd
