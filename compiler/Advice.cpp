#include "compiler/Advice.h"

#include <algorithm>
#include <cmath>

#include "compiler/RandomRecords.h"

namespace sd {

namespace {

constexpr int kSteps = 5, kLeastScaleBits = 4, kMostScaleBits = 16;
constexpr int kRandomRecords = 8;
constexpr double kTrialWork = 1e9; // multiply-adds of a trial's comparison: seconds
constexpr double kEqualCost = 1.05;

bool isDeclared(const Op &input) { return input.attrs.has(Attr::Low); }

std::vector<const Op *> inputsOf(const Module &module) {
  std::vector<const Op *> inputs;
  for (const Op &op : module.ops)
    if (op.kind == OpKind::Input) inputs.push_back(&op);
  return inputs;
}

bool allDeclared(const Module &module) {
  return std::ranges::all_of(inputsOf(module), [](const Op *input) { return isDeclared(*input); });
}

Declared declare(const Module &module, const std::function<std::pair<double, double>(const Op &)> &rangeOf) {
  Declared result{module, {}};
  const bool several = inputsOf(module).size() > 1;
  for (Op &op : result.module.ops) {
    if (op.kind != OpKind::Input || isDeclared(op)) continue;
    const auto [low, high] = rangeOf(op);
    op.attrs.set(Attr::Low, low);
    op.attrs.set(Attr::High, high);
    result.flags.push_back(
        fmt::format("--input-range={}{:g},{:g}", several ? op.attrs.str(Attr::Name) + "=" : "", low, high));
  }
  return result;
}

class Adviser {
public:
  Adviser(const Module &imported, const TrialOptions &options, const Goal &goal)
      : options_(options), goal_(goal), start_(settingsOf(imported, options.passes)), module_(imported) {
    options_.passes.ranges = RangePolicy::Warn; // what the goal asks for is seen in the result
    const auto affordable = static_cast<std::size_t>(std::max(1.0, kTrialWork / workOf(imported)));
    records_.assign(options.records.begin(), options.records.begin() + static_cast<std::ptrdiff_t>(std::min(
                                                                           options.records.size(), affordable)));
    randomCount_ = std::min<std::size_t>(kRandomRecords, affordable);
    isRandom_ = records_.empty();
  }

  Advice run() {
    attempt(start_, "as given");
    if (!declareInputs()) otherSettings();
    choose();
    return std::move(advice_);
  }

private:
  void otherSettings() {
    if (start_.boundBits) {
      Settings wider = start_;
      wider.boundBits.reset();
      attempt(wider, "without --bound");
    }
    const bool refused = !first().compiled();
    const bool coarser = (refused || first().unknown || first().measured) && walk(-1);
    if (!coarser && (refused || !isPrecise(first()))) walk(+1);
    largerRing();
  }

  const TrialResult &first() const { return advice_.tried.front().result; }

  // Whether it reaches the goal.
  bool attempt(const Settings &settings, std::string name = "") {
    if (isRandom_ && records_.empty() && allDeclared(module_))
      records_ = randomRecords(module_, options_.passes.columnRanges, randomCount_);
    options_.records = records_;
    if (name.empty()) name = flagsOf(settings, start_);
    if (!advice_.declared.empty())
      name = fmt::format("{}{}{}", fmt::join(advice_.declared, " "), name.empty() ? "" : " ", name);
    advice_.tried.push_back({std::move(name), tryOut(module_, settings, options_)});
    return goal_(advice_.tried.back().result);
  }

  static bool isPrecise(const TrialResult &result) {
    return result.compiled() && result.approximationError <= result.settings.approximationError &&
           (!result.comparison || result.comparison->close());
  }

  // Nothing is proved where a range is missing: the later trials have one, too. Whether that alone reaches the goal.
  bool declareInputs() {
    if (allDeclared(module_)) return false;
    Declared declared = declareMissing(module_, options_.records);
    module_ = std::move(declared.module);
    advice_.declared = std::move(declared.flags);
    return attempt(start_);
  }

  // From the scale that was asked for on, until the goal is reached or it gets no better. Whether it was.
  bool walk(int step) {
    Settings settings = start_;
    for (int i = 0; i < kSteps; ++i) {
      settings.scaleBits += step;
      if (settings.scaleBits < kLeastScaleBits || settings.scaleBits > kMostScaleBits) return false;
      if (attempt(settings)) return true;
      const TrialResult &last = advice_.tried.back().result;
      if (step < 0 && last.compiled() && !isPrecise(last)) return false; // coarser yet is worse
      if (step > 0 && i > 0 && last.unknown > advice_.tried[advice_.tried.size() - 2].result.unknown) return false;
    }
    return false;
  }

