#include "ir/core/ReferenceError.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "ir/core/ReferenceLinear.h"

namespace sd::reference {

namespace {

constexpr double kDeviations = 8;

double real(Ring value) { return static_cast<SignedRing>(value); }

Variance squares(const Tensor<Ring> &values) {
  return map<double>(values, [](Ring v) { return real(v) * real(v); });
}

// Which elements of `kind`'s result a truncation by `bits` leaves in doubt.
Variance truncated(const Tensor<Ring> &y, const Variance &variance, int bits, bool relu) {
  Variance result = variance;
  const double unit = std::ldexp(1.0, bits), fresh = bits > 0 ? kRoundingVariance : 0;
  for (std::size_t i = 0; i < result.data.size(); ++i) {
    double &v = result.data[i];
    const bool surelyZero = relu && real(y.data[i]) + kDeviations * std::sqrt(v) + unit < 0;
    v = surelyZero ? 0 : v / (unit * unit) + fresh;
  }
  return result;
}

Variance maximum(const Tensor<Ring> &a, const Tensor<Ring> &b, const Variance &va, const Variance &vb) {
  Variance result = va;
  for (std::size_t i = 0; i < result.data.size(); ++i) {
    const double sum = va.data[i] + vb.data[i], gap = real(a.data[i] - b.data[i]);
    result.data[i] = std::abs(gap) <= kDeviations * std::sqrt(sum) ? sum : gap > 0 ? va.data[i] : vb.data[i];
  }
  return result;
}

Variance product(const Tensor<Ring> &a, const Tensor<Ring> &b, const Variance &va, const Variance &vb) {
  Variance result = va;
  for (std::size_t i = 0; i < result.data.size(); ++i) {
    const double x = real(a.data[i]), y = real(b.data[i]);
    result.data[i] = x * x * vb.data[i] + y * y * va.data[i] + va.data[i] * vb.data[i];
  }
  return result;
}

// conv, matmul and scale: the squared weights take the weights' place, and the bias has none.
Variance weighted(OpKind kind, std::span<const Tensor<Ring> *const> values, const Variance &variance,
                  const Attrs &attrs, const Shape &shape) {
  const Variance weights = squares(*values[1]);
  return evaluateLinear<double>(kind, std::vector{&variance, &weights}, attrs, shape);
}

} // namespace

Variance propagate(OpKind kind, std::span<const Tensor<Ring> *const> values, std::span<const Variance *const> variances,
                   const Attrs &attrs, const Shape &shape) {
  if (isLayout(kind)) return evaluateLayout<double>(kind, variances, attrs, shape, 0);
  const Variance &first = *variances[0];
  switch (kind) {
  case OpKind::ShareConv:
  case OpKind::ShareMatMul:
  case OpKind::ShareScale:
    return weighted(kind, values, first, attrs, shape);
  case OpKind::ShareSumPool:
    return evaluateLinear<double>(kind, variances, attrs, shape);
  case OpKind::ShareAdd:
  case OpKind::ShareSub:
    if (variances[0] == variances[1]) // x + x or x - x
      return map<double>(first, [&](double v) { return kind == OpKind::ShareAdd ? 4 * v : 0; });
    return evaluateLinear<double>(OpKind::ShareAdd, variances, attrs, shape);
  case OpKind::ShareMulC: {
    const double factor = static_cast<double>(attrs.i(Attr::Factor));
    return map<double>(first, [=](double v) { return v * factor * factor; });
  }
  case OpKind::ShareTruncate:
  case OpKind::ShareRelu:
    return truncated(*values[0], first, static_cast<int>(attrs.i(Attr::Bits)), kind == OpKind::ShareRelu);
  case OpKind::ShareMax:
    return maximum(*values[0], *values[1], first, *variances[1]);
  case OpKind::ShareMul:
    return product(*values[0], *values[1], first, *variances[1]);
  default:
    assert(kind == OpKind::ShareAddW || kind == OpKind::ShareRescale);
    return first;
  }
}

Tensor<float> statedError(const Variance &variance, int scale) {
  return map<float>(variance,
                    [&](double v) { return static_cast<float>(std::ldexp(kDeviations * std::sqrt(v) + 1, -scale)); });
}

namespace {

Tensor<float> combined(OpKind kind, std::span<const Tensor<float> *const> values,
                       std::span<const Tensor<float> *const> errors, const Shape &shape) {
  Tensor<float> result(shape);
  const Tensor<float> &a = *values[0], &b = *values[1];
  forEachBroadcast(shape, a.shape, b.shape, [&](auto i, auto ia, auto ib) {
    const float ea = errors[0]->data[ia], eb = errors[1]->data[ib];
    const float x = std::abs(a.data[ia]), y = std::abs(b.data[ib]);
    if (kind == OpKind::Mul)
      result.data[i] = x * eb + y * ea + ea * eb;
    else if (kind == OpKind::Div)
      result.data[i] = y > eb ? (ea + x / y * eb) / (y - eb) : std::numeric_limits<float>::infinity();
    else
      result.data[i] = ea + eb;
  });
  return result;
}

// softmax: |dp_i| <= p_i (1 - p_i) times the spread of the errors; logsoftmax: the error itself plus a mean of errors.
Tensor<float> softmaxError(const Tensor<float> &error, std::int64_t axis, bool logarithm) {
  Tensor<float> result = error;
  const AxisSplit split = splitAt(error.shape, axis);
  for (std::int64_t o = 0; o < split.outer; ++o)
    for (std::int64_t n = 0; n < split.inner; ++n) {
      auto at = [&](std::int64_t i) -> float & { return result.data[(o * split.length + i) * split.inner + n]; };
      float most = 0;
      for (std::int64_t i = 0; i < split.length; ++i)
        most = std::max(most, at(i));
      for (std::int64_t i = 0; i < split.length; ++i)
        at(i) = logarithm ? at(i) + most : std::min(most / 2, 1.0F);
    }
  return result;
}

// 0 where the maximum is beyond doubt, else the axis' length.
Tensor<float> argMaxError(const Tensor<float> &x, const Tensor<float> &error, std::int64_t axis,
                          const Tensor<float> &result) {
  Tensor<float> doubt(result.shape);
  const AxisSplit split = splitAt(x.shape, axis);
  for (std::int64_t i = 0; i < doubt.size(); ++i) {
    auto index = [&](std::int64_t k) { return (i / split.inner * split.length + k) * split.inner + i % split.inner; };
    const std::int64_t best = index(static_cast<std::int64_t>(result.data[i]));
    for (std::int64_t k = 0; k < split.length; ++k)
      if (index(k) != best && x.data[index(k)] + error.data[index(k)] >= x.data[best] - error.data[best])
        doubt.data[i] = static_cast<float>(split.length);
  }
  return doubt;
}

} // namespace

Tensor<float> carryError(OpKind kind, std::span<const Tensor<float> *const> values,
                         std::span<const Tensor<float> *const> errors, const Attrs &attrs,
                         const Tensor<float> &result) {
  if (isLayout(kind)) return evaluateLayout<float>(kind, errors, attrs, result.shape, 0);
  switch (kind) {
  case OpKind::Add:
  case OpKind::Sub:
  case OpKind::Mul:
  case OpKind::Div:
    return combined(kind, values, errors, result.shape);
  case OpKind::Softmax:
  case OpKind::LogSoftmax:
    return softmaxError(*errors[0], attrs.i(Attr::Axis), kind == OpKind::LogSoftmax);
  case OpKind::Sigmoid:
    return map<float>(*errors[0], [](float e) { return std::min(e / 4, 1.0F); });
  case OpKind::ArgMax:
    return argMaxError(*values[0], *errors[0], attrs.i(Attr::Axis), result);
  case OpKind::Identity:
  case OpKind::Relu:
    return *errors[0];
  default: // not behind share.output; no statement
    return Tensor<float>(result.shape, std::numeric_limits<float>::infinity());
  }
}

} // namespace sd::reference
