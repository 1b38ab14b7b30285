// Sums of ReLUs of one value: an interval for each term would forget that they move together.
#include <algorithm>
#include <cmath>

#include "ir/core/OpFamilies.h"
#include "passes/IntervalRules.h"

namespace sd::intervals {

namespace {
constexpr std::size_t kMaxKnots = 1024;

// At least the largest number that the evaluation of f between `low` and `high` meets.
double sizeOf(const PiecewiseLinear &f, double low, double high) {
  double slope = 0, run = std::max(std::abs(low), std::abs(high));
  for (double m : f.slopes)
    slope = std::max(slope, std::abs(m));
  for (double k : f.knots)
    run = std::max(run, std::abs(k));
  return std::abs(f.offset) + 2 * slope * run;
}
} // namespace

std::optional<Functions::Function> Functions::functionOf(const Case &c, std::size_t i) const {
  const ValueId value = c.op.operands[i];
  if (functions_[value]) return functions_[value];
  return Function{value, std::make_shared<const Interval>(*c.in[i]), {}};
}

std::optional<Functions::Function> Functions::resultOf(const Case &c) const {
  switch (c.op.kind) {
  case OpKind::ShareAdd:
  case OpKind::ShareSub: {
    if (!functions_[c.op.operands[0]] && !functions_[c.op.operands[1]]) return std::nullopt;
    auto a = functionOf(c, 0), b = functionOf(c, 1);
    if (a->base != b->base || a->f.knots.size() + b->f.knots.size() > kMaxKnots) return std::nullopt;
    a->f = a->f + (c.op.kind == OpKind::ShareAdd ? b->f : b->f * -1);
    return a;
  }
  case OpKind::ShareAddC:
  case OpKind::ShareMulC:
  case OpKind::ShareRescale: {
    auto x = functionOf(c, 0);
    if (c.op.kind == OpKind::ShareAddC) x->f = x->f + static_cast<double>(c.op.attrs.i(Attr::Addend));
    if (c.op.kind == OpKind::ShareMulC) x->f = x->f * static_cast<double>(c.op.attrs.i(Attr::Factor));
    return x;
  }
  case OpKind::ShareAddW: {
    const Integers &weights = *c.weights[0];
    const bool uniform = weights.visit(
        [](const auto &tensor) { return std::ranges::count(tensor.data, tensor.data[0]) == tensor.size(); });
    if (c.weightsUnknown || !uniform) return std::nullopt;
    auto x = functionOf(c, 0);
    x->f = x->f + static_cast<double>(weights[0]);
    return x;
  }
  case OpKind::ShareRelu: {
    if (c.op.attrs.i(Attr::Bits) != 0 || c.op.operands.size() > 1) return std::nullopt;
    auto x = functionOf(c, 0);
    x->f = positivePart(x->f);
    return x;
  }
  case OpKind::ShareConstant: // not followed
  case OpKind::ShareInput:
  case SD_SHARE_PACKED:
  case OpKind::ShareSumPool:
  case SD_SHARE_LAYOUT:
  case OpKind::ShareTruncate:
  case OpKind::ShareMax:
  case SD_SHARE_PRODUCTS:
  case OpKind::ShareOutput:
#include "ir/core/NnCases.def"
    break;
  }
  return std::nullopt;
}

std::optional<Interval> Functions::follow(const Case &c) {
  auto &function = functions_[c.op.result];
  function = resultOf(c);
  if (!function) return std::nullopt;
  Interval result = *function->of;
  for (std::size_t i = 0; i < result.low.data.size(); ++i) {
    const double from = result.low.data[i], to = result.high.data[i];
    const auto [low, high] = function->f.range(from, to);
    const double slack = slackOf(sizeOf(function->f, from, to));
    result.low.data[i] = std::floor(low) - slack;
    result.high.data[i] = std::ceil(high) + slack;
  }
  return result;
}

} // namespace sd::intervals
