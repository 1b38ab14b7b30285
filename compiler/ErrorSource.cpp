#include "compiler/ErrorSource.h"

#include <algorithm>
#include <cmath>

#include "compiler/Advice.h"
#include "compiler/Compile.h"
#include "compiler/Pipeline.h"
#include "ir/Run.h"
#include "ir/core/Reference.h"
#include "passes/Intervals.h"
#include "passes/Partition.h"
#include "passes/Scales.h"

namespace sd {

namespace {

constexpr double kMostWork = 5e8;       // multiply-adds of all that is run
constexpr std::size_t kMostRecords = 4; // looked at

using Values = std::vector<Tensor<float>>; // of a module on one record, by value

Tensor<float> roundedTo(const Tensor<float> &exact, int scale) {
  Tensor<float> result = exact;
  for (auto &v : result.data)
    v = static_cast<float>(std::ldexp(std::round(std::ldexp(static_cast<double>(v), scale)), -scale));
  return result;
}

// The model as quantize gets it, in floats: smooth functions are piecewise linear ones, factors have moved.
class FloatRun {
public:
  FloatRun(const Module &module, const PassContext &context)
      : module_(module), context_(context), graph_(module),
        places_(partition(graph_, context.options.privateNormalization)) {}

  Expected<void> add(const Record &record) {
    Values values(module_.types.size());
    for (auto &op : module_.ops) {
      if (op.kind == OpKind::Return) continue;
      if (op.kind == OpKind::Input) {
        values[op.result] = record.at(op.attrs.str(Attr::Name));
        continue;
      }
      SD_ASSIGN(values[op.result], evaluate(op, values, nullptr));
    }
    runs_.push_back(std::move(values));
    return {};
  }

  // How far the outputs move, as a sum of squares, if a value (a constant or a result) is rounded to 2^-scale.
  double effectOf(ValueId value, int scale) const {
    double sum = 0;
    for (auto &exact : runs_) {
      std::vector<Tensor<float>> changed(exact.size());
      std::vector<bool> differs(exact.size(), false);
      changed[value] = roundedTo(exact[value], scale);
      differs[value] = true;
      for (std::size_t i = 0; i < module_.ops.size(); ++i) {
        const Op &op = module_.ops[i];
        const auto moved = [&](ValueId v) { return differs[v]; };
        if (op.result == kNoValue || differs[op.result] || std::ranges::none_of(op.operands, moved)) continue;
        Tensor<float> result = *evaluate(op, exact, &changed, &differs);
        differs[op.result] = result.data != exact[op.result].data;
        changed[op.result] = std::move(result);
      }
      for (auto output : module_.ops.back().operands)
        if (differs[output]) sum += distance(changed[output], exact[output]);
    }
    return sum;
  }

  static double distance(const Tensor<float> &a, const Tensor<float> &b) {
    double sum = 0;
    for (std::int64_t i = 0; i < a.size(); ++i)
      if (const double d = static_cast<double>(a.data[i]) - b.data[i]; std::isfinite(d)) sum += d * d;
    return sum;
  }

  double distanceTo(std::size_t run, std::span<const Tensor<float>> outputs) const {
    double sum = 0;
    for (std::size_t o = 0; o < outputs.size(); ++o)
      sum += distance(runs_[run][module_.ops.back().operands[o]], outputs[o]);
    return sum;
  }

  // Calls f(value, scale, what) for each value that fixed point rounds.
  template <class F>
  void forEachRounding(F f) const {
    const int s = context_.options.scaleBits, bound = boundBitsOf(module_, context_.options);
    for (std::size_t i = 0; i < module_.ops.size(); ++i) {
      const Op &op = module_.ops[i];
      if (places_[i] != Place::Private) continue;
      for (auto operand : op.operands)
        if (const auto place = places_[graph_.definitions[operand]]; place == Place::Prefix)
          f(operand, enteredScales(graph_, operand, s, bound).back(),
            fmt::format("the rounded values of {}", describe(graph_.definition(operand))));
      const auto note = std::ranges::find(context_.coarse, describe(op), &Coarseness::where);
      if (note != context_.coarse.end())
        for (auto operand : op.operands)
          if (graph_.constant(operand)) {
            f(operand, note->scale, fmt::format("the rounded weights of {}", describe(op)));
            break; // the others are biases
          }
      if (isRounded(op)) f(op.result, s, fmt::format("the rounded results of {}", describe(op)));
    }
  }

private:
  bool isRounded(const Op &op) const {
    const bool product = op.kind == OpKind::Conv || op.kind == OpKind::MatMul || op.kind == OpKind::BatchNorm ||
                         op.kind == OpKind::Mul || op.kind == OpKind::Div || op.kind == OpKind::VecDot ||
                         op.kind == OpKind::Piecewise;
    return product && std::ranges::any_of(graph_.users[op.result],
                                          [&](std::size_t user) { return places_[user] == Place::Private; });
  }

  Expected<Tensor<float>> evaluate(const Op &op, const Values &exact, const Values *changed,
                                   const std::vector<bool> *differs = nullptr) const {
    std::vector<const Tensor<float> *> operands;
    for (auto v : op.operands)
      operands.push_back(differs && (*differs)[v] ? &(*changed)[v] : &exact[v]);
    return evaluateClear(op.kind, operands, op.attrs);
  }

  const Module &module_;
  const PassContext &context_;
  Graph graph_;
  std::vector<Place> places_;
  std::vector<Values> runs_;
};

std::string beyondLimits(const Measured &measured) {
  const auto &seen = measured.comparison.seen;
  for (std::size_t i = 0; i < seen.size(); ++i)
    if (const Op &op = measured.lowered.ops[i]; seen[i] > 0 && seen[i] > limitOf(op, measured.lowered.ringBits))
      return fmt::format("values beyond the limit of {}", describe(op));
  return "";
}

Expected<std::string> largestSource(const Measured &measured) {
  PassContext context;
  context.options = measured.context.options;
  SD_ASSIGN(const Module module, lower(measured.imported, {defaultPipeline(), {false, {}, "equalise"}}, context));
  FloatRun run(module, measured.context);
  const auto records = measured.records.first(std::min(measured.records.size(), kMostRecords));
  SD_ASSIGN(const Interpreter floats, Interpreter::create(viewOf(measured.imported)));
  double most = 0; // of the approximations, first
  for (std::size_t r = 0; r < records.size(); ++r) {
    SD_TRY(run.add(records[r]));
    SD_ASSIGN(const RunResult exact, floats.run(records[r]));
    most += run.distanceTo(r, exact.outputs);
  }
  std::string source;
  if (const auto &functions = measured.context.approximations; !functions.empty())
    source = fmt::format("the piecewise linear form of {}",
                         std::ranges::max_element(functions, {}, &Approximation::error)->where);
  else
    most = 0;
  run.forEachRounding([&](ValueId value, int scale, const std::string &what) {
    if (const double effect = run.effectOf(value, scale); effect > most) {
      most = effect;
      source = what;
    }
  });
  return source;
}

} // namespace

std::string sourceOfError(const Measured &measured) {
  if (std::string beyond = beyondLimits(measured); !beyond.empty()) return beyond;
  const double work = workOf(measured.imported) * static_cast<double>(measured.imported.ops.size()) * kMostRecords;
  if (work > kMostWork) return "";
  return largestSource(measured).value_or("");
}

} // namespace sd
