// Activations that are not made of ReLUs alone, each from the smooth ops of the IR (which become piecewise linear
// later) and, where a product of two values is exact and cheap, from that.
#include "compiler/onnx/Handlers.h"

#include <cmath>
#include <numbers>

#include "compiler/onnx/OpTable.h"
#include "compiler/onnx/Smooth.h"

namespace sd {
namespace {

constexpr double kMostFactors = 16; // of a power

Attrs piecewiseAttrs(std::vector<float> knots, std::vector<float> slopes, double offset) {
  auto list = [](std::vector<float> values) {
    const Shape shape{static_cast<std::int64_t>(values.size())};
    return std::make_shared<const Tensor<float>>(Tensor<float>(shape, std::move(values)));
  };
  return {{Attr::Knots, list(std::move(knots))}, {Attr::Slopes, list(std::move(slopes))}, {Attr::Offset, offset}};
}

Expected<Value> times(Emitter &emitter, const Value &x, double factor) { return scaledBy(emitter, x, factor, 0); }

// x^count by squares, count > 0.
Expected<Value> power(Emitter &emitter, const Value &x, int count) {
  Value result;
  Value square = x;
  for (int left = count; left > 0; left /= 2) {
    if (left % 2) {
      SD_ASSIGN(result, result.isNone() ? Expected<Value>(square) : emitter.arithmetic(OpKind::Mul, result, square));
    }
    if (left > 1) {
      SD_ASSIGN(square, emitter.arithmetic(OpKind::Mul, square, square));
    }
  }
  return result;
}

} // namespace

Expected<Value> scaledBy(Emitter &emitter, const Value &x, double factor, double summand) {
  const auto slope = static_cast<float>(factor);
  return emitter.compute(OpKind::Piecewise, {x}, piecewiseAttrs({0}, {slope, slope}, summand));
}

Expected<Value> leakyRelu(Emitter &emitter, const Value &x, double alpha) {
  return emitter.compute(OpKind::Piecewise, {x}, piecewiseAttrs({0}, {static_cast<float>(alpha), 1}, 0));
}

// As alpha elu(x) + (1 - alpha) relu(x).
Expected<Value> elu(Emitter &emitter, const Value &x, double alpha) {
  SD_ASSIGN(const Value unit, emitter.compute(OpKind::Elu, {x}));
  if (alpha == 1) return unit;
  SD_ASSIGN(const Value positive, emitter.relu(x));
  SD_ASSIGN(const Value left, times(emitter, unit, alpha));
  SD_ASSIGN(const Value right, times(emitter, positive, 1 - alpha));
  return emitter.arithmetic(OpKind::Add, left, right);
}

Expected<Value> hardSigmoid(Emitter &emitter, const Value &x, double alpha, double beta) {
  if (!(std::abs(alpha) >= 1e-6 && std::abs(alpha) <= 1e6 && std::abs(beta) <= 1e6))
    return fail("its slope is {:g} and its offset {:g}, which is no usable activation", alpha, beta);
  const auto low = static_cast<float>(-beta / alpha), high = static_cast<float>((1 - beta) / alpha);
  const auto slope = static_cast<float>(alpha);
  return emitter.compute(OpKind::Piecewise, {x},
                         alpha > 0 ? piecewiseAttrs({low, high}, {0, slope, 0}, 0)
                                   : piecewiseAttrs({high, low}, {0, slope, 0}, 1));
}

Expected<void> importSmooth(Node &node, Emitter &emitter) {
  const OpKind op = node.op() == "Tanh"       ? OpKind::Tanh
                    : node.op() == "Erf"      ? OpKind::Erf
                    : node.op() == "Softplus" ? OpKind::Softplus
                                              : OpKind::Softsign;
  SD_ASSIGN(Value result, emitter.compute(op, {node.input(0)}));
  node.setOutput(0, std::move(result));
  return {};
}

namespace {

// A function with one parameter, its attribute `alpha`.
Expected<void> importOfAlpha(Node &node, Emitter &emitter, double standard,
                             Expected<Value> (*function)(Emitter &, const Value &, double)) {
  SD_ASSIGN(const double alpha, node.real("alpha", standard));
  SD_ASSIGN(Value result, function(emitter, node.input(0), alpha));
  node.setOutput(0, std::move(result));
  return {};
}

} // namespace

Expected<void> importElu(Node &node, Emitter &emitter) { return importOfAlpha(node, emitter, 1.0, elu); }

Expected<void> importSelu(Node &node, Emitter &emitter) {
  SD_ASSIGN(const double alpha, node.real("alpha", 1.67326319217681884765625));
  SD_ASSIGN(const double gamma, node.real("gamma", 1.05070102214813232421875));
  SD_ASSIGN(const Value unscaled, elu(emitter, node.input(0), alpha));
  SD_ASSIGN(Value result, times(emitter, unscaled, gamma));
  node.setOutput(0, std::move(result));
  return {};
}

Expected<void> importCelu(Node &node, Emitter &emitter) { // alpha elu(x / alpha)
  SD_ASSIGN(const double alpha, node.real("alpha", 1.0));
  if (!(alpha > 0)) return fail("its alpha is {:g}; it must be positive", alpha);
  SD_ASSIGN(const Value narrow, times(emitter, node.input(0), 1 / alpha));
  SD_ASSIGN(const Value unit, emitter.compute(OpKind::Elu, {narrow}));
  SD_ASSIGN(Value result, times(emitter, unit, alpha));
  node.setOutput(0, std::move(result));
  return {};
}

Expected<Value> gelu(Emitter &emitter, const Value &x, bool isExact) {
  Value bend; // erf(x / sqrt(2)), or tanh(sqrt(2 / pi) (x + 0.044715 x^3))
  if (isExact) {
    SD_ASSIGN(const Value narrow, times(emitter, x, 1 / std::numbers::sqrt2));
    SD_ASSIGN(bend, emitter.compute(OpKind::Erf, {narrow}));
  } else {
    SD_ASSIGN(const Value square, emitter.arithmetic(OpKind::Mul, x, x));
    SD_ASSIGN(const Value cube, emitter.arithmetic(OpKind::Mul, square, x));
    SD_ASSIGN(const Value small, times(emitter, cube, 0.044715));
    SD_ASSIGN(const Value inner, emitter.arithmetic(OpKind::Add, x, small));
    SD_ASSIGN(const Value scaled, times(emitter, inner, std::sqrt(2 / std::numbers::pi)));
    SD_ASSIGN(bend, emitter.compute(OpKind::Tanh, {scaled}));
  }
  SD_ASSIGN(const Value half, scaledBy(emitter, bend, 0.5, 0.5));
  return emitter.arithmetic(OpKind::Mul, x, half);
}

Expected<Value> swish(Emitter &emitter, const Value &x, double alpha) {
  Value scaled = x;
  if (alpha != 1) {
    SD_ASSIGN(scaled, times(emitter, x, alpha));
  }
  SD_ASSIGN(const Value gate, emitter.openAnd(OpKind::Sigmoid, scaled, {}));
  return emitter.arithmetic(OpKind::Mul, x, gate);
}

Expected<void> importGelu(Node &node, Emitter &emitter) {
  const auto mode = node.text("approximate", "none");
  if (!mode) return tl::unexpected(mode.error());
  if (*mode != "none" && *mode != "tanh") return fail("its mode '{}' is not known", printable(*mode));
  SD_ASSIGN(Value result, gelu(emitter, node.input(0), *mode == "none"));
  node.setOutput(0, std::move(result));
  return {};
}

Expected<void> importSwish(Node &node, Emitter &emitter) { return importOfAlpha(node, emitter, 1.0, swish); }

Expected<void> importMish(Node &node, Emitter &emitter) { // x tanh(softplus(x))
  SD_ASSIGN(const Value soft, emitter.compute(OpKind::Softplus, {node.input(0)}));
  SD_ASSIGN(const Value bend, emitter.compute(OpKind::Tanh, {soft}));
  SD_ASSIGN(Value result, emitter.arithmetic(OpKind::Mul, node.input(0), bend));
  node.setOutput(0, std::move(result));
  return {};
}

Expected<void> importHardSigmoid(Node &node, Emitter &emitter) {
  SD_ASSIGN(const double alpha, node.real("alpha", 0.2));
  SD_ASSIGN(const double beta, node.real("beta", 0.5));
  SD_ASSIGN(Value result, hardSigmoid(emitter, node.input(0), alpha, beta));
  node.setOutput(0, std::move(result));
  return {};
}

Expected<void> importHardSwish(Node &node, Emitter &emitter) {
  SD_ASSIGN(const Value gate, hardSigmoid(emitter, node.input(0), 1.0 / 6, 0.5));
  SD_ASSIGN(Value result, emitter.arithmetic(OpKind::Mul, node.input(0), gate));
  node.setOutput(0, std::move(result));
  return {};
}

Expected<void> importLeakyRelu(Node &node, Emitter &emitter) { return importOfAlpha(node, emitter, 0.01, leakyRelu); }

Expected<void> importPow(Node &node, Emitter &emitter) {
  const Value &x = node.input(0), &exponent = node.input(1);
  if (x.isConstant() && exponent.isConstant()) {
    if (x.isInteger() || exponent.isInteger()) return fail("is supported for floats only");
    SD_ASSIGN(const Shape shape, broadcastShapes(x.shape(), exponent.shape()));
    SD_ASSIGN(const Value bases, emitter.broadcast(x, shape));
    SD_ASSIGN(const Value exponents, emitter.broadcast(exponent, shape));
    SD_TRY(emitter.takeBudget(shape));
    Tensor<float> result(shape);
    for (std::size_t i = 0; i < result.data.size(); ++i)
      result.data[i] = std::pow(bases.floats()->data[i], exponents.floats()->data[i]);
    node.setOutput(0, Value::of(std::move(result)));
    return {};
  }
  SD_ASSIGN(const double number, node.constantScalar(1, "exponent"));
  if (number == 0 || !std::isfinite(number))
    return fail("its exponent is {:g}, with which the result does not depend on the data", number);
  SD_ASSIGN(const Shape shape, broadcastShapes(x.shape(), exponent.shape()));
  SD_ASSIGN(Value result, emitter.reshape(x, shape)); // one exponent adds no more than axes of size 1
  const double size = std::abs(number);
  const bool isWhole = size == std::trunc(size);
  if (isWhole && size > kMostFactors)
    return fail("its exponent is {:g}; whole ones from -{} to {} are supported", number, kMostFactors, kMostFactors);
  if (isWhole) {
    SD_ASSIGN(result, power(emitter, result, static_cast<int>(size)));
  } else if (size == 0.5) {
    SD_ASSIGN(result, emitter.function("sqrt", result));
  } else { // of values from 0 on, as floats have it for exponents that are not whole
    SD_ASSIGN(const Value log, emitter.function("log", result));
    SD_ASSIGN(const Value product, emitter.arithmetic(OpKind::Mul, log, Value::scalar(static_cast<float>(number))));
    SD_ASSIGN(result, emitter.function("exp", product));
  }
  if (number < 0 && (size == 0.5 || isWhole)) {
    SD_ASSIGN(result, emitter.function("reciprocal", result));
  }
  node.setOutput(0, std::move(result));
  return {};
}

} // namespace sd
