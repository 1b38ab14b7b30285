// Sums x + w (y - x) lie between x and y where w is between 0 and 1; an interval for each term would forget that x
// stands in both, and the state of a GRU would seem to grow from step to step.
#include <algorithm>
#include <cmath>

#include "ir/core/OpFamilies.h"
#include "passes/IntervalRules.h"

namespace sd::intervals {

namespace {

Interval hull(const Interval &x, const Interval &y, const Interval &w, double slack) {
  Interval result = x;
  for (std::size_t i = 0; i < x.low.data.size(); ++i) {
    double low = HUGE_VAL, high = -HUGE_VAL;
    for (const double weight : {w.low.data[i], w.high.data[i]}) { // linear in it, for any x and y
      const double rest = 1 - weight;
      low = std::min(low, rest * (rest < 0 ? x.high : x.low).data[i] + weight * (weight < 0 ? y.high : y.low).data[i]);
      high =
          std::max(high, rest * (rest < 0 ? x.low : x.high).data[i] + weight * (weight < 0 ? y.low : y.high).data[i]);
    }
    result.low.data[i] = std::floor(low - slack);
    result.high.data[i] = std::ceil(high + slack);
  }
  return result;
}

} // namespace

std::optional<Mixtures::Part> Mixtures::partOf(const Case &c) const {
  const auto &operands = c.op.operands;
  if (c.op.kind == OpKind::ShareSub)
    return Part{
        operands[1], std::make_shared<const Interval>(*c.in[1]), std::make_shared<const Interval>(*c.in[0]), {}};
  const bool second = c.op.kind == OpKind::ShareMul && parts_[operands[1]] && !parts_[operands[1]]->z;
  const auto &before = parts_[operands[second ? 1 : 0]];
  if (!before) return std::nullopt;
  Part part = *before;
  switch (c.op.kind) {
  case OpKind::ShareTruncate: // of the difference alone
    if (part.z || part.bits || part.factor != 1) return std::nullopt;
    part.bits = static_cast<int>(c.op.attrs.i(Attr::Bits));
    return part;
  case OpKind::ShareMul:
    if (part.z) return std::nullopt;
    part.z = std::make_shared<const Interval>(*c.in[second ? 0 : 1]);
    return part;
  case OpKind::ShareMulC:
    part.factor *= static_cast<double>(c.op.attrs.i(Attr::Factor));
    return part;
  case OpKind::ShareRescale:
    return part;
  case OpKind::ShareConstant: // not followed
  case OpKind::ShareInput:
  case SD_SHARE_PACKED:
  case OpKind::ShareAddW:
  case OpKind::ShareAddC:
  case SD_SHARE_SUMS:
  case SD_SHARE_LAYOUT:
  case OpKind::ShareRelu:
  case OpKind::ShareMax:
  case OpKind::ShareDot:
  case OpKind::ShareOutput:
#include "ir/core/NnCases.def"
    break;
  }
  return std::nullopt;
}

std::optional<Interval> Mixtures::follow(const Case &c) {
  if (c.in.size() == c.op.operands.size() && !c.in.empty()) parts_[c.op.result] = partOf(c);
  if (c.op.kind != OpKind::ShareAdd) return std::nullopt;
  for (const std::size_t i : {0, 1}) {
    const auto &part = parts_[c.op.operands[i]];
    if (!part || !part->z || part->x != c.op.operands[1 - i]) continue;
    const Shape &shape = c.module.type(c.op.result).shape;
    Interval w = expanded(*part->z, shape);
    const double most = std::abs(part->factor) * part->z->magnitude();
    if (slackOf(most * std::max(part->from->magnitude(), part->to->magnitude())) > 0) continue;
    for (auto *side : {&w.low, &w.high})
      for (auto &v : side->data)
        v = std::ldexp(v * part->factor, -part->bits);
    return hull(expanded(*part->from, shape), expanded(*part->to, shape), w, part->bits ? most : 0);
  }
  return std::nullopt;
}

} // namespace sd::intervals
