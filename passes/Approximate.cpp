// Smooth activations become piecewise linear ones: each nn.sigmoid, nn.tanh and so on, together with what else makes
// one function of one value with it (x sigmoid(x), x / 2 (1 + erf(x / sqrt(2))), x tanh(softplus(x)) ...), which is
// fitted as a whole: as many comparisons as for the sigmoid alone, and no product. A softmax takes two such functions.
// A sigmoid or softmax at the end of the network stays: the hospital computes it in the clear. The functions are
// public, and so is what is fitted with them: constants of the model only if they are numbers that say nothing, such as
// 1/2.
#include <algorithm>
#include <cmath>
#include <map>
#include <numbers>
#include <set>

#include "ir/core/OpFamilies.h"
#include "ir/core/Reference.h"
#include "passes/FitPiecewise.h"
#include "passes/FitWide.h"
#include "passes/Partition.h"
#include "passes/Pass.h"
#include "passes/Softmax.h"

namespace sd {

namespace {

bool isScalarFunction(const Op &op) { return op.kind == OpKind::Function && !isNorm(op); }

bool isSmooth(const Op &op) {
  const OpKind kind = op.kind;
  return kind == OpKind::Sigmoid || kind == OpKind::Tanh || kind == OpKind::Erf || kind == OpKind::Elu ||
         kind == OpKind::Softplus || kind == OpKind::Softsign || isScalarFunction(op);
}

// One that the hospital would compute, if nothing behind it were private.
bool mayBeInside(const Op &op) {
  return op.kind == OpKind::Sigmoid || op.kind == OpKind::Softmax || isScalarFunction(op);
}

// Fractions of small whole numbers, and what the formulas of GELU hold: architecture, not training.
bool isPublicNumber(const Tensor<float> *constant) {
  if (!constant || constant->size() != 1) return false;
  const double v = std::abs(static_cast<double>(constant->data[0]));
  auto is = [v](double number) { return std::abs(v - number) <= 1e-6 * number; };
  if (v == 0) return true;
  for (int n = 1; n <= 16; ++n)
    for (int d = 1; d <= 8; ++d)
      if (is(static_cast<double>(n) / d)) return true;
  constexpr double kCubic = 0.044715, kQuick = 1.702; // of GELU's approximations by tanh, by sigmoid
  const double slope = std::sqrt(2 / std::numbers::pi);
  for (double number : {std::numbers::sqrt2, 1 / std::numbers::sqrt2, kCubic, kQuick, slope, slope * kCubic})
    if (is(number)) return true;
  return false;
}

// By value: whether it can't be negative, whatever the record is.
std::vector<bool> nonNegativeValues(const Module &module) {
  std::vector<bool> result(module.types.size());
  for (const Op &op : module.ops) {
    if (op.result == kNoValue) continue;
    const auto all = [&] { return std::ranges::all_of(op.operands, [&](ValueId v) { return result[v]; }); };
    const OpKind kind = op.kind;
    if (kind == OpKind::Constant)
      result[op.result] = std::ranges::all_of(op.attrs.floats(Attr::Value).data, [](float v) { return v >= 0; });
    else if (kind == OpKind::Relu)
      result[op.result] = isPlainRelu(op);
    else if (kind == OpKind::Mul)
      result[op.result] = op.operands[0] == op.operands[1] || all();
    else if (kind == OpKind::Add || kind == OpKind::Concat || kind == OpKind::MaxPool || kind == OpKind::AvgPool ||
             isMove(kind))
      result[op.result] = all();
    else
      result[op.result] = kind == OpKind::Sigmoid || kind == OpKind::Softmax || kind == OpKind::Softplus;
  }
  return result;
}

// What the hospital can do with opened values: arithmetic with public numbers; that of two values, such as the
// probabilities of two networks, unless a sigmoid is behind them.
bool isClear(const Graph &graph, const Op &op, bool behindSigmoid) {
  if (isFinal(op) || isMove(op.kind) || op.kind == OpKind::Concat || op.kind == OpKind::Pad) return true;
  if (op.kind != OpKind::Add && op.kind != OpKind::Sub && op.kind != OpKind::Mul && op.kind != OpKind::Div)
    return false;
  const auto *left = graph.constant(op.operands[0]), *right = graph.constant(op.operands[1]);
  if (left || right) return (left ? left : right)->size() == 1;
  return op.kind == OpKind::Div || !behindSigmoid; // import divides by opened values alone
}

// The ops behind the outputs: final ones, and what takes nothing but their results. A sigmoid or softmax is final only
// if all that uses it is one of these. Each op leaves the set at most once, and takes its users and operands along.
class ClearEnd {
public:
  explicit ClearEnd(const Graph &graph)
      : graph_(graph), clear_(graph.module.ops.size()), returns_(clear_.size()), inside_(clear_.size()) {}