  void largerRing() {
    if (start_.ringBits != kBitsOf<Ring32>) return;
    Settings larger = start_;
    larger.ringBits = kBitsOf<Ring64>;
    larger.boundBits.reset();
    if (attempt(larger)) return;
    larger.scaleBits = std::min(larger.scaleBits + 3, kMostScaleBits);
    attempt(larger);
  }

  void choose() {
    double least = HUGE_VAL;
    for (std::size_t i = 1; i < advice_.tried.size(); ++i) {
      const TrialResult &result = advice_.tried[i].result;
      if (!goal_(result) || (result.online + result.offline) * kEqualCost >= least) continue;
      least = result.online + result.offline;
      advice_.best = i;
    }
    if (records_.empty()) return;
    advice_.note = isRandom_ ? fmt::format("errors on {} random records of the declared range", records_.size())
                             : fmt::format("errors on {} of the records", records_.size());
  }

  TrialOptions options_;
  const Goal &goal_;
  const Settings start_;
  Module module_; // with the ranges that are tried
  std::vector<Record> records_;
  std::size_t randomCount_ = 0;
  bool isRandom_ = false;
  Advice advice_;
};

} // namespace

bool isSound(const TrialResult &result, const TrialOptions &options) {
  const PassOptions &asked = options.passes;
  const bool counts = asked.ranges != RangePolicy::Require && result.recordsMeasured >= asked.minRecords;
  return result.compiled() && !result.unknown && (!result.measured || counts) &&
         result.approximationError <= result.settings.approximationError &&
         (!result.comparison || result.comparison->close());
}

bool isSound(const PassContext &context) {
  const PassOptions &asked = context.options;
  const bool counts = asked.ranges != RangePolicy::Require && context.recordsMeasured >= asked.minRecords;
  return std::ranges::all_of(context.ranges,
                             [&](const RangeFact &fact) {
                               return fact.basis == RangeFact::Basis::Proved ||
                                      (fact.basis == RangeFact::Basis::Measured && counts);
                             }) &&
         std::ranges::all_of(context.approximations, [&](const Approximation &approximation) {
           return approximation.error <= asked.approximationError;
         });
}

Declared declareMissing(const Module &module, std::span<const Record> records) {
  return declare(module, [&](const Op &input) -> std::pair<double, double> {
    if (records.empty()) return module.type(input.result).shape.size() > 2 ? std::pair(0.0, 1.0) : std::pair(-5.0, 5.0);
    double low = HUGE_VAL, high = -HUGE_VAL;
    for (const Record &record : records)
      for (const double v : record.at(input.attrs.str(Attr::Name)).data) {
        low = std::min(low, v);
        high = std::max(high, v);
      }
    return declarableRange(low, high);
  });
}

Advice advise(const Module &imported, const TrialOptions &options, const Goal &goal) {
  return Adviser(imported, options, goal).run();
}

double workOf(const Module &imported) {
  constexpr double kElement = 32; // of a result: passes and comparisons take longer over it than a multiply-add
  double work = 1;
  for (auto &op : imported.ops) {
    if (op.result == kNoValue) continue;
    const auto elements = static_cast<double>(elementCount(imported.type(op.result).shape));
    if (op.kind != OpKind::Constant) work += kElement * elements;
    if (op.kind == OpKind::Conv) {
      const Shape &weights = imported.type(op.operands[1]).shape;
      work += elements * static_cast<double>(elementCount(weights) / weights[0]);
    } else if (op.kind == OpKind::MatMul || op.kind == OpKind::VecDot) {
      work += elements * static_cast<double>(imported.type(op.operands[0]).shape.back());
    } else if (op.kind == OpKind::MaxPool || op.kind == OpKind::AvgPool) {
      double taps = 1;
      for (const std::int64_t size : op.attrs.ints(Attr::Kernel))
        taps *= static_cast<double>(size);
      work += elements * taps;
    }
  }
  return work;
}

std::pair<double, double> declarableRange(double low, double high) {
  for (const auto &[from, to] : {std::pair(0.0, 1.0), std::pair(-1.0, 1.0), std::pair(0.0, 255.0)})
    if (low >= from && high <= to && (to <= 1 || high > 16)) return {from, to};
  const double wide = std::max((high - low) / 2, 1.0);
  const double unit = std::pow(10.0, std::floor(std::log10(high - low + 2 * wide)) - 1); // two digits
  const auto asWritten = [](double v) { return std::stod(fmt::format("{:g}", v)); };
  return {asWritten(std::floor((low - wide) / unit) * unit), asWritten(std::ceil((high + wide) / unit) * unit)};
}

} // namespace sd
