// Layer and RMS normalisation on shares, of rows along the last axis. Both are the same for rows of any common factor,
// so integers alone count:
//   c = x - mean x                            no truncation but that of each row's mean
//   T = sum c^2                               products of two values, truncated once for several of them
//   r = 1 / sqrt(T + n epsilon)               piecewise linear in bands, one evaluation a row
//   y = c r                                   at most sqrt(n)
// The scales follow from n, the scale and the bound alone: nothing of the weights shows.
#include <algorithm>
#include <bit>
#include <cmath>

#include "ir/core/Functions.h"
#include "passes/InverseRoot.h"
#include "passes/Quantizer.h"

namespace sd {

namespace {

constexpr int kValueBits = 6;      // rows are of |x| < 2^6 at the scale, as everywhere (kRoomBits) ...
constexpr int kSquareBits = 6;     // ... and of a mean square below 2^6
constexpr int kMeanBits = 4;       // that a row's mean keeps below the scale
constexpr int kMostTypeScale = 60; // kMaxScale, and a little
constexpr int kLeastNormBits = 6;  // of r below 1

} // namespace

// The operand as rows.
struct Quantizer::NormRows {
  ValueId x = kNoValue; // [1, rows, n]
  std::int64_t n = 0;
  int log = 0;        // n <= 2^log
  int scale = 0;      // of x
  double epsilon = 0; // there
};

ValueId Quantizer::summed(const Op &op, ValueId x, std::int64_t window) {
  return append(op, OpKind::ShareSumPool, {x},
                {{Attr::Kernel, std::vector<std::int64_t>{window}},
                 {Attr::Strides, std::vector<std::int64_t>{window}},
                 {Attr::Pads, std::vector<std::int64_t>{0, 0}},
                 {Attr::Dilations, std::vector<std::int64_t>{1}},
                 {Attr::CeilMode, std::int64_t{1}}});
}

ValueId Quantizer::rescaled(const Op &op, ValueId x, int shift) {
  return shift == 0 ? x : append(op, OpKind::ShareRescale, {x}, {{Attr::Shift, std::int64_t{shift}}});
}

// Integers down by `bits`, at the scale that x has.
ValueId Quantizer::dropped(const Op &op, ValueId x, int bits) {
  return rescaled(op, truncated(op, x, scaleOf(x) - bits), bits);
}

// x less the mean of its row, at x's scale.
ValueId Quantizer::centred(const Op &op, const NormRows &rows) {
  const int part = std::clamp(k_ - kValueBits - rows.scale, 0, rows.log);
  ValueId sum = summed(op, rows.x, std::min(rows.n, std::int64_t{1} << part));
  sum = rescaled(op, sum, part);
  if (part < rows.log) { // too many for one sum
    sum = truncated(op, sum, std::min(scaleOf(sum), k_ - kValueBits - (rows.log - part)));
    sum = rescaled(op, summed(op, sum, shapeOf(sum).back()), rows.log - part);
  }
  // The sum / 2^log, times 2^log / n.
  const bool exact = std::has_single_bit(static_cast<std::uint64_t>(rows.n));
  if (!exact) {
    sum = truncated(op, sum, rows.scale + kMeanBits);
    const int bits = std::clamp(k_ - kValueBits - kMeanBits - rows.scale, 1, 20);
    const auto factor = std::llround(std::ldexp(1.0, bits + rows.log) / static_cast<double>(rows.n));
    sum = append(op, OpKind::ShareMulC, {sum}, {{Attr::Factor, std::int64_t{factor}}});
    sum = rescaled(op, sum, bits);
  }
  // Truncations are not carried through public products, nor into sums without room for them: here the row's comes
  // before its mean is repeated, and x's before the difference.
  ValueId mean = raised(op, truncated(op, sum, rows.scale), rows.scale);
  mean = append(op, OpKind::ShareMulC, {mean}, {{Attr::Factor, std::int64_t{1}}});
  const int lift = std::max(k_ - rows.scale, 0);
  const ValueId x = rescaled(op, rows.x, lift), y = rescaled(op, broadcast(op, mean, shapeOf(rows.x)), lift);
  return rescaled(op, append(op, OpKind::ShareSub, {x, y}), -lift);
}

// The sums of squares of rows, [1, rows, 1], and the bits by which they are less than those of c's integers.
std::pair<ValueId, int> Quantizer::squaresOf(const Op &op, ValueId c, const NormRows &rows) {
  const int room = k_ - 1 - kSquareBits, scale = std::min(rows.scale, room / 2); // of c here
  const ValueId fine = truncated(op, c, scale);
  const int part = std::min(room - 2 * scale, rows.log); // log of how many squares have one sum
  ValueId sum = summed(op, append(op, OpKind::ShareMul, {fine, fine}), std::min(rows.n, std::int64_t{1} << part));
  const int drop = std::max(rows.log + 2 * scale - room, 0);
  // At a scale that has no room for a sum without the truncation.
  sum = truncated(op, rescaled(op, sum, room + 2 - 2 * scale), room + 2 - drop);
  if (shapeOf(sum).back() > 1) sum = summed(op, sum, shapeOf(sum).back());
  return {rescaled(op, sum, -scaleOf(sum)), drop + 2 * (rows.scale - scale)};
}

// f(t) for [1, rows, 1], at `scale` of a nominal value below 1.
ValueId Quantizer::inverseRoot(const Op &op, ValueId t, const InverseRoot &f, int scale) {
  const auto plus = [&](ValueId x, std::int64_t addend) {
    return addend == 0 ? x : append(op, OpKind::ShareAddC, {x}, {{Attr::Addend, addend}});
  };
  const auto positive = [&](ValueId x) {
    return append(op, OpKind::ShareRelu, {x}, {{Attr::Bits, std::int64_t{0}}, {Attr::Bound, std::int64_t{k_}}});
  };
  const auto times = [&](ValueId x, std::int64_t factor) {
    return factor == 1 ? x : append(op, OpKind::ShareMulC, {x}, {{Attr::Factor, factor}});
  };
  ValueId result = kNoValue, above = t; // above the band's low end
  for (const InverseRootBand &band : f.bands) {
    ValueId within = above;
    if (band.high) {
      above = positive(plus(t, -band.high));
      within = append(op, OpKind::ShareSub, {within, above});
    }
    const ValueId x = dropped(op, within, band.bits);
    ValueId y = times(x, band.slopes[0]);
    for (std::size_t i = 0; i < band.knots.size(); ++i)
      if (const std::int64_t change = band.slopes[i + 1] - band.slopes[i]; change != 0)
        y = append(op, OpKind::ShareAdd, {y, times(positive(plus(x, -band.knots[i])), change)});
    y = rescaled(op, plus(y, band.constant), scale + band.slopeBits - scaleOf(y));
    y = truncated(op, y, scale);
    result = result == kNoValue ? y : append(op, OpKind::ShareAdd, {result, y});
  }
  return plus(result, f.rest);
}

void Quantizer::lowerNorm(const Op &op) {
  const RowFunction function = *rowFunction(op.attrs.str(Attr::Function));
  const ValueId entered = share(op.operands[0]);
  const Shape &shape = module_.type(op.result).shape;
  NormRows rows;
  rows.n = shape.back();
  rows.log = std::bit_width(static_cast<std::uint64_t>(rows.n - 1));
  rows.scale = std::max(s_, scaleOf(entered));
  const int shift = rows.scale - scaleOf(entered); // a coarse scale is one of larger numbers
  rows.epsilon = std::ldexp(function.epsilon, -2 * shift);
  rows.x = rescaled(
      op, append(op, OpKind::ShareReshape, {entered}, {{Attr::Dims, Shape{1, elementCount(shape) / rows.n, rows.n}}}),
      shift);
  const ValueId c = function.centred ? centred(op, rows) : rows.x;
  const auto [squares, drop] = squaresOf(op, c, rows);

  const double unit = std::ldexp(1.0, drop - 2 * rows.scale) / static_cast<double>(rows.n); // of T, in mean squares
  InverseRootOptions options;
  options.offset = rows.epsilon / unit;
  options.factor = 1 / std::sqrt(unit);
  options.scale = 0;
  options.boundBits = k_;
  options.error = context_.options.approximationError / 2;
  const int whole = static_cast<int>(std::ceil(std::log2(largestInverseRoot(options)) + 0.01));
  options.scale =
      std::min({k_ - 1 - rows.scale - (rows.log + 1) / 2, k_ - 2 - whole, kMostTypeScale - rows.scale - whole});
  if (options.scale < kLeastNormBits) {
    complaints_.add(op,
                    "normalises rows of {} elements at scale 2^{}, for which integers below 2^{} leave no room; "
                    "use --ring 64 or a smaller --scale",
                    rows.n, rows.scale, k_);
    return define(op, entered);
  }
  const InverseRoot f = fitInverseRoot(options);
  const ValueId r = inverseRoot(op, squares, f, options.scale + whole);
  ValueId y = append(op, OpKind::ShareMul, {c, broadcast(op, r, shapeOf(c))});
  y = rescaled(op, append(op, OpKind::ShareReshape, {y}, {{Attr::Dims, shape}}), -whole);
  define(op, truncated(op, y, resultScale(op)));
  const double least = std::sqrt(static_cast<double>(f.least) * unit), most = std::exp2(kSquareBits / 2.0);
  context_.approximations.push_back(
      {fmt::format("{}, in parts of the value, where a row's root mean square is from {:.2g} to {:.2g}", describe(op),
                   std::ldexp(least, shift), std::ldexp(most, shift)),
       f.knots(), f.error, 0});
}

} // namespace sd