  std::vector<bool> ops() {
    const auto &ops = graph_.module.ops;
    std::vector<bool> sigmoid(ops.size()); // one is behind it
    for (std::size_t i = 0; i < ops.size(); ++i) {
      sigmoid[i] = ops[i].kind == OpKind::Sigmoid ||
                   std::ranges::any_of(ops[i].operands, [&](ValueId v) { return sigmoid[graph_.definitions[v]]; });
      const auto isOpened = [&](ValueId v) { return clear_[graph_.definitions[v]] || graph_.constant(v); };
      clear_[i] = stays(i) || (!ops[i].operands.empty() && isClear(graph_, ops[i], sigmoid[i]) &&
                               std::ranges::all_of(ops[i].operands, isOpened));
      if (!clear_[i]) left_.push_back(i);
    }
    while (!left_.empty()) {
      const std::size_t i = left_.back();
      left_.pop_back();
      reach(ops[i]);
      if (clear_[i] || ops[i].result == kNoValue) continue; // it is behind this op that something is not in the clear
      for (std::size_t user : graph_.users[ops[i].result])
        if (clear_[user] && !stays(user) && !graph_.constant(ops[i].result)) leave(user);
    }
    return std::move(clear_);
  }

private:
  // Whatever its operands are.
  bool stays(std::size_t i) const {
    const Op &op = graph_.module.ops[i];
    return op.kind == OpKind::Return || (isFinal(op) && !inside_[i]);
  }

  void leave(std::size_t i) {
    clear_[i] = false;
    left_.push_back(i);
  }

  // Tells the ops that define the operands that something behind them is not in the clear.
  void reach(const Op &op) {
    for (ValueId operand : op.operands) {
      const std::size_t i = graph_.definitions[operand];
      if (returns_[i]) continue;
      returns_[i] = true;
      if (clear_[i] && mayBeInside(graph_.module.ops[i])) {
        inside_[i] = true;
        const auto isOpened = [&](ValueId v) { return clear_[graph_.definitions[v]] || graph_.constant(v); };
        if (!std::ranges::all_of(graph_.module.ops[i].operands, isOpened)) clear_[i] = false;
      }
      left_.push_back(i);
    }
  }

  const Graph &graph_;
  std::vector<bool> clear_, returns_; // returns_: something behind it is not in the clear
  std::vector<bool> inside_;          // sigmoids and softmaxes that are not at the end
  std::vector<std::size_t> left_;     // to be told to users and operands
};

// A function of one value: the ops that compute it from `base`, the last one being it.
struct Region {
  ValueId base = kNoValue;
  std::set<std::size_t> ops;
};

// The formulas of smooth functions have about ten ops; a search that goes on makes long chains cost their square.
constexpr std::size_t kMostRegionOps = 32;

// How far functions without lines are followed: as far as rounding allows.
constexpr double kReaches[] = {0x1p19, 0x1p15, 0x1p12};

constexpr double kMostMissed = 4; // times the error that is asked for

class Approximator {
public:
  Approximator(const Module &module, PassContext &context)
      : graph_(module), context_(context), clear_(ClearEnd(graph_).ops()), rewriter_(module) {}

