// Meaning of the nn ops.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>
#include <span>

#include "ir/core/Functions.h"
#include "ir/core/OpFamilies.h"
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

Tensor<float> vecDot(const Tensor<float> &a, const Tensor<float> &b, const Shape &shape) {
  Shape products = shape;
  const std::int64_t fromA = a.shape.empty() ? 1 : a.shape.back(), fromB = b.shape.empty() ? 1 : b.shape.back();
  products.push_back(std::max(fromA, fromB));
  std::vector<double> sums(static_cast<std::size_t>(elementCount(shape)));
  forEachBroadcast(products, a.shape, b.shape, [&](auto i, auto ia, auto ib) {
    sums[i / products.back()] += static_cast<double>(a.data[ia]) * b.data[ib];
  });
  Tensor<float> result(shape);
  std::ranges::transform(sums, result.data.begin(), toFloat);
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

// Of each row along the last axis.
Tensor<float> normalised(const Tensor<float> &x, bool centred, double epsilon) {
  Tensor<float> result(x.shape);
  const std::int64_t n = x.shape.back();
  for (std::int64_t first = 0; first < x.size(); first += n) {
    const std::span<const float> row(x.data.data() + first, static_cast<std::size_t>(n));
    const double mean = centred ? std::accumulate(row.begin(), row.end(), 0.0) / static_cast<double>(n) : 0;
    double squares = 0;
    for (const float v : row)
      squares += (v - mean) * (v - mean);
    const double root = std::sqrt(squares / static_cast<double>(n) + epsilon);
    for (std::int64_t i = 0; i < n; ++i)
      result.data[first + i] = root == 0 ? 0.0F : toFloat((row[i] - mean) / root);
  }
  return result;
}

// The window of one output: the taps of three spatial axes, of which those that x lacks have size 1.
struct PoolWindow {
  const float *data; // of the channel
  std::array<WindowAxis, 3> axes;
  std::array<std::int64_t, 3> output;

  template <class F>
  void forEach(F f) const {
    const WindowTaps slices = windowTaps(axes[0], output[0]), rows = windowTaps(axes[1], output[1]),
                     columns = windowTaps(axes[2], output[2]);
    const auto at = [](const WindowTaps &taps, const WindowAxis &axis, std::int64_t i) {
      return taps.first + i * axis.dilation;
    };
    for (std::int64_t i = slices.begin; i < slices.end; ++i)
      for (std::int64_t j = rows.begin; j < rows.end; ++j)
        for (std::int64_t k = columns.begin; k < columns.end; ++k)
          f(data[(at(slices, axes[0], i) * axes[1].size + at(rows, axes[1], j)) * axes[2].size +
                 at(columns, axes[2], k)]);
  }
};

// Each result is reduce(window).
template <class F>
Tensor<float> pool(const Tensor<float> &x, const Attrs &attrs, const Shape &shape, F reduce) {
  const auto given = windowAxes(x.shape, attrs.ints(Attr::Kernel), attrs);
  PoolWindow window{};
  std::array<std::int64_t, 3> outputs = {1, 1, 1};
  window.axes.fill(WindowAxis{1, 1, 1, 0, 0, 1});
  std::ranges::copy(given, window.axes.end() - static_cast<std::ptrdiff_t>(given.size()));
  std::copy(shape.begin() + 2, shape.end(), outputs.end() - static_cast<std::ptrdiff_t>(given.size()));
  Tensor<float> result(shape);
  auto to = result.data.begin();
  window.data = x.data.data();
  for (std::int64_t p = 0; p < shape[0] * shape[1]; ++p) {
    for (auto &[slice, row, column] = window.output; slice < outputs[0]; ++slice) {
      for (row = 0; row < outputs[1]; ++row)
        for (column = 0; column < outputs[2]; ++column)
          *to++ = reduce(window);
    }
    window.output = {};
    window.data += window.axes[0].size * window.axes[1].size * window.axes[2].size;
  }
  return result;
}

Tensor<float> maxPool(const Tensor<float> &x, const Attrs &attrs, const Shape &shape) {
  return pool(x, attrs, shape, [](const PoolWindow &window) {
    float most = -std::numeric_limits<float>::infinity();
    window.forEach([&](float v) { most = v > most || std::isnan(v) ? v : most; });
    return most;
  });
}

Tensor<float> avgPool(const Tensor<float> &x, const Attrs &attrs, const Shape &shape) {
  const bool includePad = attrs.i(Attr::CountIncludePad) != 0, shifts = attrs.has(Attr::Shift);
  const double power = std::ldexp(1.0, static_cast<int>(attrs.i(Attr::Shift, 0)));
  return pool(x, attrs, shape, [=](const PoolWindow &window) {
    double sum = 0;
    window.forEach([&](float v) { sum += v; });
    std::int64_t taps = 1;
    for (std::size_t i = 0; i < window.axes.size(); ++i)
      taps *= countedTaps(window.axes[i], window.output[i], includePad);
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

// The values, or with `positions` where they stand.
Tensor<float> topK(const Tensor<float> &x, const Attrs &attrs, const Shape &shape, bool positions) {
  Tensor<float> result(shape);
  const std::int64_t count = attrs.i(Attr::Count);
  const AxisSplit split = splitAt(x.shape, attrs.i(Attr::Axis));
  std::vector<std::int64_t> order(static_cast<std::size_t>(split.length));
  for (std::int64_t o = 0; o < split.outer; ++o)
    for (std::int64_t n = 0; n < split.inner; ++n) {
      auto at = [&](std::int64_t i) { return x.data[(o * split.length + i) * split.inner + n]; };
      std::iota(order.begin(), order.end(), std::int64_t{0});
      std::ranges::partial_sort(order, order.begin() + count, [&](std::int64_t a, std::int64_t b) {
        return at(a) > at(b) || (at(a) == at(b) && a < b);
      });
      for (std::int64_t k = 0; k < count; ++k)
        result.data[(o * count + k) * split.inner + n] = positions ? static_cast<float>(order[k]) : at(order[k]);
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

Tensor<float> piecewise(const Tensor<float> &x, const Attrs &attrs) {
  const Tensor<float> &knots = attrs.floats(Attr::Knots), &slopes = attrs.floats(Attr::Slopes);
  return map<float>(x, [&, offset = attrs.f(Attr::Offset)](float v) {
    double at = knots.data[0], y = offset;
    if (!(v > at)) return toFloat(y + slopes.data[0] * (v - at));
    std::size_t i = 1;
    for (; i < knots.data.size() && v > knots.data[i]; ++i) {
      y += slopes.data[i] * (knots.data[i] - at);
      at = knots.data[i];
    }
    return toFloat(y + slopes.data[i] * (v - at));
  });
}

Tensor<float> reduceSum(const Tensor<float> &x, const Attrs &attrs, const Shape &shape) {
  Tensor<float> result(shape);
  const AxisSplit split = splitAt(x.shape, attrs.i(Attr::Axis));
  for (std::int64_t o = 0; o < split.outer; ++o)
    for (std::int64_t n = 0; n < split.inner; ++n) {
      double sum = 0;
      for (std::int64_t i = 0; i < split.length; ++i)
        sum += static_cast<double>(x.data[(o * split.length + i) * split.inner + n]);
      result.data[o * split.inner + n] = toFloat(sum);
    }
  return result;
}

// Of products with whole numbers in doubles: exact where a row of w has a single 1.
Tensor<float> atMost(Operands<float> operands, const Shape &shape) {
  Tensor<float> result(shape);
  if (operands.size() == 2) {
    forEachBroadcast(shape, operands[0]->shape, operands[1]->shape, [&](auto i, auto a, auto b) {
      result.data[i] = operands[0]->data[a] <= operands[1]->data[b] ? 1.0F : 0.0F;
    });
    return result;
  }
  const Tensor<float> &a = *operands[0], &b = *operands[1], &w = *operands[2];
  const std::int64_t inputs = w.shape[0], outputs = w.shape[1];
  std::vector<double> sums(static_cast<std::size_t>(outputs));
  for (std::int64_t row = 0; row * inputs < a.size(); ++row) {
    std::ranges::fill(sums, 0.0);
    for (std::int64_t k = 0; k < inputs; ++k)
      for (std::int64_t m = 0; m < outputs; ++m)
        if (const float factor = w.data[k * outputs + m]; factor != 0)
          sums[m] += static_cast<double>(factor) * a.data[row * inputs + k];
    for (std::int64_t m = 0; m < outputs; ++m)
      result.data[row * outputs + m] = sums[m] <= b.data[m] ? 1.0F : 0.0F;
  }
  return result;
}

} // namespace

double evaluateScalar(OpKind kind, double x) {
  switch (kind) {
  case OpKind::Relu: // as it stands, NaN stays NaN
    return x < 0 ? 0 : x;
  case OpKind::Sigmoid:
    return 1 / (1 + std::exp(-x));
  case OpKind::Tanh:
    return std::tanh(x);
  case OpKind::Erf:
    return std::erf(x);
  case OpKind::Elu:
    return x > 0 ? x : std::expm1(x);
  case OpKind::Softplus:
    return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x)));
  case OpKind::Softsign:
    return x / (1 + std::abs(x));
  case SD_NN_ENDS: // not of one number
  case OpKind::Identity:
  case SD_NN_PRODUCTS:
  case OpKind::BatchNorm:
  case SD_NN_ARITHMETIC:
  case OpKind::VecDot:
  case OpKind::Piecewise:
  case OpKind::AtMost:
  case SD_NN_POOLS:
  case SD_NN_LAYOUT:
  case OpKind::Softmax:
  case OpKind::LogSoftmax:
  case SD_NN_RANKING:
  case OpKind::ReduceSum:
  case OpKind::Function:
#include "ir/core/ShareCases.def"
    break;
  }
  assert(false && "not a function of one number");
  return x;
}

Expected<Tensor<float>> evaluateClear(OpKind kind, std::span<const Tensor<float> *const> operands, const Attrs &attrs) {
  std::vector<Type> types;
  for (auto *operand : operands)
    types.push_back(Type::clear(operand->shape));
  SD_ASSIGN(const Type type, resultType(kind, types, attrs));
  const Shape &shape = type.shape;
  switch (kind) {
  case SD_NN_LAYOUT:
    return evaluateLayout(kind, operands, attrs, shape, kind == OpKind::Pad ? toFloat(attrs.f(Attr::Fill)) : 0.0F);
  case SD_NN_PRODUCTS:
  case OpKind::Add:
  case OpKind::Sub:
  case OpKind::Mul:
    return linearInDouble(kind, operands, attrs, shape);
  case OpKind::Constant:
    return attrs.floats(Attr::Value);
  case OpKind::Identity:
    return *operands[0];
  case OpKind::BatchNorm:
    return batchNorm(operands, attrs.f(Attr::Epsilon));
  case OpKind::Div:
    return divide(*operands[0], *operands[1], shape);
  case OpKind::VecDot:
    return vecDot(*operands[0], *operands[1], shape);
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
  case SD_NN_SMOOTH:
    return map<float>(*operands[0], [kind](float v) { return toFloat(evaluateScalar(kind, v)); });
  case OpKind::Piecewise:
    return piecewise(*operands[0], attrs);
  case OpKind::Function:
    if (const auto rows = rowFunction(attrs.str(Attr::Function)))
      return normalised(*operands[0], rows->centred, rows->epsilon);
    return map<float>(*operands[0], [apply = findFunction(attrs.str(Attr::Function))->apply](float v) {
      return toFloat(apply(static_cast<double>(v)));
    });
  case OpKind::ReduceSum:
    return reduceSum(*operands[0], attrs, shape);
  case OpKind::AtMost:
    return atMost(operands, shape);
  case OpKind::ArgMax:
    return argMax(*operands[0], attrs, shape);
  case OpKind::TopK:
  case OpKind::ArgTopK:
    return topK(*operands[0], attrs, shape, kind == OpKind::ArgTopK);
  case OpKind::Input:
  case OpKind::Return:
#include "ir/core/ShareCases.def"
    break;
  }
  return fail("{} has no value of its own", info(kind).mnemonic);
}

} // namespace sd
