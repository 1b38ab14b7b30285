#include "passes/Softmax.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace sd {

namespace {

constexpr double kReciprocalShare = 1.0 / 8; // of the error: the reciprocal is taken once a row, its knots cost little
constexpr double kMostError = 0x1p-5;        // beyond, the sum might leave what the reciprocal is fitted on
constexpr double kMargin = 1.0 / 16;         // of the sum, likewise
constexpr int kMostGuard = 10;
constexpr std::size_t kMostReciprocalKnots = 1024;
constexpr std::int64_t kMostScores = std::int64_t{1} << 14;
constexpr double kMostMissed = 4; // times the error that is asked for
// Of a part of the reciprocal: small values leave their slopes more bits, which long pieces need.
constexpr double kRatio = 40;

// Errors of many small exponentials add up in their sum, those of large ones are divided by it. So the fit of exp(x)
// may be off by eps w(x), w(x) = 1 / n + 2 exp(x). With S the sum of the n exponentials, whose largest is 1, their
// errors sum up to eps (1 + 2 S) <= 3 eps S at most, and a probability y = exp(x) / S is off by at most
//   ((1 - y) eps w(x) + y eps (1 + 2 S - w(x))) / (S - 3 eps S) <= 4/3 eps / (1 - 3 eps):
// the numerator is eps S (((1 - y) / n + y (1 - 1 / n)) / S + 4 y (1 - y)), with S = 1 / y for the largest score and
// S >= 1 / (1 - y) for any other. The reciprocal's relative error comes on top.
double softmaxError(double exponential, double reciprocal) {
  if (3 * exponential >= kMargin) return std::numeric_limits<double>::infinity();
  const double error = 4.0 / 3 * exponential / (1 - 3 * exponential);
  return error + (1 + error) * reciprocal;
}

// The eps for that error.
double exponentialError(double error) { return error / (4.0 / 3 + 3 * error); }

double relativeError(const std::vector<PiecewiseLinear> &parts, double least, double most) {
  PiecewiseLinear sum = parts[0];
  for (std::size_t i = 1; i < parts.size(); ++i)
    sum = sum + parts[i];
  double worst = 0;
  for (double x = least; x < most; x *= 1 + 0x1p-10)
    worst = std::max(worst, std::abs(sum(x) * x - 1));
  for (double x : sum.knots)
    if (x <= most) worst = std::max(worst, std::abs(sum(x) * x - 1));
  return worst;
}

class Emission {
public:
  Emission(Builder &builder, const std::string &source) : builder_(builder), source_(source) {}

  ValueId create(OpKind kind, std::vector<ValueId> operands, Attrs attrs = {}) {
    return builder_.create(kind, std::move(operands), std::move(attrs), source_);
  }
  const Shape &shapeOf(ValueId x) const { return builder_.type(x).shape; }
  ValueId reshape(ValueId x, Shape shape) { return create(OpKind::Reshape, {x}, {{Attr::Dims, std::move(shape)}}); }

  // Over the whole last axis of [1, rows, n].
  ValueId pool(OpKind kind, ValueId x) {
    using Ints = std::vector<std::int64_t>;
    Attrs attrs = {{Attr::Kernel, Ints{shapeOf(x).back()}},
                   {Attr::Strides, Ints{1}},
                   {Attr::Pads, Ints{0, 0}},
                   {Attr::Dilations, Ints{1}},
                   {Attr::CeilMode, std::int64_t{0}}};
    if (kind == OpKind::AvgPool) { // the sum
      attrs.set(Attr::CountIncludePad, std::int64_t{0});
      attrs.set(Attr::Shift, std::int64_t{0});
    }
    return create(kind, {x}, std::move(attrs));
  }
  ValueId piecewise(const PiecewiseLinear &f, int guard, ValueId x) {
    Attrs attrs = f.attrs();
    if (guard) attrs.set(Attr::Guard, std::int64_t{guard});
    return create(OpKind::Piecewise, {x}, std::move(attrs));
  }

private:
  Builder &builder_;
  const std::string &source_;
};

} // namespace

