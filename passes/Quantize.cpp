// nn to share level. Everything between the inputs' normalisation and the final softmax becomes integers at scale s;
// behind every product stands a truncation back to s, which place-truncations then moves, merges or drops.
#include <algorithm>
#include <bit>
#include <cmath>

#include "ir/core/Reference.h"
#include "passes/Fixed.h"
#include "passes/PiecewiseLinear.h"
#include "passes/Quantizer.h"

namespace sd {

namespace {
// Bits of the integer part of the largest input: 8 for 0 to 255, 0 for [-1, 1].
int integerBits(const Op &input) {
  const double most = std::max(std::abs(input.attrs.f(Attr::Low)), std::abs(input.attrs.f(Attr::High)));
  return most <= 1 ? 0 : static_cast<int>(std::ceil(std::log2(most)));
}
} // namespace

Expected<Module> quantize(const Module &module, PassContext &context) {
  const bool lowered =
      std::ranges::any_of(module.ops, [](const Op &op) { return info(op.kind).level == Level::Share; });
  if (lowered) return fail("the module is at share level already; quantize takes nn ops");
  return Quantizer(module, context).run();
}

Expected<Module> Quantizer::run() {
  if (s_ < 1 || s_ > 16) return fail("the scale must be a power of two from 2 to 65536");
  for (std::size_t i = 0; i < module_.ops.size(); ++i)
    check(module_.ops[i], places_[i]);
  if (!complaints_.empty()) return complaints_.error();
  for (std::size_t i = 0; i < module_.ops.size(); ++i)
    if (places_[i] == Place::Private)
      lower(module_.ops[i]);
    else
      lowerClear(module_.ops[i]);
  if (!complaints_.empty()) return complaints_.error();
  return rewriter_.finish();
}

Shared Quantizer::share(ValueId value) {
  Shared &shared = shares_[value];
  if (shared.value != kNoValue) return shared;
  const Op &op = graph_.definition(value);
  if (context_.options.privateNormalization) { // moves alone lie between the input and here
    ValueId input = value;
    while (!graph_.isA(input, OpKind::Input))
      input = graph_.definition(input).operands[0];
    if (const Op &in = graph_.definition(input); in.attrs.has(Attr::Low)) shared.finer = integerBits(in);
  }
  const Type type = Type::share(module_.type(value).shape, std::max(s_ - shared.finer, 0));
  Attrs attrs; // the ring's own bound goes without saying
  if (k_ < module_.ringBits - 2) attrs.set(Attr::Bound, std::int64_t{k_});
  auto entered =
      rewriter_.builder.add({OpKind::ShareInput, {rewriter_[value]}, kNoValue, std::move(attrs), op.source}, &type);
  assert(entered);
  shared.value = *entered;
  return shared;
}

ValueId Quantizer::clear(ValueId value) {
  if (shares_[value].value == kNoValue || places_[graph_.definitions[value]] != Place::Private) return rewriter_[value];
  if (opened_[value] == kNoValue)
    opened_[value] = append(graph_.definition(value), OpKind::ShareOutput, {shares_[value].value});
  return opened_[value];
}

void Quantizer::lowerClear(const Op &op) {
  Op copy{op.kind, {}, kNoValue, op.attrs, op.source};
  for (auto operand : op.operands)
    copy.operands.push_back(clear(operand));
  auto result = rewriter_.builder.add(std::move(copy));
  assert(result);
  if (op.result != kNoValue) rewriter_.map(op.result, *result);
}

ValueId Quantizer::weights(const Op &op, std::span<const double> values, Shape shape, int scale) {
  auto fixed = toFixed(values, shape, scale, module_.ringBits);
  if (!fixed) complaints_.add(op, "{}", fixed.error().message);
  // Without its factors, which have no more than s bits of fraction, the layer would do nothing; summands may vanish.
  const auto isZero = [](auto v) { return v == 0; };
  if (fixed && scale <= s_ && op.kind != OpKind::Add && op.kind != OpKind::Sub &&
      std::ranges::all_of(fixed->data, isZero) && !std::ranges::all_of(values, isZero))
    complaints_.add(op, "its constants all round to zero at scale 2^{}; compile with a larger --scale", scale);
  return rewriter_.builder.weights(fixed ? *std::move(fixed) : Tensor<std::int64_t>(std::move(shape)), scale,
                                   op.source);
}

ValueId Quantizer::weights(const Op &op, const Tensor<float> &tensor, int scale) {
  return weights(op, std::vector<double>(tensor.data.begin(), tensor.data.end()), tensor.shape, scale);
}

ValueId Quantizer::sharedWeights(const Op &op, ValueId constant, int scale) {
  const auto [found, isNew] = sharedWeights_.try_emplace({constant, scale}, kNoValue);
  if (isNew) found->second = weights(op, *graph_.constant(constant), scale);
  return found->second;
}

ValueId Quantizer::truncated(const Op &op, ValueId value, int scale) {
  while (scaleOf(value) > scale) {
    const int bits = std::min(scaleOf(value) - scale, maxTruncationOf(module_, context_.options));
    value =
        append(op, OpKind::ShareTruncate, {value}, {{Attr::Bits, std::int64_t{bits}}, {Attr::Bound, std::int64_t{k_}}});
  }
  return value;
}

// The mean of 2^k unbiased roundings is better by k/2 bits than each: so many more can go before it, which leaves room
// for the products behind it; one more where that saves the mean a truncation.
int Quantizer::resultScale(const Op &op) const {
  const auto &users = graph_.users[op.result];
  if (users.size() != 1) return s_;
  const Op &user = module_.ops[users[0]];
  const auto shift = user.kind == OpKind::AvgPool ? static_cast<int>(user.attrs.i(Attr::Shift)) : 0;
  int spare = shift / 2;
  if (shift - spare == kSpareBits + 1) ++spare;
  return s_ - std::min(spare, s_ / 2);
}

ValueId Quantizer::raised(const Op &op, ValueId value, int scale) {
  const int bits = scale - scaleOf(value);
  if (bits <= 0) return value;
  value = append(op, OpKind::ShareMulC, {value}, {{Attr::Factor, std::int64_t{1} << std::min(bits, 30)}});
  return append(op, OpKind::ShareRescale, {value}, {{Attr::Shift, std::int64_t{bits}}});
}

ValueId Quantizer::broadcast(const Op &op, ValueId value, const Shape &shape) {
  Shape own = shapeOf(value);
  if (own == shape) return value;
  own.insert(own.begin(), shape.size() - own.size(), 1);
  if (own != shapeOf(value)) value = append(op, OpKind::ShareReshape, {value}, {{Attr::Dims, own}});
  for (std::size_t axis = 0; axis < shape.size(); ++axis)
    if (own[axis] != shape[axis])
      value = append(
          op, OpKind::ShareGather, {value},
          {{Attr::Axis, static_cast<std::int64_t>(axis)}, {Attr::Indices, std::vector<std::int64_t>(shape[axis], 0)}});
  return value;
}

ValueId Quantizer::scaled(const Op &op, ValueId x, const Tensor<float> &factor, const Tensor<float> *bias, int finer) {
  const int scale = s_ + finer;
  std::vector<ValueId> operands{x, weights(op, factor, scale)};
  if (bias) operands.push_back(weights(op, *bias, scaleOf(x) + scale));
  return truncated(op, append(op, OpKind::ShareScale, std::move(operands)), resultScale(op));
}

void Quantizer::lower(const Op &op) {
  switch (op.kind) {
  case OpKind::Conv:
    return lowerConv(op);
  case OpKind::MatMul:
    return lowerMatMul(op);
  case OpKind::BatchNorm:
    return lowerBatchNorm(op);
  case OpKind::VecDot:
    return lowerVecDot(op);
  case OpKind::Add:
  case OpKind::Sub:
    return lowerSum(op);
  case OpKind::Mul:
  case OpKind::Div:
    return lowerProduct(op);
  case OpKind::MaxPool:
    return lowerMaxPool(op);
  case OpKind::AvgPool:
    return lowerAvgPool(op);
  case OpKind::Concat:
    return lowerConcat(op);
  case OpKind::Relu:
    return lowerRelu(op);
  case OpKind::Piecewise:
    return lowerPiecewise(op);
  default:
    return lowerMove(op);
  }
}

void Quantizer::lowerRelu(const Op &op) {
  const Shared x = share(op.operands[0]);
  ValueId value = x.value;
  if (const int scale = resultScale(op); scale < s_) value = truncated(op, value, scale);
  std::vector<ValueId> operands{value};
  if (op.operands.size() > 1) operands.push_back(weights(op, *graph_.constant(op.operands[1]), 0));
  define(op,
         append(op, OpKind::ShareRelu, std::move(operands),
                {{Attr::Bits, std::int64_t{0}}, {Attr::Bound, std::int64_t{k_}}}),
         x.finer);
}

// Public knots and slopes: no weight, and so no correlation of a linear layer. The comparisons do not depend on each
// other and share their messages.
void Quantizer::lowerPiecewise(const Op &op) {
  const ValueId x = raised(op, truncated(op, share(op.operands[0]).value, s_), s_);
  const int guard = static_cast<int>(op.attrs.i(Attr::Guard, 0));
  const IntegerPieces f = rounded(PiecewiseLinear::of(op.attrs), {s_, guard, k_});
  auto times = [&](ValueId value, std::int64_t factor) {
    return factor == 1 ? value : append(op, OpKind::ShareMulC, {value}, {{Attr::Factor, factor}});
  };
  auto plus = [&](ValueId value, std::int64_t addend) {
    return addend == 0 ? value : append(op, OpKind::ShareAddC, {value}, {{Attr::Addend, addend}});
  };
  ValueId sum = f.slopes[0] ? times(x, f.slopes[0]) : kNoValue;
  for (std::size_t i = 0; i < f.knots.size(); ++i) {
    const std::int64_t change = f.slopes[i + 1] - f.slopes[i];
    if (change == 0) continue;
    const ValueId above = append(op, OpKind::ShareRelu, {plus(x, -f.knots[i])},
                                 {{Attr::Bits, std::int64_t{0}}, {Attr::Bound, std::int64_t{k_}}});
    const ValueId term = times(above, change);
    sum = sum == kNoValue ? term : append(op, OpKind::ShareAdd, {sum, term});
  }
  if (sum == kNoValue) sum = times(x, 0);
  sum = append(op, OpKind::ShareRescale, {sum}, {{Attr::Shift, std::int64_t{f.slopeBits}}});
  define(op, truncated(op, plus(sum, f.constant), resultScale(op) + guard));
}

void Quantizer::lowerConv(const Op &op) {
  const Shared x = share(op.operands[0]);
  const int scale = s_ + x.finer;
  std::vector<ValueId> operands{x.value, sharedWeights(op, op.operands[1], scale)};
  if (op.operands.size() > 2) operands.push_back(sharedWeights(op, op.operands[2], scaleOf(x.value) + scale));
  define(op, truncated(op, append(op, OpKind::ShareConv, std::move(operands), op.attrs), resultScale(op)));
}

void Quantizer::lowerMatMul(const Op &op) {
  const Tensor<float> *left = graph_.constant(op.operands[0]);
  const Shared x = share(op.operands[left ? 1 : 0]);
  const int scale = s_ + x.finer;
  if (!left) {
    std::vector<ValueId> operands{x.value, sharedWeights(op, op.operands[1], scale)};
    if (op.operands.size() > 2) operands.push_back(sharedWeights(op, op.operands[2], scaleOf(x.value) + scale));
    return define(op, truncated(op, append(op, OpKind::ShareMatMul, std::move(operands)), s_));
  }
  // W x = (x^T W^T)^T.
  const Attrs swap{{Attr::Perm, std::vector<std::int64_t>{1, 0}}};
  const Tensor<float> *operands[] = {left};
  auto transposed = evaluateClear(OpKind::Transpose, operands, swap);
  assert(transposed);
  ValueId y = append(op, OpKind::ShareTranspose, {x.value}, swap);
  y = append(op, OpKind::ShareMatMul, {y, weights(op, *transposed, scale)});
  define(op, truncated(op, append(op, OpKind::ShareTranspose, {y}, swap), s_));
}

// The products are summed before the truncation, as in a linear op: one rounding, and one message, for each sum.
void Quantizer::lowerVecDot(const Op &op) {
  const Shape &result = module_.type(op.result).shape;
  const Shape shape = *broadcastShapes(module_.type(op.operands[0]).shape, module_.type(op.operands[1]).shape);
  const ValueId a = broadcast(op, share(op.operands[0]).value, shape),
                b = broadcast(op, share(op.operands[1]).value, shape);
  const std::int64_t length = shape.back();
  ValueId y = append(op, OpKind::ShareMul, {a, b});
  y = append(op, OpKind::ShareReshape, {y}, {{Attr::Dims, Shape{1, elementCount(result), length}}});
  y = append(op, OpKind::ShareSumPool, {y},
             {{Attr::Kernel, std::vector<std::int64_t>{length}},
              {Attr::Strides, std::vector<std::int64_t>{1}},
              {Attr::Pads, std::vector<std::int64_t>{0, 0}},
              {Attr::Dilations, std::vector<std::int64_t>{1}},
              {Attr::CeilMode, std::int64_t{0}}});
  y = append(op, OpKind::ShareReshape, {y}, {{Attr::Dims, result}});
  define(op, truncated(op, y, s_));
}

void Quantizer::lowerBatchNorm(const Op &op) {
  const Shared x = share(op.operands[0]);
  const Tensor<float> *parameters[4]; // scale, bias, mean, var
  for (int i = 0; i < 4; ++i)
    parameters[i] = graph_.constant(op.operands[i + 1]);
  Shape shape(shapeOf(x.value).size(), 1);
  shape[1] = parameters[0]->size();
  Tensor<float> factor(shape), bias(shape);
  for (std::int64_t c = 0; c < shape[1]; ++c) {
    const double f = parameters[0]->data[c] / std::sqrt(parameters[3]->data[c] + op.attrs.f(Attr::Epsilon));
    factor.data[c] = static_cast<float>(f);
    bias.data[c] = static_cast<float>(parameters[1]->data[c] - parameters[2]->data[c] * f);
  }
  define(op, scaled(op, x.value, factor, &bias, x.finer));
}

void Quantizer::lowerSum(const Op &op) {
  const auto *left = graph_.constant(op.operands[0]), *right = graph_.constant(op.operands[1]);
  const bool difference = op.kind == OpKind::Sub;
  if (right) {
    Tensor<float> constant = *right;
    if (difference) std::ranges::transform(constant.data, constant.data.begin(), std::negate<float>());
    return lowerSumWithConstant(op, share(op.operands[0]).value, constant);
  }
  if (left) {
    ValueId x = share(op.operands[1]).value;
    if (difference) x = append(op, OpKind::ShareMulC, {x}, {{Attr::Factor, std::int64_t{-1}}});
    return lowerSumWithConstant(op, x, *left);
  }
  const Shared a = share(op.operands[0]), b = share(op.operands[1]);
  const int scale = std::max(scaleOf(a.value), scaleOf(b.value));
  const Shape &shape = module_.type(op.result).shape;
  const ValueId x = broadcast(op, raised(op, a.value, scale), shape),
                y = broadcast(op, raised(op, b.value, scale), shape);
  define(op, append(op, difference ? OpKind::ShareSub : OpKind::ShareAdd, {x, y}), std::min(a.finer, b.finer));
}

void Quantizer::lowerSumWithConstant(const Op &op, ValueId x, const Tensor<float> &constant) {
  x = raised(op, x, s_); // a coarse input must not make the constant coarse
  Attrs attrs;
  const auto &users = graph_.users[op.result];
  if (users.size() == 1 && module_.ops[users[0]].kind == OpKind::Relu && !isPlainRelu(module_.ops[users[0]])) {
    // A public bound, so that the comparison behind stays narrow.
    const int bits = turnedSummandBits(k_, s_) + scaleOf(x);
    for (float v : constant.data)
      if (!(std::abs(std::ldexp(v, scaleOf(x))) <= std::ldexp(1.0, bits)))
        return complaints_.add(op, "adds {:g} before a ReLU with turned channels, where at most 2^{} is possible", v,
                               turnedSummandBits(k_, s_));
    attrs.set(Attr::Bound, std::int64_t{std::clamp(bits, 0, k_)});
  }
  define(op, append(op, OpKind::ShareAddW, {x, weights(op, constant, scaleOf(x))}, std::move(attrs)));
}

// A factor of few units is far off what the model says.
void Quantizer::warnIfCoarse(const Op &op, const Tensor<float> &factor, int scale) {
  constexpr double kMostError = 0.01; // of the factor
  double size = 0, error = 0;
  for (const double v : factor.data) {
    size += v * v;
    error += std::pow(std::ldexp(std::nearbyint(std::ldexp(v, scale)), -scale) - v, 2);
  }
  if (error <= kMostError * kMostError * size) return;
  context_.warnings.push_back(fmt::format("{}: at scale {} its factor is {:.0f} % off, since it is small; a larger "
                                          "--scale, or a factor that is multiplied into "
                                          "the weights of the layer before or behind, would be closer",
                                          describe(op), std::int64_t{1} << scale, 100 * std::sqrt(error / size)));
}

void Quantizer::lowerProduct(const Op &op) {
  const auto *left = graph_.constant(op.operands[0]), *right = graph_.constant(op.operands[1]);
  if (!left && !right) {
    const Shape &shape = module_.type(op.result).shape;
    const ValueId a = broadcast(op, share(op.operands[0]).value, shape),
                  b = broadcast(op, share(op.operands[1]).value, shape);
    return define(op, truncated(op, append(op, OpKind::ShareMul, {a, b}), resultScale(op)));
  }
  Tensor<float> factor = left ? *left : *right;
  if (op.kind == OpKind::Div)
    for (auto &v : factor.data)
      v = static_cast<float>(1.0 / v);
  const Shared x = share(op.operands[left ? 1 : 0]);
  warnIfCoarse(op, factor, s_ + x.finer);
  define(op, scaled(op, x.value, factor, nullptr, x.finer));
}

void Quantizer::lowerMaxPool(const Op &op) {
  const Shared x = share(op.operands[0]);
  define(op, appendMaxPool(rewriter_.builder, x.value, op, {module_.ringBits, k_, context_.options.network}), x.finer);
}

void Quantizer::lowerAvgPool(const Op &op) {
  const Shared x = share(op.operands[0]);
  Attrs attrs = op.attrs;
  attrs.erase(Attr::CountIncludePad);
  attrs.erase(Attr::Shift);
  const ValueId sum = append(op, OpKind::ShareSumPool, {x.value}, std::move(attrs));
  const std::int64_t shift = op.attrs.i(Attr::Shift);
  const ValueId mean = shift ? append(op, OpKind::ShareRescale, {sum}, {{Attr::Shift, shift}}) : sum;
  const int most = std::min(s_ - x.finer + kSpareBits, k_ - kRoomBits - s_ - x.finer); // where products have room
  define(op, scaleOf(mean) <= most ? mean : truncated(op, mean, s_ - x.finer), x.finer);
}

void Quantizer::lowerConcat(const Op &op) {
  std::vector<ValueId> operands;
  int scale = -kMaxScale, finer = kMaxScale;
  for (auto operand : op.operands) {
    const Shared x = share(operand);
    operands.push_back(x.value);
    scale = std::max(scale, scaleOf(x.value));
    finer = std::min(finer, x.finer);
  }
  for (auto &operand : operands)
    operand = raised(op, operand, scale);
  define(op, append(op, OpKind::ShareConcat, std::move(operands), op.attrs), finer);
}

void Quantizer::lowerMove(const Op &op) {
  const Shared x = share(op.operands[0]);
  switch (op.kind) {
  case OpKind::Reshape:
    return define(op, append(op, OpKind::ShareReshape, {x.value}, op.attrs), x.finer);
  case OpKind::Transpose:
    return define(op, append(op, OpKind::ShareTranspose, {x.value}, op.attrs), x.finer);
  case OpKind::Gather:
    return define(op, append(op, OpKind::ShareGather, {x.value}, op.attrs), x.finer);
  case OpKind::Pad: {
    const auto fill = static_cast<std::int64_t>(std::round(std::ldexp(op.attrs.f(Attr::Fill), scaleOf(x.value))));
    return define(
        op, append(op, OpKind::SharePad, {x.value}, {{Attr::Pads, op.attrs.ints(Attr::Pads)}, {Attr::IntFill, fill}}),
        x.finer);
  }
  default:
    assert(op.kind == OpKind::Identity);
    return define(op, x.value, x.finer);
  }
}

} // namespace sd
