// Intervals of the ops with weights.
#include <algorithm>
#include <cmath>

#include "ir/core/OpFamilies.h"
#include "passes/IntervalRules.h"

namespace sd::intervals {

namespace {

// One output: sums of w [low, high] over its taps. Doubles are exact below 2^53; beyond, a relative slack covers them.
struct Sum {
  double low = 0, high = 0, size = 0;
  void add(double w, double least, double most) {
    low += w * (w > 0 ? least : most);
    high += w * (w > 0 ? most : least);
    size += std::abs(w) * std::max(std::abs(least), std::abs(most));
  }
  void add(std::int64_t summand) { add(1, static_cast<double>(summand), static_cast<double>(summand)); }
  double slack() const { return size < 0x1p52 ? 0 : size * 1e-9; }
};

void store(Interval &result, std::int64_t i, const Sum &sum) {
  result.low.data[i] = sum.low - sum.slack();
  result.high.data[i] = sum.high + sum.slack();
}

Interval conv(const Case &c) {
  const Integers &w = *c.weights[0]; // [M,C/group,...]
  const Shape &shape = c.module.type(c.op.operands[0]).shape;
  Interval x = expanded(perChannel(*c.in[0], shape), [&] {
    Shape channels(shape.size(), 1);
    channels[1] = shape[1];
    return channels;
  }());
  if (std::ranges::any_of(c.op.attrs.ints(Attr::Pads), [](auto p) { return p != 0; }))
    for (std::int64_t i = 0; i < x.low.size(); ++i) { // taps on the padding
      x.low.data[i] = std::min(x.low.data[i], 0.0);
      x.high.data[i] = std::max(x.high.data[i], 0.0);
    }
  const std::int64_t outputs = w.shape()[0], inputs = w.shape()[1], taps = w.size() / (outputs * inputs);
  const std::int64_t perGroup = outputs / c.op.attrs.i(Attr::Group);
  Shape resultShape(shape.size(), 1);
  resultShape[1] = outputs;
  Interval result{Tensor<double>(resultShape), Tensor<double>(resultShape)};
  for (std::int64_t m = 0; m < outputs; ++m) {
    Sum sum;
    for (std::int64_t k = 0; k < inputs; ++k)
      for (std::int64_t tap = 0; tap < taps; ++tap) {
        const std::int64_t channel = m / perGroup * inputs + k;
        sum.add(static_cast<double>(w[(m * inputs + k) * taps + tap]), x.low.data[channel], x.high.data[channel]);
      }
    if (c.weights.size() > 1) sum.add((*c.weights[1])[m]);
    store(result, m, sum);
  }
  return result;
}

// The hull over all axes but the last: [K].
Interval lastAxis(const Interval &x, std::int64_t size) {
  const std::int64_t own = x.low.shape.empty() ? 1 : x.low.shape.back();
  Interval result{Tensor<double>(Shape{size}, HUGE_VAL), Tensor<double>(Shape{size}, -HUGE_VAL)};
  const std::int64_t rows = x.low.size() / own;
  for (std::int64_t i = 0; i < rows; ++i)
    for (std::int64_t k = 0; k < size; ++k) {
      const std::int64_t from = i * own + (own == 1 ? 0 : k);
      result.low.data[k] = std::min(result.low.data[k], x.low.data[from]);
      result.high.data[k] = std::max(result.high.data[k], x.high.data[from]);
    }
  return result;
}

Interval matMul(const Case &c) {
  const Integers &w = *c.weights[0]; // [K,M]
  const std::int64_t inputs = w.shape()[0], outputs = w.shape()[1];
  const Interval x = lastAxis(*c.in[0], inputs);
  std::vector<Sum> sums(outputs);
  for (std::int64_t k = 0; k < inputs; ++k)
    for (std::int64_t m = 0; m < outputs; ++m)
      sums[m].add(static_cast<double>(w[k * outputs + m]), x.low.data[k], x.high.data[k]);
  Interval result{Tensor<double>(Shape{outputs}), Tensor<double>(Shape{outputs})};
  for (std::int64_t m = 0; m < outputs; ++m) {
    if (c.weights.size() > 1) sums[m].add((*c.weights[1])[m]);
    store(result, m, sums[m]);
  }
  return result;
}

Interval exactly(const Integers &weights) {
  const auto bounds = weights.visit([](const auto &tensor) {
    return Tensor<double>(tensor.shape, {tensor.data.begin(), tensor.data.end()});
  });
  return {bounds, bounds};
}

Interval scale(const Case &c) {
  const Interval w = exactly(*c.weights[0]);
  Interval result = combine(*c.in[0], w, [](double, double) { return 0.0; });
  reference::forEachBroadcast(result.low.shape, c.in[0]->low.shape, w.low.shape, [&](auto i, auto ix, auto iw) {
    Sum sum;
    sum.add(w.low.data[iw], c.in[0]->low.data[ix], c.in[0]->high.data[ix]);
    store(result, i, sum);
  });
  return c.weights.size() > 1 ? combine(result, exactly(*c.weights[1]), std::plus<>()) : result;
}

} // namespace

Interval linearOp(const Case &c) {
  switch (c.op.kind) {
  case OpKind::ShareConv:
    return conv(c);
  case OpKind::ShareMatMul:
    return matMul(c);
  case OpKind::ShareScale:
    return scale(c);
  case OpKind::ShareAddW:
    return combine(*c.in[0], exactly(*c.weights[0]), std::plus<>());
  case OpKind::ShareConstant: // without weights
  case OpKind::ShareInput:
  case SD_SHARE_SUMS:
  case SD_SHARE_CONSTANTS:
  case SD_SHARE_LAYOUT:
  case SD_SHARE_COMPARISONS:
  case SD_SHARE_PRODUCTS:
  case OpKind::ShareOutput:
#include "ir/core/NnCases.def"
    break;
  }
  assert(false && "not a linear op");
  return *c.in[0];
}

} // namespace sd::intervals
