#include "passes/Intervals.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "ir/core/ReferenceLinear.h"
#include "ir/core/Ring.h"
#include "ir/core/Windows.h"
#include "passes/IntervalRules.h"

namespace sd {

double Interval::least() const { return *std::ranges::min_element(low.data); }
double Interval::most() const { return *std::ranges::max_element(high.data); }
double Interval::magnitude() const { return std::max(std::abs(least()), std::abs(most())); }

double limitOf(const Op &op, int ringBits) {
  const auto power = [&](Attr attr) { return std::ldexp(1.0, static_cast<int>(op.attrs.i(attr))); };
  double limit = std::numeric_limits<double>::infinity();
  if (op.kind == OpKind::ShareTruncate || op.kind == OpKind::ShareRelu)
    limit = power(Attr::Bound) - power(Attr::Bits);
  else if (op.kind == OpKind::ShareMax)
    limit = power(Attr::Bound) - 1;
  else if (op.kind == OpKind::ShareOutput)
    limit = std::ldexp(1.0, ringBits - 1) - 1;
  // Where doubles would round it up, a little less.
  return std::isfinite(limit) ? limit - intervals::slackOf(limit) : limit;
}

namespace {

using intervals::Case;

double magnitudeBefore(const Op &op, std::span<const Interval *const> in) {
  if (op.kind != OpKind::ShareMax) return in[0]->magnitude();
  return intervals::combine(
             *in[0], *in[1], [](double a, double b) { return a - b; }, true)
      .magnitude();
}

Interval clipped(const Interval &x, double limit) {
  Interval result = x;
  for (auto *side : {&result.low, &result.high})
    for (auto &v : side->data)
      v = std::clamp(v, -limit, limit);
  return result;
}

Interval entered(const Module &module, const Op &op, const Interval *clear) {
  const int scale = module.type(op.result).scale;
  // share.input refuses larger ones.
  const double most = std::ldexp(1.0, static_cast<int>(op.attrs.i(Attr::Bound, module.ringBits - 2))) - 1;
  if (!clear) return Interval::uniform(-most, most);
  Interval result = *clear;
  for (auto *side : {&result.low, &result.high})
    for (auto &v : side->data)
      v = std::clamp(std::round(std::ldexp(v, scale)), -most, most);
  return result;
}

} // namespace

void walkIntervals(const Module &module, Knowledge knowledge, const LimitVisitor &visit, const ColumnRanges &columns) {
  std::vector<std::optional<Interval>> values(module.types.size());
  intervals::Functions functions(module);
  intervals::Mixtures mixtures(module);
  intervals::Norms norms(module);
  const auto forget = [&](ValueId value) {
    functions.drop(value);
    mixtures.drop(value);
  };
  std::vector<std::size_t> lastUse(module.types.size(), 0);
  for (std::size_t i = 0; i < module.ops.size(); ++i)
    for (auto operand : module.ops[i].operands)
      lastUse[operand] = i;

  std::vector<const Integers *> weights(module.types.size(), nullptr);
  for (std::size_t i = 0; i < module.ops.size(); ++i) {
    const Op &op = module.ops[i];
    if (op.kind == OpKind::ShareConstant) {
      weights[op.result] = &op.attrs.integers(Attr::Weights);
      continue;
    }
    if (op.kind == OpKind::Return) break;
    std::vector<const Interval *> in;
    std::vector<const Integers *> constants;
    bool known = true;
    std::vector<Interval> bounded; // operands, within the op's limit
    bounded.reserve(op.operands.size());
    for (auto operand : op.operands) {
      if (weights[operand]) {
        constants.push_back(weights[operand]);
      } else if (values[operand]) {
        in.push_back(&*values[operand]);
      } else {
        known = false;
      }
    }
    if (info(op.kind).level == Level::Nn) { // the hospital's: known while everything before it is
      if (known) values[op.result] = intervals::clearOp(module, op, in, columns);
    } else if (op.kind == OpKind::ShareInput) {
      values[op.result] = entered(module, op, known ? in[0] : nullptr);
    } else {
      assert(known);
      const double limit = limitOf(op, module.ringBits);
      if (std::isfinite(limit)) {
        const double magnitude = magnitudeBefore(op, in);
        visit(i, magnitude);
        if (magnitude > limit)
          for (auto operand : op.operands)
            forget(operand);
        if (op.kind != OpKind::ShareMax)
          for (auto &x : in) {
            bounded.push_back(clipped(*x, limitOf(op, module.ringBits)));
            x = &bounded.back();
          }
      }
      if (op.kind == OpKind::ShareOutput) continue; // what is opened is the hospital's, and has no limits
      const Case operation{module, op, in, constants, knowledge == Knowledge::Public};
      auto result = functions.follow(operation);
      if (auto mixture = mixtures.follow(operation); mixture && !result) result = std::move(mixture);
      if (auto norm = norms.follow(operation); norm && !result) result = std::move(norm);
      values[op.result] = result ? *std::move(result) : intervals::shareOp(operation);
    }
    for (auto operand : op.operands)
      if (lastUse[operand] == i) {
        values[operand].reset();
        forget(operand);
      }
  }
}

} // namespace sd
