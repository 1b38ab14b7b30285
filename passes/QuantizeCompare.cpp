// nn.atmost as a truncation that leaves nothing but a sign: floor(y / 2^t) + 1 is 1 for y >= 0, else 0, where
// -2^t <= y < 2^t. One comparison of t bits, and exact; the result is an integer at scale 0.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "passes/Quantizer.h"

namespace sd {

namespace {
constexpr double kFloatError = 0x1p-22; // of what the hospital normalises
constexpr int kSumBits = 10;            // left for the integer part of what decisions add up to
constexpr int kFinestBits = 14;         // of a compared record beyond the scale

int bitsFor(double values) { return std::max(1, static_cast<int>(std::ceil(std::log2(values)))); }
} // namespace

// Of the integers that a record is entered as, as far as the hospital's side lets them through; public.
Quantizer::Range Quantizer::rangeOf(ValueId value, int scale) {
  const double most = std::ldexp(1.0, k_ - 2) - 1;
  Range range{-most, most};
  if (places_[graph_.definitions[value]] == Place::Private) return range;
  if (!sizes_) sizes_.emplace(graph_);
  const Magnitude m = sizes_->of(value);
  const double slack = graph_.isA(value, OpKind::Input) ? 0 : 1 + std::ldexp(m.bound(), scale) * kFloatError;
  range.low = std::max(range.low, std::floor(std::ldexp(*std::ranges::min_element(m.low.data), scale) - slack));
  range.high = std::min(range.high, std::ceil(std::ldexp(*std::ranges::max_element(m.high.data), scale) + slack));
  return range;
}

// The finest at which the declared range takes one truncation, and at least that of all values, if there is room.
int Quantizer::comparedScale(ValueId value) {
  const Range unit = rangeOf(value, 0); // whole numbers around the range
  const double most = std::max({1.0, unit.high, -unit.low});
  if (most >= std::ldexp(1.0, k_ - 2) - 1) return s_;
  const double width = std::max(unit.high, 0.0) - std::min(unit.low, 0.0);
  const int finest = maxTruncationOf(module_, context_.options) - bitsFor(width + 2);
  return std::min(std::max(s_, std::min(finest, s_ + kFinestBits)), k_ - 2 - bitsFor(most));
}

ValueId Quantizer::compared(ValueId value) {
  if (places_[graph_.definitions[value]] == Place::Private) return share(value);
  const auto [found, isNew] = compared_.try_emplace(value, kNoValue);
  if (isNew) found->second = entered(value, comparedScale(value), k_ - 2);
  return found->second;
}

// floor(b 2^scale), which q <= b 2^scale holds for just as well; numbers beyond the range of q as ones at its ends.
ValueId Quantizer::limits(const Op &op, const Tensor<float> &b, int scale, Range range) {
  Tensor<std::int64_t> integers(b.shape);
  for (std::size_t i = 0; i < integers.data.size(); ++i)
    integers.data[i] = static_cast<std::int64_t>(
        std::clamp(std::floor(std::ldexp(static_cast<double>(b.data[i]), scale)), range.low - 1, range.high));
  return rewriter_.builder.weights(std::move(integers), scale, op.source);
}

ValueId Quantizer::notNegative(const Op &op, ValueId y, int bits) {
  const auto plus = [&](std::int64_t addend) {
    y = append(op, OpKind::ShareAddC, {y}, {{Attr::Addend, addend}});
  };
  const auto truncate = [&](int t, int bound) {
    y = append(op, OpKind::ShareTruncate, {y}, {{Attr::Bits, std::int64_t{t}}, {Attr::Bound, std::int64_t{bound}}});
  };
  for (const int most = maxTruncationOf(module_, context_.options); bits > most; bits -= most) {
    plus(-(std::int64_t{1} << (most - 1))); // it rounds: down
    truncate(most, k_);
  }
  plus(std::int64_t{1} << (bits - 1)); // down, and one more
  truncate(bits, bits + 2);
  const std::int64_t scale = scaleOf(y);
  return scale == 0 ? y : append(op, OpKind::ShareRescale, {y}, {{Attr::Shift, -scale}});
}

int Quantizer::bitsOf(const Op &op, ValueId y, int bits) const {
  if (!op.attrs.has(Attr::Bound)) return bits;
  return std::min(bits, std::max(1, static_cast<int>(op.attrs.i(Attr::Bound)) + scaleOf(y)));
}

void Quantizer::lowerAtMost(const Op &op) {
  const auto *left = graph_.constant(op.operands[0]), *right = graph_.constant(op.operands[1]);
  const Shape &shape = module_.type(op.result).shape;
  if (!left && !right) {
    const ValueId a = share(op.operands[0]), b = share(op.operands[1]);
    const int scale = std::max(scaleOf(a), scaleOf(b));
    const ValueId y = append(op, OpKind::ShareSub,
                             {broadcast(op, raised(op, b, scale), shape), broadcast(op, raised(op, a, scale), shape)});
    return define(op, notNegative(op, y, bitsOf(op, y, k_)));
  }
  const ValueId data = op.operands[left ? 1 : 0];
  const bool isRecord = places_[graph_.definitions[data]] != Place::Private;
  const ValueId x = compared(data);
  const int scale = scaleOf(x);
  Range range = rangeOf(data, scale);
  ValueId y = kNoValue;
  if (op.operands.size() > 2) {
    range = {std::min(range.low, 0.0), std::max(range.high, 0.0)}; // a column of zeros chooses none
    const Tensor<float> &w = *graph_.constant(op.operands[2]);
    Tensor<std::int64_t> chosen(w.shape);
    std::ranges::transform(w.data, chosen.data.begin(), [](float v) { return -std::llround(v); });
    const ValueId weights = rewriter_.builder.weights(std::move(chosen), 0, op.source);
    y = append(op, OpKind::ShareMatMul, {x, weights, limits(op, *right, scale, range)});
  } else if (right) {
    const ValueId negated =
        append(op, OpKind::ShareMulC, {broadcast(op, x, shape)}, {{Attr::Factor, std::int64_t{-1}}});
    y = append(op, OpKind::ShareAddW, {negated, limits(op, *right, scale, range)});
  } else {
    Tensor<float> below = *left; // a <= x where -x <= -a
    std::ranges::transform(below.data, below.data.begin(), std::negate<float>());
    y = append(op, OpKind::ShareAddW, {broadcast(op, x, shape), limits(op, below, scale, {-range.high, -range.low})});
  }
  // Where nothing is known all that a truncation takes.
  define(op, notNegative(op, y, bitsOf(op, y, isRecord ? bitsFor(range.high - range.low + 1) : k_)));
}

bool Quantizer::isDecided(ValueId value) const {
  const Op &op = graph_.definition(value);
  if (op.kind == OpKind::AtMost) return true;
  if (!isMove(op.kind) && op.kind != OpKind::Add && op.kind != OpKind::Sub && op.kind != OpKind::Concat) return false;
  return std::ranges::all_of(op.operands, [&](ValueId operand) { return isDecided(operand); });
}

// Ones and zeros add weights up: these are as fine as products are elsewhere, and so large that RLWE would need more
// noise to hide them. In two parts, y = 2^k (x high) + x low, they are small.
void Quantizer::lowerDecided(const Op &op, ValueId x) {
  const Tensor<float> &w = *graph_.constant(op.operands[1]);
  const int scale = std::min(weightScaleFor(op, 0), k_ - kSumBits), low = scale / 2;
  noteRounding(op, w, scale, 1);
  const Tensor<std::int64_t> whole = fixed(op, w, scale, true);
  const std::int64_t outputs = w.shape[1];
  Tensor<std::int64_t> parts({w.shape[0], 2 * outputs});
  for (std::int64_t i = 0; i < whole.size(); ++i) {
    const std::int64_t v = whole.data[i], high = (v + (std::int64_t{1} << low >> 1)) >> low;
    std::int64_t *to = parts.data.data() + i / outputs * 2 * outputs + i % outputs;
    to[0] = high;
    to[outputs] = v - (high << low);
  }
  const ValueId y = append(op, OpKind::ShareMatMul, {x, rewriter_.builder.weights(std::move(parts), scale, op.source)});
  const auto part = [&](std::int64_t first) {
    std::vector<std::int64_t> columns(outputs);
    std::iota(columns.begin(), columns.end(), first);
    return append(op, OpKind::ShareGather, {y},
                  {{Attr::Axis, std::ssize(shapeOf(y)) - 1}, {Attr::Indices, std::move(columns)}});
  };
  const ValueId high = append(op, OpKind::ShareMulC, {part(0)}, {{Attr::Factor, std::int64_t{1} << low}});
  ValueId sum = append(op, OpKind::ShareAdd, {high, part(outputs)});
  if (op.operands.size() > 2)
    sum = append(op, OpKind::ShareAddW, {sum, sharedWeights(op, op.operands[2], scale)});
  define(op, truncated(op, sum, s_));
}

} // namespace sd
