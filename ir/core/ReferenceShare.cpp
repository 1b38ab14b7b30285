// Meaning of the share ops.
#include <algorithm>
#include <cmath>

#include "ir/core/OpFamilies.h"
#include "ir/core/Reference.h"
#include "ir/core/ReferenceLinear.h"
#include "ir/core/Rules.h"

namespace sd {

namespace {

using namespace reference;

template <RingWord R>
SignedOf<R> centred(R value) {
  return static_cast<SignedOf<R>>(value);
}

// Types that let the rule check shapes; scales fit whatever they are.
template <RingWord R>
Expected<Shape> resultShape(OpKind kind, Operands<R> operands, const Attrs &attrs) {
  std::vector<Type> types;
  for (auto *operand : operands)
    types.push_back(rules::operandHolder(kind, types.size()) == Holder::Weight ? Type::weight(operand->shape, 0)
                                                                               : Type::share(operand->shape, 0));
  SD_ASSIGN(Type type, resultType(kind, types, attrs, nullptr, kBitsOf<R>));
  return std::move(type.shape);
}

std::string elementName(const Shape &shape, std::int64_t index) {
  std::vector<std::int64_t> at;
  for (auto stride : rowMajorStrides(shape))
    at.push_back(index / stride), index %= stride;
  return fmt::format("[{}]", fmt::join(at, ", "));
}

} // namespace

template <RingWord R>
Expected<Tensor<R>> evaluateShare(OpKind kind, std::span<const Tensor<R> *const> operands, const Attrs &attrs) {
  if (info(kind).level != Level::Share || kind == OpKind::ShareConstant || kind == OpKind::ShareInput ||
      kind == OpKind::ShareOutput)
    return fail("{} does not map shares to shares", info(kind).mnemonic);
  SD_ASSIGN(const Shape shape, resultShape<R>(kind, operands, attrs));
  const Tensor<R> &x = *operands[0];
  const int bits = static_cast<int>(attrs.i(Attr::Bits, 0));
  const auto truncated = [&](R y) { return truncate(centred(y), bits); };
  constexpr SignedOf<R> kZero = 0;
  switch (kind) {
  case SD_SHARE_PACKED:
  case OpKind::ShareAddW:
  case SD_SHARE_SUMS:
  case SD_SHARE_CONSTANTS:
  case SD_SHARE_PRODUCTS:
  case SD_SHARE_LAYOUT:
    return evaluateLinear<R>(kind, operands, attrs, shape);
  case OpKind::ShareTruncate:
    return map<R>(x, [&](R y) { return static_cast<R>(truncated(y)); });
  case OpKind::ShareRelu: {
    if (operands.size() == 1) return map<R>(x, [&](R y) { return static_cast<R>(std::max(truncated(y), kZero)); });
    Tensor<R> result(shape);
    forEachBroadcast(shape, shape, operands[1]->shape, [&](auto i, auto, auto turned) {
      const SignedOf<R> y = truncated(x.data[i]);
      result.data[i] = static_cast<R>(operands[1]->data[turned] ? std::min(y, kZero) : std::max(y, kZero));
    });
    return result;
  }
  case OpKind::ShareMax: {
    Tensor<R> result = *operands[1];
    for (std::size_t i = 0; i < result.data.size(); ++i)
      result.data[i] += static_cast<R>(std::max(centred(static_cast<R>(x.data[i] - result.data[i])), kZero));
    return result;
  }
  case OpKind::ShareConstant: // refused above
  case OpKind::ShareInput:
  case OpKind::ShareOutput:
#include "ir/core/NnCases.def"
    break;
  }
  assert(false && "does not map shares to shares");
  return x;
}

template <RingWord R>
Expected<Tensor<R>> quantize(const Tensor<float> &x, int scale, int bound) {
  assert(bound <= kBoundBitsOf<R>);
  Tensor<R> result(x.shape);
  for (std::int64_t i = 0; i < x.size(); ++i) {
    const double q = std::round(std::ldexp(static_cast<double>(x.data[i]), scale));
    if (!(std::abs(q) < std::ldexp(1.0, bound)))
      return fail("element {} of the input is {}, which does not fit at scale 2^{}: it must be a number below {:g}; "
                  "check the record's units, or compile with a smaller scale",
                  elementName(x.shape, i), x.data[i], scale, std::ldexp(1.0, bound - scale));
    result.data[i] = static_cast<R>(static_cast<std::int64_t>(q));
  }
  return result;
}

template <RingWord R>
Tensor<float> dequantize(const Tensor<R> &q, int scale) {
  return map<float>(q, [&](R v) { return static_cast<float>(std::ldexp(static_cast<double>(centred(v)), -scale)); });
}

#define SD_INSTANTIATE(R)                                                                                              \
  template Expected<Tensor<R>> evaluateShare(OpKind, std::span<const Tensor<R> *const>, const Attrs &);                \
  template Expected<Tensor<R>> quantize(const Tensor<float> &, int, int);                                              \
  template Tensor<float> dequantize(const Tensor<R> &, int);
SD_INSTANTIATE(Ring32)
SD_INSTANTIATE(Ring64)
#undef SD_INSTANTIATE

} // namespace sd
