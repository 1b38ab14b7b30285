// What the share level can't express, all of it in one run, each with what could be done.
#include <algorithm>
#include <cmath>

#include "ir/core/OpFamilies.h"
#include "passes/PiecewiseLinear.h"
#include "passes/Quantizer.h"

namespace sd {

namespace {
constexpr std::int64_t kMaxWindowTaps = std::int64_t{1} << 24; // of a maximum: the program lists them
constexpr std::int64_t kMostProducts = std::int64_t{1} << 24;  // of two values, each 132 bytes ahead at least
constexpr std::int64_t kMostMatrixProducts = std::int64_t{1} << 34, kMostInMatrix = std::int64_t{1} << 26;
constexpr std::int64_t kMostSummed = std::int64_t{1} << 20; // of these in one sum: the window of a pool
} // namespace

void Quantizer::check(const Op &op, Place place) {
  if (op.kind == OpKind::Return) {
    for (auto operand : op.operands)
      if (places_[graph_.definitions[operand]] == Place::Constant)
        complaints_.add(op, "a result does not depend on any input; the hospital would learn a constant of the model. "
                            "Remove it from the model's outputs");
    return;
  }
  if (place == Place::Tail) return checkTail(op);
  if (place == Place::Private) return checkPrivate(op);
}

void Quantizer::checkTail(const Op &op) {
  const bool allowed = isFinal(op) || isMove(op.kind) || op.kind == OpKind::Concat || op.kind == OpKind::Pad ||
                       op.kind == OpKind::Add || op.kind == OpKind::Sub || op.kind == OpKind::Mul ||
                       op.kind == OpKind::Div;
  if (!allowed)
    return complaints_.add(
        op, "follows a softmax, sigmoid, argmax or topk, which the hospital computes in the clear and which "
            "must therefore come last; end the model before it");
  for (auto operand : op.operands) {
    const Op &definition = graph_.definition(operand);
    if (const auto *constant = graph_.constant(operand); constant && constant->size() != 1)
      complaints_.add(
          op,
          "applies a constant of shape {} after a softmax, sigmoid, argmax or topk, where the hospital would "
          "learn it; move it before",
          toString(constant->shape));
    if (places_[graph_.definitions[operand]] == Place::Private && !isFinal(op))
      complaints_.add(op, "would open {} to the hospital, which is no result of the model; end the model before it",
                      describe(definition));
  }
}

void Quantizer::checkPrivate(const Op &op) {
  auto constant = [&](std::size_t i) { return graph_.constant(op.operands[i]); };
  auto needConstants = [&](std::size_t from) {
    for (std::size_t i = from; i < op.operands.size(); ++i)
      if (!constant(i))
        return complaints_.add(op, "its weights are computed from the record; only constant weights are supported");
  };
  const Shape &result = module_.type(op.result).shape;
  switch (op.kind) {
  case OpKind::Conv:
  case OpKind::BatchNorm:
    if (constant(0)) complaints_.add(op, "is applied to a constant; only the record's values are possible there");
    return needConstants(1);
  case OpKind::MatMul:
    if (!constant(0)) return needConstants(1);
    if (op.operands.size() > 2 || result.size() != 2)
      complaints_.add(op, "multiplies a constant by a value that is no matrix; transpose the product");
    return;
  case OpKind::Add:
  case OpKind::Sub:
  case OpKind::Mul:
  case OpKind::Div:
    for (std::size_t i : {0, 1})
      if (constant(i) && module_.type(op.operands[1 - i]).shape != result)
        complaints_.add(op, "a constant of shape {} enlarges a value of shape {}; expand the value first",
                        toString(constant(i)->shape), toString(module_.type(op.operands[1 - i]).shape));
    if (op.kind != OpKind::Div) return;
    if (!constant(1)) return complaints_.add(op, "divides by a computed value; only constants are possible there");
    if (std::ranges::count(constant(1)->data, 0.0f)) complaints_.add(op, "divides by zero");
    return;
  case OpKind::VecDot: {
    if (constant(0) || constant(1)) return complaints_.add(op, "has a constant factor; multiply by nn.matmul");
    const Shape &left = module_.type(op.operands[0]).shape, &right = module_.type(op.operands[1]).shape;
    if (const auto axes = dotAxes(left, right, module_.ringBits)) {
      if (const std::int64_t most = std::max({axes->shape.left(), axes->shape.right(), axes->shape.result()});
          most > kMostInMatrix || axes->shape.multiplyAdds() > kMostMatrixProducts)
        complaints_.add(op,
                        "multiplies matrices of {} elements and {} products, where at most {} and {} are possible; use "
                        "smaller matrices",
                        most, axes->shape.multiplyAdds(), kMostInMatrix, kMostMatrixProducts);
      return;
    }
    const Shape factors = *broadcastShapes(left, right);                 // by its rule
    const std::int64_t products = elementCount(result) * factors.back(); // each at most 2^31
    if (products > kMostProducts || factors.back() > kMostSummed)
      complaints_.add(op,
                      "takes {} products of two values, {} for each result, where at most {} and {} are possible; use "
                      "smaller matrices",
                      products, factors.back(), kMostProducts, kMostSummed);
    return;
  }
  case OpKind::MaxPool: {
    std::int64_t taps = 0;
    for (std::size_t axis = 0; axis + 2 < result.size(); ++axis)
      taps += op.attrs.ints(Attr::Kernel)[axis] * result[axis + 2];
    if (taps > kMaxWindowTaps)
      complaints_.add(op, "its windows hold {} elements along their axes, more than {}; use smaller windows", taps,
                      kMaxWindowTaps);
    return;
  }
  case SD_NN_SMOOTH:
    return complaints_.add(op, "has no fixed-point form; run approximate before quantize");
  case OpKind::Piecewise: {
    const IntegerPieces f =
        rounded(PiecewiseLinear::of(op.attrs), {s_, static_cast<int>(op.attrs.i(Attr::Guard, 0)), k_});
    const auto below = [](int bits) { return [=](std::int64_t v) { return std::abs(v) < std::int64_t{1} << bits; }; };
    const auto fits = below(kIntegerPieceBits);
    if (!std::ranges::all_of(f.knots, fits) || !std::ranges::all_of(f.slopes, fits) || !below(k_)(f.constant))
      complaints_.add(op, "its knots or slopes do not fit at scale 2^{}", s_);
    return;
  }
  case OpKind::AtMost: {
    if (op.operands.size() == 2) return;
    if (constant(0)) complaints_.add(op, "is applied to a constant; only the record's values are possible there");
    needConstants(1);
    const auto *w = constant(2);
    if (!w) return;
    std::vector<double> sums(w->shape[1], 0);
    for (std::size_t i = 0; i < w->data.size(); ++i)
      sums[i % sums.size()] += w->data[i] == 0 || w->data[i] == 1 ? w->data[i] : 2;
    if (std::ranges::any_of(sums, [](double sum) { return sum > 1; }))
      complaints_.add(op,
                      "the third operand must choose one element for each result: zeros, and at most a single one in "
                      "each column");
    return;
  }
  case OpKind::AvgPool:
    if (const auto shift = op.attrs.i(Attr::Shift, -1); shift < 0 || shift > 40)
      complaints_.add(op, "has a divisor; run fold-divisors before quantize");
    return;
  case OpKind::Concat:
    for (std::size_t i = 0; i < op.operands.size(); ++i)
      if (constant(i)) complaints_.add(op, "joins a constant with the record's values, which is not supported");
    return;
  case OpKind::Pad:
    if (!(std::abs(std::ldexp(op.attrs.f(Attr::Fill), 2 * s_)) < std::ldexp(1.0, k_)))
      complaints_.add(op, "a padding of {:g} does not fit at scale 2^{}", op.attrs.f(Attr::Fill), s_);
    return;
  case OpKind::Identity: // whatever the operand
  case OpKind::Relu:
  case OpKind::Reshape:
  case OpKind::Transpose:
  case OpKind::Gather:
  case OpKind::Function:
    return;
  case SD_NN_ENDS: // not private
  case SD_NN_FINAL:
#include "ir/core/ShareCases.def"
    break;
  }
}

} // namespace sd
