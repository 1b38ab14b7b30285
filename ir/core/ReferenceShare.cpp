// Meaning of the share ops.
#include <algorithm>
#include <cmath>

#include "ir/core/Reference.h"
#include "ir/core/ReferenceLinear.h"

namespace sd {

namespace {

using namespace reference;

SignedRing centred(Ring value) { return static_cast<SignedRing>(value); }
Ring residue(std::int64_t value) { return static_cast<Ring>(value); }

// SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
std::uint64_t nextRandom(std::uint64_t &state) {
  std::uint64_t z = state += 0x9e3779b97f4a7c15;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

// Types that let the rule check shapes; scales fit whatever they are.
Expected<Shape> resultShape(OpKind kind, Operands<Ring> operands, const Attrs &attrs) {
  const bool takesWeights = kind == OpKind::ShareConv || kind == OpKind::ShareMatMul || kind == OpKind::ShareScale ||
                            kind == OpKind::ShareAddW || kind == OpKind::ShareRelu;
  std::vector<Type> types;
  for (auto *operand : operands)
    types.push_back(takesWeights && !types.empty() ? Type::weight(operand->shape, 0) : Type::share(operand->shape, 0));
  SD_ASSIGN(Type type, resultType(kind, types, attrs));
  return std::move(type.shape);
}

std::string elementName(const Shape &shape, std::int64_t index) {
  std::vector<std::int64_t> at;
  for (auto stride : rowMajorStrides(shape))
    at.push_back(index / stride), index %= stride;
  return fmt::format("[{}]", fmt::join(at, ", "));
}

} // namespace

SignedRing Rounding::truncate(SignedRing y, int bits) {
  if (bits == 0) return y;
  const std::int64_t low = y & ((std::int64_t{1} << bits) - 1);
  const std::int64_t threshold =
      stochastic ? static_cast<std::int64_t>(nextRandom(state) >> (64 - bits)) : (std::int64_t{1} << (bits - 1)) - 1;
  return (y >> bits) + (low > threshold ? 1 : 0);
}

Expected<Tensor<Ring>> evaluateShare(OpKind kind, std::span<const Tensor<Ring> *const> operands, const Attrs &attrs,
                                     Rounding &rounding) {
  if (info(kind).level != Level::Share || kind == OpKind::ShareConstant || kind == OpKind::ShareInput ||
      kind == OpKind::ShareOutput)
    return fail("{} does not map shares to shares", info(kind).mnemonic);
  SD_ASSIGN(const Shape shape, resultShape(kind, operands, attrs));
  if (isLayout(kind))
    return evaluateLayout(kind, operands, attrs, shape,
                          kind == OpKind::SharePad ? residue(attrs.i(Attr::IntFill)) : Ring{0});
  if (isLinear(kind)) return evaluateLinear(kind, operands, attrs, shape);
  const Tensor<Ring> &x = *operands[0];
  const int bits = static_cast<int>(attrs.i(Attr::Bits, 0));
  if (kind == OpKind::ShareTruncate)
    return map<Ring>(x, [&](Ring y) { return residue(rounding.truncate(centred(y), bits)); });
  if (kind == OpKind::ShareRelu && operands.size() == 1)
    return map<Ring>(x, [&](Ring y) { return residue(std::max(rounding.truncate(centred(y), bits), 0)); });
  if (kind == OpKind::ShareRelu) {
    Tensor<Ring> result(shape);
    forEachBroadcast(shape, shape, operands[1]->shape, [&](auto i, auto, auto turned) {
      const SignedRing y = rounding.truncate(centred(x.data[i]), bits);
      result.data[i] = residue(operands[1]->data[turned] ? std::min(y, 0) : std::max(y, 0));
    });
    return result;
  }
  assert(kind == OpKind::ShareMax);
  Tensor<Ring> result = *operands[1];
  for (std::size_t i = 0; i < result.data.size(); ++i)
    result.data[i] += residue(std::max(centred(x.data[i] - result.data[i]), 0));
  return result;
}

Expected<Tensor<Ring>> quantize(const Tensor<float> &x, int scale) {
  Tensor<Ring> result(x.shape);
  for (std::int64_t i = 0; i < x.size(); ++i) {
    const double q = std::round(std::ldexp(static_cast<double>(x.data[i]), scale));
    if (!(std::abs(q) < std::ldexp(1.0, kBoundBits)))
      return fail("element {} of the input is {}, which does not fit at scale 2^{}: it must be a number below {:g}; "
                  "check the record's units, or compile with a smaller scale",
                  elementName(x.shape, i), x.data[i], scale, std::ldexp(1.0, kBoundBits - scale));
    result.data[i] = residue(static_cast<std::int64_t>(q));
  }
  return result;
}

Tensor<float> dequantize(const Tensor<Ring> &q, int scale) {
  return map<float>(q, [&](Ring v) { return static_cast<float>(std::ldexp(static_cast<double>(centred(v)), -scale)); });
}

Tensor<Ring> toRing(const Tensor<std::int32_t> &weights) {
  return map<Ring>(weights, [](std::int32_t v) { return static_cast<Ring>(v); });
}

} // namespace sd
