// nn to share level. Everything between the inputs' normalisation and the final softmax becomes integers at scale s;
// behind every product stands a truncation back to s, which place-truncations then moves, merges or drops.
#include <algorithm>
#include <bit>
#include <cmath>

#include "ir/core/OpFamilies.h"
#include "ir/core/Reference.h"
#include "passes/Fixed.h"
#include "passes/PiecewiseLinear.h"
#include "passes/Quantizer.h"

namespace sd {

Expected<Module> quantize(const Module &module, PassContext &context) {
  const bool lowered =
      std::ranges::any_of(module.ops, [](const Op &op) { return info(op.kind).level == Level::Share; });
  if (lowered) return fail("the module is at share level already; quantize takes nn ops");
  context.coarse.clear();
  context.vanished = false;
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

ValueId Quantizer::entered(ValueId value, ValueId clear, int scale, int bound) {
  const Op &op = graph_.definition(value);
  const Type type = Type::share(module_.type(value).shape, scale);
  Attrs attrs; // the ring's own bound goes without saying
  if (bound < module_.ringBits - 2) attrs.set(Attr::Bound, std::int64_t{bound});
  auto entered = rewriter_.builder.add({OpKind::ShareInput, {clear}, kNoValue, std::move(attrs), op.source}, &type);
  assert(entered);
  return *entered;
}

ValueId Quantizer::share(ValueId value) {
  if (shares_[value] == kNoValue)
    shares_[value] = entered(value, rewriter_[value], enteredScale(graph_, value, s_, k_), k_);
  return shares_[value];
}

std::vector<ValueId> Quantizer::shares(ValueId value) {
  if (places_[graph_.definitions[value]] == Place::Private) return {share(value)};
  const auto scales = enteredScales(graph_, value, s_, k_);
  std::vector<ValueId> &copies = copies_[value];
  if (copies.empty()) copies.push_back(share(value));
  for (std::size_t i = copies.size(); i < scales.size(); ++i)
    copies.push_back(entered(value, rewriter_[value], scales[i], k_));
  return copies;
}

ValueId Quantizer::clear(ValueId value) {
  if (shares_[value] == kNoValue || places_[graph_.definitions[value]] != Place::Private) return rewriter_[value];
  if (opened_[value] == kNoValue)
    opened_[value] = append(graph_.definition(value), OpKind::ShareOutput, {shares_[value]});
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

ValueId Quantizer::weights(const Op &op, const Tensor<float> &tensor, int scale, bool factor) {
  return rewriter_.builder.weights(fixed(op, tensor, scale, factor), scale, op.source);
}

Integers Quantizer::fixed(const Op &op, const Tensor<float> &tensor, int scale, bool factor) {
  Shape shape = tensor.shape;
  auto fixed = toFixed(tensor.data, shape, scale, module_.ringBits);
  if (!fixed) complaints_.add(op, "{}", fixed.error().message);
  // Summands may vanish; without its factors the layer would do nothing.
  const auto isZero = [](auto v) { return v == 0; };
  const auto allZero = [&](const auto &values) { return std::ranges::all_of(values.data, isZero); };
  if (fixed && factor && fixed->visit(allZero) && !allZero(tensor)) noteZeros(op, tensor.data, scale);
  return fixed ? *std::move(fixed) : Integers(Tensor<std::int32_t>(std::move(shape)));
}

ValueId Quantizer::sharedWeights(const Op &op, ValueId constant, int scale, bool factor) {
  const auto [found, isNew] = sharedWeights_.try_emplace({constant, scale}, kNoValue);
  if (isNew) found->second = weights(op, *graph_.constant(constant), scale, factor);
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

int Quantizer::weightScaleFor(const Op &op, int xScale) const {
  ProductShape product = productShapeOf(graph_, channels_, op, xScale);
  product.rawBits = raw_[op.operands[graph_.constant(op.operands[0]) ? 1 : 0]];
  return weightScale(product, context_.options, module_.ringBits);
}

void Quantizer::scaled(const Op &op, ValueId x, const Tensor<float> &factor, const Tensor<float> *bias) {
  const auto copies = shares(x);
  const int product = scaleOf(copies[0]) + weightScaleFor(op, scaleOf(copies[0]));
  std::vector<int> scales;
  for (auto copy : copies)
    scales.push_back(scaleOf(copy));
  const auto chosen = copiesFor({{factor.size(), 1}, factor.data}, scales, product);
  ValueId sum = kNoValue;
  for (std::size_t c = 0; c < copies.size(); ++c) {
    Tensor<float> own = factor;
    for (std::size_t i = 0; i < own.data.size(); ++i)
      if (chosen[i] != c) own.data[i] = 0;
    noteRounding(op, own, product - scales[c], {});
    std::vector<ValueId> operands{copies[c], weights(op, own, product - scales[c], copies.size() == 1)};
    if (bias && c == 0) operands.push_back(weights(op, *bias, product));
    const ValueId term = append(op, OpKind::ShareScale, std::move(operands));
    sum = c == 0 ? term : append(op, OpKind::ShareAdd, {sum, term});
  }
  define(op, truncated(op, sum, resultScale(op)));
}

void Quantizer::lower(const Op &op) {
  switch (op.kind) {
  case OpKind::Conv:
    return lowerConv(op);
  case OpKind::MatMul:
    return lowerMatMul(op);
  case OpKind::BatchNorm:
    return lowerBatchNorm(op);
  case OpKind::Function: // of rows
    return lowerNorm(op);
  case OpKind::VecDot:
    return lowerVecDot(op);
  case OpKind::Add:
  case OpKind::Sub:
    return lowerSum(op);
  case OpKind::Mul:
  case OpKind::Div:
    return lowerProduct(op);
  case OpKind::Reshape:
    return lowerMove(op, OpKind::ShareReshape);
  case OpKind::Transpose:
    return lowerMove(op, OpKind::ShareTranspose);
  case OpKind::Gather:
    return lowerMove(op, OpKind::ShareGather);
  case OpKind::Pad:
    return lowerPad(op);
  case OpKind::Identity:
    return define(op, share(op.operands[0]));
  case OpKind::MaxPool:
    return lowerMaxPool(op);
  case OpKind::AtMost:
    return lowerAtMost(op);
  case OpKind::AvgPool:
    return lowerAvgPool(op);
  case OpKind::Concat:
    return lowerConcat(op);
  case OpKind::Relu:
    return lowerRelu(op);
  case OpKind::Piecewise:
    return lowerPiecewise(op);
  case SD_NN_SMOOTH: // approximated before, or refused by check()
  case SD_NN_ENDS:   // not private
  case SD_NN_FINAL:
#include "ir/core/ShareCases.def"
    break;
  }
  assert(false && "no op of the private part");
}

void Quantizer::lowerRelu(const Op &op) {
  ValueId value = share(op.operands[0]);
  if (const int scale = resultScale(op); scale < s_) value = truncated(op, value, scale);
  std::vector<ValueId> operands{value};
  if (op.operands.size() > 1) operands.push_back(weights(op, *graph_.constant(op.operands[1]), 0));
  define(op, append(op, OpKind::ShareRelu, std::move(operands),
                    {{Attr::Bits, std::int64_t{0}}, {Attr::Bound, std::int64_t{k_}}}));
}

// Public knots and slopes: no weight, and so no correlation of a linear layer. The comparisons do not depend on each
// other and share their messages.
void Quantizer::lowerPiecewise(const Op &op) {
  const ValueId x = raised(op, truncated(op, share(op.operands[0]), s_), s_);
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
  const ValueId x = share(op.operands[0]);
  const int scale = weightScaleFor(op, scaleOf(x));
  noteRounding(op, *graph_.constant(op.operands[1]), scale, 0);
  std::vector<ValueId> operands{x, sharedWeights(op, op.operands[1], scale, true)};
  if (op.operands.size() > 2) operands.push_back(sharedWeights(op, op.operands[2], scaleOf(x) + scale));
  define(op, truncated(op, append(op, OpKind::ShareConv, std::move(operands), op.attrs), resultScale(op)));
}

void Quantizer::lowerMatMul(const Op &op) {
  const Tensor<float> *left = graph_.constant(op.operands[0]);
  if (!left) {
    const auto copies = shares(op.operands[0]);
    if (copies.size() > 1) return lowerColumns(op, copies);
    if (isDecided(op.operands[0])) return lowerDecided(op, copies[0]);
  }
  const ValueId x = share(op.operands[left ? 1 : 0]);
  const int scale = weightScaleFor(op, scaleOf(x));
  if (!left) {
    noteRounding(op, *graph_.constant(op.operands[1]), scale, 1);
    std::vector<ValueId> operands{x, sharedWeights(op, op.operands[1], scale, true)};
    if (op.operands.size() > 2) operands.push_back(sharedWeights(op, op.operands[2], scaleOf(x) + scale));
    return define(op, truncated(op, append(op, OpKind::ShareMatMul, std::move(operands)), s_));
  }
  noteRounding(op, *left, scale, 0);
  // W x = (x^T W^T)^T.
  const Attrs swap{{Attr::Perm, std::vector<std::int64_t>{1, 0}}};
  const Tensor<float> *operands[] = {left};
  auto transposed = evaluateClear(OpKind::Transpose, operands, swap);
  assert(transposed);
  ValueId y = append(op, OpKind::ShareTranspose, {x}, swap);
  y = append(op, OpKind::ShareMatMul, {y, weights(op, *transposed, scale, true)});
  define(op, truncated(op, append(op, OpKind::ShareTranspose, {y}, swap), s_));
}

void Quantizer::lowerBatchNorm(const Op &op) {
  const ValueId x = op.operands[0];
  const Tensor<float> *parameters[4]; // scale, bias, mean, var
  for (int i = 0; i < 4; ++i)
    parameters[i] = graph_.constant(op.operands[i + 1]);
  Shape shape(module_.type(x).shape.size(), 1);
  shape[1] = parameters[0]->size();
  Tensor<float> factor(shape), bias(shape);
  for (std::int64_t c = 0; c < shape[1]; ++c) {
    const double f = parameters[0]->data[c] / std::sqrt(parameters[3]->data[c] + op.attrs.f(Attr::Epsilon));
    factor.data[c] = static_cast<float>(f);
    bias.data[c] = static_cast<float>(parameters[1]->data[c] - parameters[2]->data[c] * f);
  }
  scaled(op, x, factor, &bias);
}

void Quantizer::lowerSum(const Op &op) {
  const auto *left = graph_.constant(op.operands[0]), *right = graph_.constant(op.operands[1]);
  const bool difference = op.kind == OpKind::Sub;
  if (right) {
    Tensor<float> constant = *right;
    if (difference) std::ranges::transform(constant.data, constant.data.begin(), std::negate<float>());
    return lowerSumWithConstant(op, share(op.operands[0]), constant);
  }
  if (left) {
    ValueId x = share(op.operands[1]);
    if (difference) x = append(op, OpKind::ShareMulC, {x}, {{Attr::Factor, std::int64_t{-1}}});
    return lowerSumWithConstant(op, x, *left);
  }
  const ValueId a = share(op.operands[0]), b = share(op.operands[1]);
  const int scale = std::max(scaleOf(a), scaleOf(b));
  const Shape &shape = module_.type(op.result).shape;
  const ValueId x = broadcast(op, raised(op, a, scale), shape), y = broadcast(op, raised(op, b, scale), shape);
  define(op, append(op, difference ? OpKind::ShareSub : OpKind::ShareAdd, {x, y}));
}

void Quantizer::lowerSumWithConstant(const Op &op, ValueId x, const Tensor<float> &constant) {
  Attrs attrs;
  const auto &users = graph_.users[op.result];
  if (users.size() == 1 && module_.ops[users[0]].kind == OpKind::Relu && !isPlainRelu(module_.ops[users[0]])) {
    // A public bound, so that the comparison behind stays narrow.
    const int bits = turnedSummandBits(k_, s_) + scaleOf(x);
    for (float v : constant.data)
      if (!(std::abs(std::ldexp(v, scaleOf(x))) <= std::ldexp(1.0, bits))) { // the ops that follow are lowered too
        complaints_.add(op, "adds {:g} before a ReLU with turned channels, where at most 2^{} is possible", v,
                        turnedSummandBits(k_, s_));
        break;
      }
    attrs.set(Attr::Bound, std::int64_t{std::clamp(bits, 0, k_)});
  }
  define(op, append(op, OpKind::ShareAddW, {x, weights(op, constant, scaleOf(x))}, std::move(attrs)));
}

void Quantizer::lowerProduct(const Op &op) {
  const auto *left = graph_.constant(op.operands[0]), *right = graph_.constant(op.operands[1]);
  if (!left && !right) {
    const Shape &shape = module_.type(op.result).shape;
    const ValueId a = broadcast(op, share(op.operands[0]), shape), b = broadcast(op, share(op.operands[1]), shape);
    return define(op, truncated(op, append(op, OpKind::ShareMul, {a, b}), resultScale(op)));
  }
  Tensor<float> factor = left ? *left : *right;
  if (op.kind == OpKind::Div)
    for (auto &v : factor.data)
      v = static_cast<float>(1.0 / v);
  scaled(op, op.operands[left ? 1 : 0], factor, nullptr);
}

void Quantizer::lowerMaxPool(const Op &op) {
  define(op,
         appendMaxPool(rewriter_.builder, share(op.operands[0]), op, {module_.ringBits, k_, context_.options.network}));
}

void Quantizer::lowerAvgPool(const Op &op) {
  const ValueId x = share(op.operands[0]);
  Attrs attrs = op.attrs;
  attrs.erase(Attr::CountIncludePad);
  attrs.erase(Attr::Shift);
  const ValueId sum = append(op, OpKind::ShareSumPool, {x}, std::move(attrs));
  const std::int64_t shift = op.attrs.i(Attr::Shift);
  const ValueId mean = shift ? append(op, OpKind::ShareRescale, {sum}, {{Attr::Shift, shift}}) : sum;
  const int most = std::min(s_ + kSpareBits, k_ - kRoomBits - s_); // where products have room
  define(op, scaleOf(mean) <= most ? mean : truncated(op, mean, s_));
}

void Quantizer::lowerConcat(const Op &op) {
  std::vector<ValueId> operands;
  int scale = -kMaxScale;
  for (auto operand : op.operands) {
    operands.push_back(share(operand));
    scale = std::max(scale, scaleOf(operands.back()));
  }
  for (auto &operand : operands)
    operand = raised(op, operand, scale);
  define(op, append(op, OpKind::ShareConcat, std::move(operands), op.attrs));
}

void Quantizer::lowerMove(const Op &op, OpKind to) { define(op, append(op, to, {share(op.operands[0])}, op.attrs)); }

void Quantizer::lowerPad(const Op &op) {
  const ValueId x = share(op.operands[0]);
  const auto fill = static_cast<std::int64_t>(std::round(std::ldexp(op.attrs.f(Attr::Fill), scaleOf(x))));
  define(op, append(op, OpKind::SharePad, {x}, {{Attr::Pads, op.attrs.ints(Attr::Pads)}, {Attr::IntFill, fill}}));
}

} // namespace sd