  Expected<Module> run() {
    const auto &ops = graph_.module.ops;
    std::map<std::size_t, Fit> fits; // by the region's last op
    std::map<std::size_t, ValueId> bases;
    std::set<std::size_t> gone;
    for (std::size_t i = ops.size(); i-- > 0;) {
      if (isSoftmax(i)) checkSoftmax(ops[i]);
      if (gone.contains(i) || !isElementwise(i)) continue;
      std::string reason; // why the largest region can't be
      auto regions = regionsOf(i);
      for (auto region = regions.rbegin(); region != regions.rend() && !fits.contains(i); ++region) {
        auto fit = fitOf(*region, isFactor(i));
        if (!fit) {
          if (reason.empty()) reason = fit.error().message;
          continue;
        }
        fits.emplace(i, *std::move(fit));
        bases.emplace(i, region->base);
        gone.insert(region->ops.begin(), region->ops.end());
      }
      if (!fits.contains(i) && needsFit(ops[i]))
        complaints_.add(ops[i], "cannot be approximated: {}",
                        reason.empty() ? "it is no function of one value, element by element" : reason);
    }
    if (!complaints_.empty()) return complaints_.error();
    context_.approximations.clear();
    for (std::size_t i = 0; i < ops.size(); ++i)
      if (auto fit = fits.find(i); fit != fits.end())
        replace(ops[i], fit->second, bases[i]);
      else if (isSoftmax(i))
        replaceSoftmax(ops[i]);
      else
        rewriter_.clone(ops[i]); // those that are gone have no user left
    return rewriter_.finish();
  }

private:
  // Of one value's elements, each for itself, and public numbers.
  bool isElementwise(std::size_t i) const {
    const Op &op = graph_.module.ops[i];
    if (clear_[i]) return false;
    switch (op.kind) {
    case OpKind::Relu:
      return isPlainRelu(op);
    case OpKind::Piecewise:
      return true;
    case SD_NN_ARITHMETIC:
      return std::ranges::all_of(op.operands, [&](ValueId v) {
        const auto *constant = graph_.constant(v);
        return constant ? isPublicNumber(constant) : graph_.module.type(v).shape == graph_.module.type(op.result).shape;
      });
    case OpKind::Sigmoid:
    case SD_NN_SMOOTH:
    case OpKind::Function:
      return isSmooth(op);
    case SD_NN_ENDS:
    case OpKind::Identity:
    case SD_NN_PRODUCTS:
    case OpKind::BatchNorm:
    case OpKind::VecDot:
    case OpKind::AtMost:
    case SD_NN_POOLS:
    case SD_NN_LAYOUT:
    case OpKind::Softmax:
    case OpKind::LogSoftmax:
    case SD_NN_RANKING:
    case OpKind::ReduceSum:
#include "ir/core/ShareCases.def"
      break;
    }
    return false;
  }

  // By a computed value: no product does it.
  bool needsFit(const Op &op) const {
    return isSmooth(op) || (op.kind == OpKind::Div && !graph_.constant(op.operands[1]));
  }

  // Growing sets of ops in front of op `last` that depend on one value, and that nothing else uses.
  std::vector<Region> regionsOf(std::size_t last) const {
    std::vector<Region> found;
    if (!reachesSmooth_[last]) return found;
    Region region{kNoValue, {last}};
    std::set<std::size_t> before; // ops that the region depends on
    bool smooth = false;
    for (std::size_t newest = last; region.ops.size() <= kMostRegionOps;) {
      const Op &op = graph_.module.ops[newest];
      smooth |= needsFit(op);
      for (auto v : op.operands)
        if (!graph_.constant(v)) before.insert(graph_.definitions[v]); // not of the region yet: those come later
      if (before.size() == 1 && smooth) {
        region.base = graph_.module.ops[*before.begin()].result;
        found.push_back(region);
      }
      // The latest first: whatever lies between a common base and the last op comes before the base.
      if (before.empty() || !isElementwise(*before.rbegin())) return found;
      newest = *before.rbegin();
      const auto &users = graph_.users[graph_.module.ops[newest].result];
      if (!std::ranges::all_of(users, [&](std::size_t user) { return region.ops.contains(user); })) return found;
      before.erase(newest);
      region.ops.insert(newest);
    }
    return found;
  }

