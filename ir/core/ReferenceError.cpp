#include "ir/core/ReferenceError.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "ir/core/ReferenceLinear.h"

namespace sd::reference {

namespace {

constexpr double kDeviations = 8;

// A truncation's own second moment, in squared units of its result: the protocol gives floor or ceiling with the
// probability of the fraction f, the reference the nearer one, so that E[d^2] = min(f, 1 - f) <= 1/2.
constexpr double kRoundingVariance = 0.5;

double sumOfSquares(const Tensor<float> &g) {
  double sum = 0;
  for (float v : g.data)
    sum += static_cast<double>(v) * v;
  return sum;
}

// Second moment of one element's deviation, in squared units of its integers.
template <RingWord R>
double secondMoment(const Trace<R> &trace, std::size_t output, std::int64_t element) {
  const auto &ops = trace.program.ops;
  std::vector<Tensor<float>> gradients(trace.program.types.size());
  const std::uint32_t opened = ops[output].operands[0];
  gradients[opened] = Tensor<float>(trace.program.types[opened].shape);
  gradients[opened].data[element] = 1;
  double moment = 0;
  for (std::size_t i = output; i-- > 0;) {
    const OpView &op = ops[i];
    if (info(op.kind).level != Level::Share || op.kind == OpKind::ShareOutput || gradients[op.result].data.empty())
      continue;
    const Tensor<float> g = std::move(gradients[op.result]);
    gradients[op.result] = {};
    if (op.kind == OpKind::ShareInput || op.kind == OpKind::ShareConstant) continue;
    if (op.attrs->i(Attr::Bits, 0) > 0) {
      // A ReLU's zeros are exact but near the border; those count too, as their gradient says.
      Tensor<float> rounded = g;
      if (op.kind == OpKind::ShareRelu) maskRelu(trace, op, rounded);
      moment += kRoundingVariance * sumOfSquares(rounded);
    }
    pullBack(trace, op, g, gradients);
  }
  return moment;
}

} // namespace

template <RingWord R>
Tensor<float> statedErrors(const Trace<R> &trace, std::size_t op) {
  const Type &type = trace.program.types[trace.program.ops[op].operands[0]];
  Tensor<float> errors(type.shape);
  for (std::int64_t i = 0; i < errors.size(); ++i)
    errors.data[i] =
        static_cast<float>(std::ldexp(kDeviations * std::sqrt(secondMoment(trace, op, i)) + 1, -type.scale));
  return errors;
}
template Tensor<float> statedErrors(const Trace<Ring32> &, std::size_t);
template Tensor<float> statedErrors(const Trace<Ring64> &, std::size_t);

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

// The k-th largest value moves by no more than the largest error. A position is beyond doubt where no other element may
// stand on the other side of it; elsewhere its error is the axis' length.
Tensor<float> topKError(const Tensor<float> &x, const Tensor<float> &error, std::int64_t axis,
                        const Tensor<float> &result, bool positions) {
  Tensor<float> doubt(result.shape);
  const AxisSplit split = splitAt(x.shape, axis), kept = splitAt(result.shape, axis);
  for (std::int64_t o = 0; o < split.outer; ++o)
    for (std::int64_t n = 0; n < split.inner; ++n) {
      auto index = [&](std::int64_t i) { return (o * split.length + i) * split.inner + n; };
      for (std::int64_t k = 0; k < kept.length; ++k) {
        const std::int64_t at = (o * kept.length + k) * kept.inner + n;
        const std::int64_t own = positions ? index(static_cast<std::int64_t>(result.data[at])) : -1;
        for (std::int64_t i = 0; i < split.length; ++i)
          if (!positions)
            doubt.data[at] = std::max(doubt.data[at], error.data[index(i)]);
          else if (index(i) != own &&
                   std::abs(x.data[index(i)] - x.data[own]) <= error.data[index(i)] + error.data[own])
            doubt.data[at] = static_cast<float>(split.length);
      }
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
  case OpKind::TopK:
  case OpKind::ArgTopK:
    return topKError(*values[0], *errors[0], attrs.i(Attr::Axis), result, kind == OpKind::ArgTopK);
  case OpKind::Identity:
  case OpKind::Relu:
    return *errors[0];
  default: // not behind share.output; no statement
    return Tensor<float>(result.shape, std::numeric_limits<float>::infinity());
  }
}

} // namespace sd::reference
