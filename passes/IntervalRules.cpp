#include "passes/IntervalRules.h"

#include <algorithm>
#include <cmath>

#include "ir/core/OpFamilies.h"
#include "ir/core/Ring.h"
#include "ir/core/Windows.h"

namespace sd::intervals {

namespace {

template <class F>
Interval mapBounds(const Interval &x, F f) {
  Interval result = x;
  std::ranges::transform(x.low.data, result.low.data.begin(), [&](double v) { return f(v, false); });
  std::ranges::transform(x.high.data, result.high.data.begin(), [&](double v) { return f(v, true); });
  return result;
}

Interval scaledBy(const Interval &x, double factor) {
  Interval result = mapBounds(x, [&](double v, bool) { return v * factor; });
  if (factor < 0) std::swap(result.low, result.high);
  return result;
}

// floor((y + 2^(t - 1)) / 2^t), of bounds that are exact up to their slack.
Interval truncated(const Interval &x, int bits) {
  if (bits == 0) return x;
  return mapBounds(x, [&](double v, bool) { return std::floor(std::ldexp(v, -bits) + 0.5); });
}

// The own dimensions of an interval, with as many axes as the value.
Shape ownShape(const Interval &x, const Shape &shape) {
  Shape own(shape.size(), 1);
  std::ranges::copy(x.low.shape, own.end() - static_cast<std::ptrdiff_t>(x.low.shape.size()));
  return own;
}

Interval withShape(const Interval &x, const Shape &shape) { return {{shape, x.low.data}, {shape, x.high.data}}; }

Interval layout(const Case &c, std::span<const Interval> operands, double fill = 0) {
  std::vector<const Tensor<double> *> lows, highs;
  for (auto &operand : operands) {
    lows.push_back(&operand.low);
    highs.push_back(&operand.high);
  }
  const Shape &shape = c.module.type(c.op.result).shape;
  return {reference::evaluateLayout<double>(c.op.kind, lows, c.op.attrs, shape, fill),
          reference::evaluateLayout<double>(c.op.kind, highs, c.op.attrs, shape, fill)};
}

// Concatenation along axis 1 of what varies by channel alone.
std::optional<Interval> concatChannels(const Case &c) {
  if (c.op.attrs.i(Attr::Axis) != 1) return std::nullopt;
  std::vector<double> low, high;
  std::size_t rank = 0;
  for (std::size_t i = 0; i < c.in.size(); ++i) {
    const Shape &shape = c.module.type(c.op.operands[i]).shape;
    const Shape own = ownShape(*c.in[i], shape);
    rank = shape.size();
    if (elementCount(own) != own[1]) return std::nullopt;
    Shape channels(rank, 1);
    channels[1] = shape[1];
    const Interval each = expanded(*c.in[i], channels);
    low.insert(low.end(), each.low.data.begin(), each.low.data.end());
    high.insert(high.end(), each.high.data.begin(), each.high.data.end());
  }
  Shape shape(rank, 1);
  shape[1] = static_cast<std::int64_t>(low.size());
  return Interval{{shape, low}, {shape, high}};
}

Interval layoutOp(const Case &c) {
  const Shape &shape = c.module.type(c.op.operands[0]).shape;
  const Interval &x = *c.in[0];
  const Shape own = ownShape(x, shape);
  switch (c.op.kind) {
  case OpKind::ShareReshape:
    if (x.low.size() == 1) return Interval::uniform(x.low.data[0], x.high.data[0]);
    break;
  case OpKind::ShareTranspose: {
    if (elementCount(own) == elementCount(shape)) break;
    if (x.low.size() == 1) return x;
    const Interval compact = withShape(x, own);
    Shape permuted;
    for (auto axis : c.op.attrs.ints(Attr::Perm))
      permuted.push_back(own[axis]);
    const Tensor<double> *low[] = {&compact.low}, *high[] = {&compact.high};
    return {reference::evaluateLayout<double>(c.op.kind, low, c.op.attrs, permuted, 0.0),
            reference::evaluateLayout<double>(c.op.kind, high, c.op.attrs, permuted, 0.0)};
  }
  case OpKind::ShareGather:
    if (own[c.op.attrs.i(Attr::Axis)] == 1) return x;
    break;
  case OpKind::SharePad: {
    const auto &pads = c.op.attrs.ints(Attr::Pads);
    const auto fill = static_cast<double>(c.op.attrs.i(Attr::IntFill));
    bool compact = true;
    for (std::size_t i = 0; i < own.size(); ++i)
      compact &= own[i] == 1 || (!pads[i] && !pads[i + own.size()]);
    if (compact) return mapBounds(x, [&](double v, bool high) { return high ? std::max(v, fill) : std::min(v, fill); });
    const Interval full[] = {expanded(x, shape)};
    return layout(c, full, fill);
  }
  case OpKind::ShareConcat:
    if (auto channels = concatChannels(c)) return *channels;
    break;
  case OpKind::ShareConstant: // no layout
  case OpKind::ShareInput:
  case SD_SHARE_PACKED:
  case OpKind::ShareAddW:
  case SD_SHARE_SUMS:
  case SD_SHARE_CONSTANTS:
  case SD_SHARE_COMPARISONS:
  case SD_SHARE_PRODUCTS:
  case OpKind::ShareOutput:
#include "ir/core/NnCases.def"
    assert(false && "not a layout op");
  }
  std::vector<Interval> operands;
  for (std::size_t i = 0; i < c.in.size(); ++i)
    operands.push_back(expanded(*c.in[i], c.module.type(c.op.operands[i]).shape));
  return layout(c, operands);
}

Interval sumPool(const Case &c) {
  const Shape &shape = c.module.type(c.op.operands[0]).shape, &result = c.module.type(c.op.result).shape;
  double least = 1, most = 1; // taps that hit the input
  const auto axes = windowAxes(shape, c.op.attrs.ints(Attr::Kernel), c.op.attrs);
  for (std::size_t axis = 0; axis < axes.size(); ++axis) {
    double fewest = HUGE_VAL, largest = 0;
    for (std::int64_t o = 0; o < result[axis + 2]; ++o) {
      const auto taps = windowTaps(axes[axis], o);
      fewest = std::min(fewest, static_cast<double>(taps.end - taps.begin));
      largest = std::max(largest, static_cast<double>(taps.end - taps.begin));
    }
    least *= fewest;
    most *= largest;
  }
  return mapBounds(perChannel(*c.in[0], shape),
                   [&](double v, bool high) { return v * ((v > 0) == high ? most : least); });
}

// Of each result, the sum of what its products lie between.
Interval dot(const Case &c) {
  const Shape &shape = c.module.type(c.op.result).shape;
  const Interval x = expanded(*c.in[0], c.module.type(c.op.operands[0]).shape),
                 y = expanded(*c.in[1], c.module.type(c.op.operands[1]).shape);
  const std::int64_t length = x.low.shape[2], rows = shape[1], columns = shape[2];
  Interval result{Tensor<double>(shape), Tensor<double>(shape)};
  for (std::int64_t i = 0; i < elementCount(shape); ++i) {
    const std::int64_t a = i / columns * length, b = (i / (rows * columns) * columns + i % columns) * length;
    double low = 0, high = 0, most = 0;
    for (std::int64_t k = 0; k < length; ++k) {
      const double xLow = x.low.data[a + k], xHigh = x.high.data[a + k], yLow = y.low.data[b + k],
                   yHigh = y.high.data[b + k];
      low += std::min(std::min(xLow * yLow, xHigh * yHigh), std::min(xLow * yHigh, xHigh * yLow));
      high += std::max(std::max(xLow * yLow, xHigh * yHigh), std::max(xLow * yHigh, xHigh * yLow));
      most += std::max(std::abs(xLow), std::abs(xHigh)) * std::max(std::abs(yLow), std::abs(yHigh));
    }
    // Sums of integers are exact in doubles up to 2^53; above, each step may be off by half a unit of the last place.
    const double slack = most < 0x1p53 ? 0 : 2 * static_cast<double>(length) * 0x1p-53 * most;
    result.low.data[i] = low - slack;
    result.high.data[i] = high + slack;
  }
  return result;
}

Interval product(const Interval &a, const Interval &b) {
  const Interval any = combine(a, b, [](double, double) { return 0.0; });
  Interval result = any;
  reference::forEachBroadcast(any.low.shape, a.low.shape, b.low.shape, [&](auto i, auto ia, auto ib) {
    const auto [least, most] = std::minmax({a.low.data[ia] * b.low.data[ib], a.low.data[ia] * b.high.data[ib],
                                            a.high.data[ia] * b.low.data[ib], a.high.data[ia] * b.high.data[ib]});
    result.low.data[i] = least;
    result.high.data[i] = most;
  });
  return result;
}

// The hospital's floats: each result is off by half a unit in the last place.
Interval rounded(const Interval &x) {
  return mapBounds(x, [](double v, bool high) { return v + (high ? 1 : -1) * std::abs(v) * 0x1p-23; });
}

Interval maximum(const Interval &a, const Interval &b) {
  return combine(a, b, [](double x, double y) { return std::max(x, y); });
}

} // namespace

Interval expanded(const Interval &x, const Shape &shape) {
  Interval result{Tensor<double>(shape), Tensor<double>(shape)};
  reference::forEachBroadcast(shape, x.low.shape, x.low.shape, [&](auto i, auto from, auto) {
    result.low.data[i] = x.low.data[from];
    result.high.data[i] = x.high.data[from];
  });
  return result;
}

Interval perChannel(const Interval &x, const Shape &shape) {
  const Shape own = ownShape(x, shape);
  Shape channels(shape.size(), 1);
  channels[1] = own[1];
  Interval result{Tensor<double>(channels, HUGE_VAL), Tensor<double>(channels, -HUGE_VAL)};
  const reference::AxisSplit split = reference::splitAt(own, 1);
  for (std::int64_t i = 0; i < x.low.size(); ++i) {
    const std::int64_t c = i / split.inner % split.length;
    result.low.data[c] = std::min(result.low.data[c], x.low.data[i]);
    result.high.data[c] = std::max(result.high.data[c], x.high.data[i]);
  }
  return result;
}

namespace {

// Any residue, centred.
Interval unknown(const Case &c) {
  const double half = std::ldexp(1.0, c.module.ringBits - 1);
  return Interval::uniform(-half, half);
}

Interval inDoubles(const Case &c) {
  const Attrs &attrs = c.op.attrs;
  switch (c.op.kind) {
  case OpKind::ShareAddW:
    if (c.weightsUnknown && attrs.has(Attr::Bound)) {
      const double most = std::ldexp(1.0, static_cast<int>(attrs.i(Attr::Bound)));
      return combine(*c.in[0], Interval::uniform(-most, most), std::plus<>());
    }
    [[fallthrough]];
  case OpKind::ShareConv:
  case OpKind::ShareMatMul:
  case OpKind::ShareScale:
    return c.weightsUnknown ? unknown(c) : linearOp(c);
  case OpKind::ShareAdd:
    return combine(*c.in[0], *c.in[1], std::plus<>());
  case OpKind::ShareSub:
    return combine(*c.in[0], *c.in[1], std::minus<>(), true);
  case OpKind::ShareMulC:
    return scaledBy(*c.in[0], static_cast<double>(attrs.i(Attr::Factor)));
  case OpKind::ShareAddC:
    return mapBounds(*c.in[0], [&](double v, bool) { return v + static_cast<double>(attrs.i(Attr::Addend)); });
  case OpKind::ShareRescale:
    return *c.in[0];
  case OpKind::ShareSumPool:
    return sumPool(c);
  case SD_SHARE_LAYOUT:
    return layoutOp(c);
  case OpKind::ShareTruncate:
    return truncated(*c.in[0], static_cast<int>(attrs.i(Attr::Bits)));
  case OpKind::ShareRelu: {
    const Interval y = truncated(*c.in[0], static_cast<int>(attrs.i(Attr::Bits)));
    if (c.op.operands.size() == 1) return maximum(y, Interval::uniform(0, 0));
    return mapBounds(y, [](double v, bool high) { return high ? std::max(v, 0.0) : std::min(v, 0.0); });
  }
  case OpKind::ShareMax:
    return maximum(*c.in[0], *c.in[1]);
  case OpKind::ShareMul:
    if (c.op.operands[0] == c.op.operands[1]) return maximum(product(*c.in[0], *c.in[1]), Interval::uniform(0, 0));
    return product(*c.in[0], *c.in[1]);
  case OpKind::ShareDot:
    return dot(c);
  case OpKind::ShareConstant: // followed apart
  case OpKind::ShareInput:
  case OpKind::ShareOutput:
#include "ir/core/NnCases.def"
    break;
  }
  assert(false && "no value of shares");
  return unknown(c);
}

} // namespace

Interval shareOp(const Case &c) {
  return mapBounds(inDoubles(c), [](double v, bool high) { return v + (high ? slackOf(v) : -slackOf(v)); });
}

namespace {

// The hospital rounds the ends of a range to floats, as it does the record's numbers.
double least(double low) { return std::min(low, static_cast<double>(static_cast<float>(low))); }
double most(double high) { return std::max(high, static_cast<double>(static_cast<float>(high))); }

std::optional<Interval> inputInterval(const Module &module, const Op &op, const ColumnRanges &columns) {
  if (!op.attrs.has(Attr::Low)) return std::nullopt;
  const auto found = columns.find(op.attrs.str(Attr::Name));
  if (found == columns.end()) return Interval::uniform(least(op.attrs.f(Attr::Low)), most(op.attrs.f(Attr::High)));
  const Shape &shape = module.type(op.result).shape;
  Interval result{Tensor<double>(shape), Tensor<double>(shape)};
  for (std::size_t i = 0; i < result.low.data.size(); ++i) {
    const auto &[low, high] = found->second[i % found->second.size()];
    result.low.data[i] = least(low);
    result.high.data[i] = most(high);
  }
  return result;
}

} // namespace

std::optional<Interval> clearOp(const Module &module, const Op &op, std::span<const Interval *const> in,
                                const ColumnRanges &columns) {
  switch (op.kind) {
  case OpKind::Input:
    return inputInterval(module, op, columns);
  case OpKind::Constant: {
    const Tensor<float> &value = op.attrs.floats(Attr::Value);
    const Tensor<double> bounds(value.shape, {value.data.begin(), value.data.end()});
    return Interval{bounds, bounds};
  }
  case OpKind::Add:
    return rounded(combine(*in[0], *in[1], std::plus<>()));
  case OpKind::Sub:
    return rounded(combine(*in[0], *in[1], std::minus<>(), true));
  case OpKind::Mul:
    return rounded(product(*in[0], *in[1]));
  case OpKind::Div: // by constants alone: their bounds are equal
    if (std::ranges::any_of(in[1]->low.data, [](double v) { return v == 0; })) return std::nullopt;
    return rounded(product(*in[0], mapBounds(*in[1], [](double v, bool) { return 1 / v; })));
  case OpKind::Identity:
    return *in[0];
  case OpKind::Reshape:
    if (in[0]->low.size() == 1) return Interval::uniform(in[0]->low.data[0], in[0]->high.data[0]);
    [[fallthrough]];
  case OpKind::Transpose:
  case OpKind::Gather: {
    if (in[0]->low.size() == 1) return *in[0];
    const Interval full[] = {expanded(*in[0], module.type(op.operands[0]).shape)};
    return layout({module, op, in, {}, false}, full);
  }
  case SD_NN_PRODUCTS: // not followed
  case OpKind::BatchNorm:
  case OpKind::VecDot:
  case OpKind::Relu:
  case SD_NN_SMOOTH:
  case OpKind::Piecewise:
  case OpKind::AtMost:
  case SD_NN_POOLS:
  case OpKind::Concat:
  case OpKind::Pad:
  case SD_NN_FINAL:
  case OpKind::Function:
  case OpKind::Return:
#include "ir/core/ShareCases.def"
    break;
  }
  return std::nullopt;
}

} // namespace sd::intervals