  // Whether a smooth op is among `i` and the elementwise ops that it depends on: only there are regions to look for.
  std::vector<bool> opsThatReachSmooth() const {
    const auto &ops = graph_.module.ops;
    std::vector<bool> reaches(ops.size());
    for (std::size_t i = 0; i < ops.size(); ++i)
      reaches[i] = isElementwise(i) && (needsFit(ops[i]) || std::ranges::any_of(ops[i].operands, [&](ValueId v) {
                                          return reaches[graph_.definitions[v]];
                                        }));
    return reaches;
  }

  double evaluate(const Region &region, double x) const {
    std::map<ValueId, double> values{{region.base, x}};
    double result = x;
    for (auto i : region.ops) {
      const Op &op = graph_.module.ops[i];
      auto operand = [&](std::size_t k) {
        const auto *constant = graph_.constant(op.operands[k]);
        return constant ? static_cast<double>(constant->data[0]) : values.at(op.operands[k]);
      };
      result = op.kind == OpKind::Add         ? operand(0) + operand(1)
               : op.kind == OpKind::Sub       ? operand(0) - operand(1)
               : op.kind == OpKind::Mul       ? operand(0) * operand(1)
               : op.kind == OpKind::Div       ? operand(0) / operand(1)
               : op.kind == OpKind::Piecewise ? PiecewiseLinear::of(op.attrs)(operand(0))
               : op.kind == OpKind::Function  ? findFunction(op.attrs.str(Attr::Function))->apply(operand(0))
                                              : evaluateScalar(op.kind, operand(0));
      values[op.result] = result;
    }
    return result;
  }

  // The same functions recur from layer to layer.
  std::string keyOf(const Region &region) const {
    std::map<ValueId, std::size_t> numbers{{region.base, 0}};
    std::string key;
    for (auto i : region.ops) {
      const Op &op = graph_.module.ops[i];
      key += info(op.kind).mnemonic;
      if (op.kind == OpKind::Function) key += op.attrs.str(Attr::Function);
      for (auto v : op.operands)
        key +=
            graph_.constant(v) ? fmt::format(" {:a}", graph_.constant(v)->data[0]) : fmt::format(" %{}", numbers.at(v));
      if (op.kind == OpKind::Piecewise) {
        const auto f = PiecewiseLinear::of(op.attrs);
        key += fmt::format(" {:a} {:a} {:a}", fmt::join(f.knots, " "), fmt::join(f.slopes, " "), f.offset);
      }
      key += ';';
      numbers.emplace(op.result, numbers.size());
    }
    return key;
  }

  // Whether op i's value is a factor of computed values and nothing else: where it is small they may be large.
  bool isFactor(std::size_t i) const {
    const auto &users = graph_.users[graph_.module.ops[i].result];
    return !users.empty() && std::ranges::all_of(users, [&](std::size_t user) {
      const Op &op = graph_.module.ops[user];
      if (isMove(op.kind)) return isFactor(user);
      return op.kind == OpKind::Mul && op.operands[0] != op.operands[1] &&
             std::ranges::none_of(op.operands, [&](ValueId v) { return graph_.constant(v); });
    });
  }

  // What has no line, and a factor that has a formula of its own.
  bool isFormula(const Region &region) const {
    return std::ranges::any_of(region.ops, [&](std::size_t i) {
      const OpKind kind = graph_.module.ops[i].kind;
      return kind == OpKind::Function || kind == OpKind::Div;
    });
  }

