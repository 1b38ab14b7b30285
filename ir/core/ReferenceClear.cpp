// Meaning of the nn ops.
#include <algorithm>
#include <cmath>
#include <limits>

#include "ir/core/Reference.h"
#include "ir/core/ReferenceLinear.h"
#include "ir/core/Windows.h"

namespace sd {

namespace {

using namespace reference;

float toFloat(double value) { return static_cast<float>(value); }

Tensor<float> linearInDouble(OpKind kind, Operands<float> operands, const Attrs &attrs, const Shape &shape) {
  std::vector<Tensor<double>> wide;
  for (auto *operand : operands)
    wide.push_back(map<double>(*operand, [](float v) { return static_cast<double>(v); }));
  std::vector<const Tensor<double> *> pointers;
  for (auto &tensor : wide)
    pointers.push_back(&tensor);
  return map<float>(evaluateLinear<double>(kind, pointers, attrs, shape), toFloat);
}

Tensor<float> divide(const Tensor<float> &a, const Tensor<float> &b, const Shape &shape) {
  Tensor<float> result(shape);
  forEachBroadcast(shape, a.shape, b.shape,
                   [&](auto i, auto ia, auto ib) { result.data[i] = a.data[ia] / b.data[ib]; });
  return result;
}

Tensor<float> batchNorm(Operands<float> operands, double epsilon) {
  Tensor<float> result = *operands[0];
  const AxisSplit split = splitAt(result.shape, 1);
  for (std::int64_t o = 0; o < split.outer; ++o)
    for (std::int64_t c = 0; c < split.length; ++c) {
      auto parameter = [&](int i) { return static_cast<double>(operands[i]->data[c]); };
      const double scale = parameter(1) / std::sqrt(parameter(4) + epsilon);
      float *x = result.data.data() + (o * split.length + c) * split.inner;
      for (std::int64_t i = 0; i < split.inner; ++i)
        x[i] = toFloat((x[i] - parameter(3)) * scale + parameter(2));
    }
  return result;
}

// Each result is reduce(window); reduce gets the plane's data and the taps of both axes.
template <class F>
Tensor<float> pool(const Tensor<float> &x, const Attrs &attrs, const Shape &shape, F reduce) {
  auto axes = windowAxes(x.shape, attrs.ints(Attr::Kernel), attrs);
  if (axes.size() == 1) axes.insert(axes.begin(), WindowAxis{1, 1, 1, 0, 0, 1});
  const std::int64_t rows = shape.size() == 4 ? shape[2] : 1, columns = shape.back();
  Tensor<float> result(shape);
  auto to = result.data.begin();
  for (std::int64_t p = 0; p < shape[0] * shape[1]; ++p)
    for (std::int64_t row = 0; row < rows; ++row)
      for (std::int64_t column = 0; column < columns; ++column)
        *to++ = reduce(x.data.data() + p * axes[0].size * axes[1].size, axes, row, column);
  return result;
}

// Calls f(element) for each element of the window.
template <class F>
void forEachTap(const float *x, const std::vector<WindowAxis> &axes, std::int64_t row, std::int64_t column, F f) {
  const WindowTaps rows = windowTaps(axes[0], row), columns = windowTaps(axes[1], column);
  for (std::int64_t i = rows.begin; i < rows.end; ++i)
    for (std::int64_t j = columns.begin; j < columns.end; ++j)
      f(x[(rows.first + i * axes[0].dilation) * axes[1].size + columns.first + j * axes[1].dilation]);
}

Tensor<float> maxPool(const Tensor<float> &x, const Attrs &attrs, const Shape &shape) {
  return pool(x, attrs, shape, [](const float *plane, auto &axes, auto row, auto column) {
    float most = -std::numeric_limits<float>::infinity();
    forEachTap(plane, axes, row, column, [&](float v) { most = v > most || std::isnan(v) ? v : most; });
    return most;
  });
}

Tensor<float> avgPool(const Tensor<float> &x, const Attrs &attrs, const Shape &shape) {
  const bool includePad = attrs.i(Attr::CountIncludePad) != 0, shifts = attrs.has(Attr::Shift);
  const double power = std::ldexp(1.0, static_cast<int>(attrs.i(Attr::Shift, 0)));
  return pool(x, attrs, shape, [=](const float *plane, auto &axes, auto row, auto column) {
    double sum = 0;
    forEachTap(plane, axes, row, column, [&](float v) { sum += v; });
    const std::int64_t taps = countedTaps(axes[0], row, includePad) * countedTaps(axes[1], column, includePad);
    return toFloat(sum / (shifts ? power : static_cast<double>(taps)));
  });
}

Tensor<float> softmax(const Tensor<float> &x, std::int64_t axis, bool logarithm) {
  Tensor<float> result = x;
  const AxisSplit split = splitAt(x.shape, axis);
  for (std::int64_t o = 0; o < split.outer; ++o)
    for (std::int64_t n = 0; n < split.inner; ++n) {
      auto at = [&](std::int64_t i) -> float & { return result.data[(o * split.length + i) * split.inner + n]; };
      double most = -std::numeric_limits<double>::infinity(), sum = 0;
      for (std::int64_t i = 0; i < split.length; ++i)
        most = std::max<double>(most, at(i));
      for (std::int64_t i = 0; i < split.length; ++i)
        sum += std::exp(at(i) - most);
      for (std::int64_t i = 0; i < split.length; ++i)
        at(i) = toFloat(logarithm ? at(i) - most - std::log(sum) : std::exp(at(i) - most) / sum);
    }
  return result;
}

Tensor<float> argMax(const Tensor<float> &x, const Attrs &attrs, const Shape &shape) {
  Tensor<float> result(shape);
  const bool last = attrs.i(Attr::SelectLast) != 0;
  const AxisSplit split = splitAt(x.shape, attrs.i(Attr::Axis));
  for (std::int64_t o = 0; o < split.outer; ++o)
    for (std::int64_t n = 0; n < split.inner; ++n) {
      auto at = [&](std::int64_t i) { return x.data[(o * split.length + i) * split.inner + n]; };
      std::int64_t best = 0;
      for (std::int64_t i = 1; i < split.length; ++i)
        if (at(i) > at(best) || (last && at(i) == at(best))) best = i;
      result.data[o * split.inner + n] = static_cast<float>(best);
    }
  return result;
}

Tensor<float> turnedRelu(const Tensor<float> &x, const Tensor<float> &turned, const Shape &shape) {
  Tensor<float> result = x;
  forEachBroadcast(shape, shape, turned.shape, [&](auto i, auto, auto t) {
    float &v = result.data[i];
    if (turned.data[t] != 0 ? v > 0 : v < 0) v = 0;
  });
  return result;
}

} // namespace

Expected<Tensor<float>> evaluateClear(OpKind kind, std::span<const Tensor<float> *const> operands, const Attrs &attrs) {
  std::vector<Type> types;
  for (auto *operand : operands)
    types.push_back(Type::clear(operand->shape));
  SD_ASSIGN(const Type type, resultType(kind, types, attrs));
  const Shape &shape = type.shape;
  if (isLayout(kind))
    return evaluateLayout(kind, operands, attrs, shape, kind == OpKind::Pad ? toFloat(attrs.f(Attr::Fill)) : 0.0F);
  if (isLinear(kind)) return linearInDouble(kind, operands, attrs, shape);
  switch (kind) {
  case OpKind::Constant:
    return attrs.floats(Attr::Value);
  case OpKind::Identity:
    return *operands[0];
  case OpKind::BatchNorm:
    return batchNorm(operands, attrs.f(Attr::Epsilon));
  case OpKind::Div:
    return divide(*operands[0], *operands[1], shape);
  case OpKind::Relu: // as it stands, NaN stays NaN
    if (operands.size() > 1) return turnedRelu(*operands[0], *operands[1], shape);
    return map<float>(*operands[0], [](float v) { return v < 0 ? 0.0F : v; });
  case OpKind::MaxPool:
    return maxPool(*operands[0], attrs, shape);
  case OpKind::AvgPool:
    return avgPool(*operands[0], attrs, shape);
  case OpKind::Softmax:
  case OpKind::LogSoftmax:
    return softmax(*operands[0], attrs.i(Attr::Axis), kind == OpKind::LogSoftmax);
  case OpKind::Sigmoid:
    return map<float>(*operands[0], [](float v) { return toFloat(1 / (1 + std::exp(-static_cast<double>(v)))); });
  case OpKind::ArgMax:
    return argMax(*operands[0], attrs, shape);
  default:
    return fail("{} has no value of its own", info(kind).mnemonic);
  }
}

} // namespace sd
