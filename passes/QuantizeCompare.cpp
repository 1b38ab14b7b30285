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
constexpr double kSpareUnits = 16;      // for what the hospital's floats are off

int bitsFor(double values) { return std::max(1, static_cast<int>(std::ceil(std::log2(values)))); }
} // namespace

// The real range of each column of a record as the hospital's side lets it through, or one of all; public.
std::vector<std::pair<double, double>> Quantizer::realRanges(ValueId value) {
  if (graph_.isA(value, OpKind::Input)) {
    const auto &declared = context_.options.columnRanges;
    const auto found = declared.find(graph_.definition(value).attrs.str(Attr::Name));
    const Shape &shape = module_.type(value).shape;
    if (found != declared.end() && shape.size() == 2 && std::ssize(found->second) == shape[1]) return found->second;
  }
  if (!sizes_) sizes_.emplace(graph_);
  const Magnitude m = sizes_->of(value);
  return {{*std::ranges::min_element(m.low.data), *std::ranges::max_element(m.high.data)}};
}

// The finest at which the range takes one truncation, and at least that of all values, if there is room.
int Quantizer::comparedScale(double low, double high) const {
  const double most = std::max(std::abs(low), std::abs(high)), width = std::max(high, 0.0) - std::min(low, 0.0);
  if (!(most < std::ldexp(1.0, k_ - 2))) return s_;
  const int bits = maxTruncationOf(module_, context_.options);
  const double room = std::ldexp(1.0, bits) - kSpareUnits;
  const int finest = static_cast<int>(std::floor(std::log2(room / std::max(width, std::ldexp(1.0, -kMaxScale / 2)))));
  return std::min(std::max(s_, std::min(finest, s_ + kFinestBits)), k_ - 2 - bitsFor(most + 1));
}

// A record is entered once more to be compared. Its columns may have ranges, and so scales, of their own: the hospital
// multiplies them by powers of two.
const Quantizer::Compared &Quantizer::compared(ValueId value) {
  const double most = std::ldexp(1.0, k_ - 2) - 1; // the hospital's side refuses more
  const auto [found, isNew] = compared_.try_emplace(value, Compared{kNoValue, {}, -most, most});
  Compared &result = found->second;
  if (!isNew) return result;
  if (places_[graph_.definitions[value]] == Place::Private) {
    result.share = share(value);
    result.scales = {scaleOf(result.share)};
    return result;
  }
  double low = 0, high = 0;
  for (const auto &[least, largest] : realRanges(value)) {
    const int scale = comparedScale(least, largest);
    const double slack = 1 + std::ldexp(std::max(std::abs(least), std::abs(largest)), scale) * kFloatError;
    low = std::min(low, std::floor(std::ldexp(least, scale) - slack));
    high = std::max(high, std::ceil(std::ldexp(largest, scale) + slack));
    result.scales.push_back(scale);
  }
  result.low = std::max(low, -most);
  result.high = std::min(high, most);
  const auto [coarsest, finest] = std::ranges::minmax(result.scales);
  ValueId clear = rewriter_[value];
  if (coarsest != finest) {
    Tensor<float> factors({std::ssize(result.scales)});
    for (std::size_t i = 0; i < factors.data.size(); ++i)
      factors.data[i] = std::ldexp(1.0F, result.scales[i] - coarsest);
    const ValueId constant = rewriter_.builder.constant(std::move(factors), std::string(kDeclaredRanges));
    clear = rewriter_.builder.create(OpKind::Mul, {clear, constant}, {}, graph_.definition(value).source);
  }
  result.share = entered(value, clear, coarsest, k_ - 2);
  return result;
}

// floor(b 2^scale) for the column's scale, which q <= b 2^scale holds for just as well; numbers beyond the range of q
// as ones at its ends. `columnOf` an element of b.
ValueId Quantizer::limits(const Op &op, const Tensor<float> &b, const Compared &x, auto columnOf, bool turned) {
  Tensor<std::int64_t> integers(b.shape);
  const double low = turned ? -x.high : x.low, high = turned ? -x.low : x.high;
  for (std::size_t i = 0; i < integers.data.size(); ++i) {
    const int scale = x.scales.size() == 1 ? x.scales[0] : x.scales[columnOf(i)];
    const double limit = std::floor(std::ldexp(turned ? -b.data[i] : b.data[i], scale));
    integers.data[i] = static_cast<std::int64_t>(std::clamp(limit, low - 1, high));
  }
  return rewriter_.builder.weights(std::move(integers), scaleOf(x.share), op.source);
}

ValueId Quantizer::notNegative(const Op &op, ValueId y, int bits) {
  const auto plus = [&](std::int64_t addend) { y = append(op, OpKind::ShareAddC, {y}, {{Attr::Addend, addend}}); };
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
  const Compared &x = compared(data);
  ValueId y = kNoValue;
  if (op.operands.size() > 2) {
    const Tensor<float> &w = *graph_.constant(op.operands[2]);
    Tensor<std::int64_t> chosen(w.shape);
    std::vector<std::size_t> columns(w.shape[1], 0);
    for (std::size_t i = 0; i < w.data.size(); ++i)
      if (w.data[i] != 0) {
        chosen.data[i] = -1;
        columns[i % columns.size()] = i / columns.size();
      }
    const ValueId weights = rewriter_.builder.weights(std::move(chosen), 0, op.source);
    y = append(op, OpKind::ShareMatMul,
               {x.share, weights,
                limits(
                    op, *right, x, [&](std::size_t i) { return columns[i]; }, false)});
  } else {
    ValueId entered = broadcast(op, x.share, shape);
    if (right) entered = append(op, OpKind::ShareMulC, {entered}, {{Attr::Factor, std::int64_t{-1}}});
    Tensor<float> b = left ? *left : *right; // a <= x where -x <= -a
    if (x.scales.size() > 1) b = broadcastTo(b, shape);
    y = append(op, OpKind::ShareAddW,
               {entered, limits(
                             op, b, x, [&](std::size_t i) { return i % x.scales.size(); }, left != nullptr)});
  }
  // Where nothing is known all that a truncation takes.
  define(op, notNegative(op, y, bitsOf(op, y, isRecord ? bitsFor(x.high - x.low + 1) : k_)));
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
  const Integers whole = fixed(op, w, scale, true);
  const std::int64_t outputs = w.shape[1];
  Tensor<std::int64_t> parts({w.shape[0], 2 * outputs});
  for (std::int64_t i = 0; i < whole.size(); ++i) {
    const std::int64_t v = whole[i], high = (v + (std::int64_t{1} << low >> 1)) >> low;
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
  if (op.operands.size() > 2) sum = append(op, OpKind::ShareAddW, {sum, sharedWeights(op, op.operands[2], scale)});
  define(op, truncated(op, sum, s_));
}

} // namespace sd