  Expected<Fit> fitOf(const Region &region, bool asFactor) {
    const bool positive = nonNegative_[region.base], ofFormula = isFormula(region);
    const std::string key = keyOf(region) + (positive ? "+" : "") + (asFactor ? "*" : "");
    if (auto known = known_.find(key); known != known_.end()) return known->second;
    const auto f = [&](double x) { return evaluate(region, x); };
    const FitOptions options = fitOptions();
    const auto isClose = [&](const Expected<Fit> &fit) { return fit && fit->error <= kMostMissed * options.error; };
    auto fit = ofFormula && asFactor ? fitFactor(f, positive, options) : fitPiecewise(f, options);
    if (!isClose(fit) && ofFormula && asFactor) fit = fitPiecewise(f, options);
    for (const double reach : kReaches)
      if (!isClose(fit) && ofFormula) fit = fitWide(f, positive, reach, options);
    return known_.emplace(key, std::move(fit)).first->second;
  }

  FitOptions fitOptions() const {
    FitOptions options;
    options.error = context_.options.approximationError;
    options.scale = context_.options.scaleBits;
    options.boundBits = boundBitsOf(graph_.module, context_.options);
    return options;
  }

  void replace(const Op &op, const Fit &fit, ValueId base) {
    Attrs attrs = fit.function.attrs();
    if (fit.guard) attrs.set(Attr::Guard, std::int64_t{fit.guard});
    rewriter_.replace(op, OpKind::Piecewise, {rewriter_[base]}, std::move(attrs));
    note({describe(op), fit.function.knots.size(), fit.error, fit.slopeError});
    if (fit.reach > 0 && fit.reach < kReaches[0])
      context_.warnings.push_back(
          fmt::format("{}: follows its formula for operands up to {:g} alone; larger ones give a wrong result",
                      describe(op), fit.reach));
  }

  void note(Approximation approximation) {
    if (approximation.error > context_.options.approximationError)
      context_.warnings.push_back(
          fmt::format("{}: the approximation is off by up to {:.3g}, more than the {:.3g} asked for",
                      approximation.where, approximation.error, context_.options.approximationError));
    context_.approximations.push_back(std::move(approximation));
  }

  bool isSoftmax(std::size_t i) const { return graph_.module.ops[i].kind == OpKind::Softmax && !clear_[i]; }

  std::int64_t scoresOf(const Op &softmax) const {
    return graph_.module.type(softmax.result).shape[static_cast<std::size_t>(softmax.attrs.i(Attr::Axis))];
  }

  void checkSoftmax(const Op &op) {
    const std::int64_t n = scoresOf(op);
    if (n > 1 && !softmaxes_.contains(n)) softmaxes_.emplace(n, fitSoftmax(n, fitOptions()));
    if (n > 1 && !softmaxes_.at(n))
      complaints_.add(op, "cannot be approximated over {} scores: {}", n, softmaxes_.at(n).error().message);
  }

  void replaceSoftmax(const Op &op) {
    const std::int64_t n = scoresOf(op);
    const ValueId x = rewriter_[op.operands[0]];
    if (n == 1) { // the probability of what is certain
      const PiecewiseLinear one{{0}, {0, 0}, 1};
      rewriter_.replace(op, OpKind::Piecewise, {x}, one.attrs());
      return;
    }
    const SoftmaxFit &fit = *softmaxes_.at(n);
    rewriter_.map(op.result, appendSoftmax(rewriter_.builder, x, op.attrs.i(Attr::Axis), fit, op.source));
    note({describe(op), fit.knots(), fit.error, 0});
  }

  Graph graph_;
  PassContext &context_;
  std::vector<bool> clear_; // ops behind the outputs
  std::vector<bool> reachesSmooth_ = opsThatReachSmooth();
  Rewriter rewriter_;
  std::map<std::string, Expected<Fit>> known_;
  std::vector<bool> nonNegative_ = nonNegativeValues(graph_.module);
  std::map<std::int64_t, Expected<SoftmaxFit>> softmaxes_; // by the number of scores
  Complaints complaints_;
};

} // namespace

Expected<Module> approximate(const Module &module, PassContext &context) { return Approximator(module, context).run(); }

} // namespace sd