std::size_t SoftmaxFit::knots() const {
  std::size_t count = exponential.knots.size();
  for (const PiecewiseLinear &part : reciprocals)
    count += part.knots.size();
  return count;
}

Expected<SoftmaxFit> fitSoftmax(std::int64_t n, const FitOptions &options) {
  if (n > kMostScores) return fail("at most {} are possible", kMostScores);
  const double error = std::min(options.error, kMostError), count = static_cast<double>(n);
  SoftmaxFit result;
  FitOptions each = options;
  // Two factors at this many bits have a product below the bound.
  each.guard = result.guard = std::clamp((options.boundBits - 2) / 2 - options.scale, 0, kMostGuard);

  each.error = kReciprocalShare * error;
  each.maxKnots = kMostReciprocalKnots;
  const double least = 1 - kMargin, most = (1 + kMargin) * count;
  for (double from = least; from < most; from *= kRatio) {
    const double to = std::min(from * kRatio, most), end = to < most ? 1 / to : 0;
    each.weight = [=](double x) { return 1 / std::clamp(x, from, to); };
    SD_ASSIGN(const Fit part, fitPiecewise([=](double x) { return 1 / std::clamp(x, from, to) - end; }, each));
    // What rounding leaves at the far end would count most there: it goes to the near one.
    result.reciprocals.push_back(part.function + (1 / to - end - part.function(to + 1)));
  }

  const double reciprocal = relativeError(result.reciprocals, least, most);
  each.error = exponentialError(std::max(error - (1 + error) * reciprocal, error / 2)); // what is left of it
  each.maxKnots = options.maxKnots;
  each.weight = [=](double x) { return 1 / count + 2 * std::exp(std::min(x, 0.0)); };
  SD_ASSIGN(const Fit exponential, fitPiecewise([](double x) { return std::exp(std::min(x, 0.0)); }, each));
  result.exponential = exponential.function;
  result.error = softmaxError(exponential.error, reciprocal);
  if (result.error > kMostMissed * options.error)
    return fail(
        "it would be off by up to {:.3g}, more than {:g} times the {:.3g} asked for, as integers below 2^{} leave "
        "its functions too few bits for so many scores",
        result.error, kMostMissed, options.error, options.boundBits);
  return result;
}

ValueId appendSoftmax(Builder &builder, ValueId x, std::int64_t axis, const SoftmaxFit &fit,
                      const std::string &source) {
  Emission to(builder, source);
  const Shape shape = to.shapeOf(x);
  std::vector<std::int64_t> perm(shape.size());
  std::iota(perm.begin(), perm.end(), 0);
  std::swap(perm[static_cast<std::size_t>(axis)], perm.back()); // its own inverse
  if (!std::ranges::is_sorted(perm)) x = to.create(OpKind::Transpose, {x}, {{Attr::Perm, perm}});
  const Shape turned = to.shapeOf(x);
  const std::int64_t n = turned.back();
  const ValueId rows = to.reshape(x, {1, elementCount(turned) / n, n});

  const ValueId below = to.create(OpKind::Sub, {rows, to.pool(OpKind::MaxPool, rows)});
  const ValueId exponentials = to.piecewise(fit.exponential, fit.guard, below);
  const ValueId sum = to.pool(OpKind::AvgPool, exponentials);
  ValueId inverse = to.piecewise(fit.reciprocals[0], fit.guard, sum);
  for (std::size_t i = 1; i < fit.reciprocals.size(); ++i)
    inverse = to.create(OpKind::Add, {inverse, to.piecewise(fit.reciprocals[i], fit.guard, sum)});
  ValueId y = to.create(OpKind::Mul, {exponentials, inverse});
  y = to.reshape(y, turned);
  return std::ranges::is_sorted(perm) ? y : to.create(OpKind::Transpose, {y}, {{Attr::Perm, perm}});
}

} // namespace sd
