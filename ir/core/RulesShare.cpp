// Rules of the share ops.
#include <algorithm>
#include <limits>

#include "ir/core/Rules.h"
#include "ir/core/ScheduleAttr.h"

namespace sd::rules {

namespace {

constexpr std::int64_t kMaxRound = std::numeric_limits<std::int32_t>::max();
constexpr std::int64_t kMaxBalance = 1 << 20;

Expected<Type> share(Expected<Shape> shape, int scale) {
  SD_ASSIGN(Shape dims, std::move(shape));
  return Type::share(std::move(dims), scale);
}

// Linear ops: the result's scale is the sum, and the bias, operand 2, has it. Constraints `constraint` and the next.
Expected<Type> linear(const Case &c, Expected<Shape> shape, int constraint) {
  SD_ASSIGN(Shape dims, std::move(shape));
  const int scale = c.in[0].scale + c.in[1].scale;
  if (c.in.size() > 2 && c.in[2].scale != scale)
    return broken(constraint, "the bias has scale 2^{}, not 2^{} times 2^{}", c.in[2].scale, c.in[0].scale,
                  c.in[1].scale);
  if (auto balance = c.attrs.i(Attr::Balance, 0); !within(balance, 0, kMaxBalance))
    return broken(constraint + 1, "balance is {}", balance);
  return Type::share(std::move(dims), scale);
}

Expected<void> sameShape(const Case &c, int constraint) {
  if (c.in[0].shape != c.in[1].shape)
    return broken(constraint, "shapes {} and {} differ", toString(c.in[0].shape), toString(c.in[1].shape));
  return {};
}

Expected<void> sameScale(const Case &c, int constraint) {
  for (auto &each : c.in)
    if (each.scale != c.in[0].scale)
      return broken(constraint, "scales 2^{} and 2^{} differ", c.in[0].scale, each.scale);
  return {};
}

Expected<void> broadcastsTo(const Case &c, std::size_t operand, int constraint = 1) {
  auto shape = broadcastShapes(c.in[0].shape, c.in[operand].shape);
  if (!shape || *shape != c.in[0].shape)
    return broken(constraint, "{} does not broadcast to {}", toString(c.in[operand].shape), toString(c.in[0].shape));
  return {};
}

Expected<void> checkRound(const Case &c, int constraint) {
  if (auto round = c.attrs.i(Attr::Round, 0); !within(round, 0, kMaxRound))
    return broken(constraint, "round is {}", round);
  return {};
}

// Bits and bound are in their limits.
Expected<void> checkSchedule(const Case &c, OpKind kind, int constraint) {
  if (!c.attrs.has(Attr::Schedule)) return {};
  const auto &integers = c.attrs.ints(Attr::Schedule);
  const CompareShape shape = compareShape(kind, c.attrs);
  if (scheduleFrom(integers) && shape.makesTree()) return {};
  return broken(constraint, "the schedule [{}] makes no tree of {} and {} bits", fmt::join(integers, ", "),
                shape.highBits(), shape.lowBits());
}

Expected<Type> truncation(const Case &c) {
  const std::int64_t bits = c.attrs.i(Attr::Bits), bound = c.attrs.i(Attr::Bound);
  if (const int most = maxTruncation(c.ringBits); !within(bits, 0, most))
    return broken(1, "bits is {}; it must be from 0 to {}", bits, most);
  if (!within(bound, bits + 1, c.boundBits()))
    return broken(2, "bound is {}; it must be from {} to {}", bound, bits + 1, c.boundBits());
  SD_TRY(checkRound(c, 3));
  return Type::share(c.in[0].shape, c.in[0].scale - static_cast<int>(bits));
}

} // namespace

Expected<Type> ruleShareConstant(const Case &c) {
  if (!c.declared) return fail("G7: needs a type");
  if (c.declared->holder != Holder::Weight) return broken(1, "the type is {}, not a weight's", toString(*c.declared));
  if (c.attrs.has(Attr::Weights)) {
    const Integers &weights = c.attrs.integers(Attr::Weights);
    if (weights.shape() != c.declared->shape || weights.size() != elementCount(c.declared->shape))
      return broken(1, "{} weights of shape {} for {}", weights.size(), toString(weights.shape()),
                    toString(*c.declared));
    for (std::int64_t i = 0; i < weights.size(); ++i)
      if (!within(weights[i], -c.mostInteger() - 1, c.mostInteger()))
        return broken(2, "the weight {} does not fit into the ring of {} bits", weights[i], c.ringBits);
  }
  return *c.declared;
}

Expected<Type> ruleShareInput(const Case &c) {
  if (!c.declared) return fail("G7: needs a type");
  if (c.declared->holder != Holder::Share || c.declared->shape != c.in[0].shape)
    return broken(1, "the type is {}, not a share of {}", toString(*c.declared), toString(c.in[0].shape));
  if (auto bound = c.attrs.i(Attr::Bound, 1); !within(bound, 1, c.boundBits()))
    return broken(2, "bound is {}; it must be from 1 to {}", bound, c.boundBits());
  return *c.declared;
}

Expected<Type> ruleShareConv(const Case &c) { return linear(c, convShape(c), 6); }
Expected<Type> ruleShareMatMul(const Case &c) { return linear(c, matMulShape(c), 3); }

Expected<Type> ruleShareScale(const Case &c) {
  SD_TRY(broadcastsTo(c, 1));
  if (c.in.size() > 2) SD_TRY(broadcastsTo(c, 2));
  return linear(c, c.in[0].shape, 2);
}

Expected<Type> ruleShareAddW(const Case &c) {
  SD_TRY(broadcastsTo(c, 1));
  SD_TRY(sameScale(c, 2));
  if (auto bound = c.attrs.i(Attr::Bound, 0); !within(bound, 0, c.boundBits())) return broken(3, "bound is {}", bound);
  return c.in[0];
}

Expected<Type> ruleShareAdd(const Case &c) {
  SD_TRY(sameShape(c, 1));
  SD_TRY(sameScale(c, 2));
  return c.in[0];
}

Expected<Type> ruleShareSub(const Case &c) { return ruleShareAdd(c); }

Expected<Type> ruleShareMulC(const Case &c) {
  if (auto factor = c.attrs.i(Attr::Factor); !within(factor, -c.mostInteger(), c.mostInteger()))
    return broken(1, "factor is {}", factor);
  return c.in[0];
}

Expected<Type> ruleShareAddC(const Case &c) {
  if (auto addend = c.attrs.i(Attr::Addend); !within(addend, -c.mostInteger(), c.mostInteger()))
    return broken(1, "addend is {}", addend);
  return c.in[0];
}

Expected<Type> ruleShareRescale(const Case &c) {
  const std::int64_t shift = c.attrs.i(Attr::Shift);
  if (!within(shift, -kMaxScale, kMaxScale)) return broken(1, "shift is {}", shift);
  return Type::share(c.in[0].shape, c.in[0].scale + static_cast<int>(shift));
}

Expected<Type> ruleShareSumPool(const Case &c) { return share(poolShape(c), c.in[0].scale); }
Expected<Type> ruleShareReshape(const Case &c) { return share(reshapeShape(c), c.in[0].scale); }
Expected<Type> ruleShareTranspose(const Case &c) { return share(transposeShape(c), c.in[0].scale); }
Expected<Type> ruleShareGather(const Case &c) { return share(gatherShape(c), c.in[0].scale); }

Expected<Type> ruleShareConcat(const Case &c) {
  SD_ASSIGN(Shape shape, concatShape(c));
  SD_TRY(sameScale(c, 3));
  return Type::share(std::move(shape), c.in[0].scale);
}

Expected<Type> ruleSharePad(const Case &c) {
  SD_ASSIGN(Shape shape, padShape(c));
  if (auto fill = c.attrs.i(Attr::IntFill); !within(fill, -c.mostInteger(), c.mostInteger()))
    return broken(2, "int_fill is {}", fill);
  return Type::share(std::move(shape), c.in[0].scale);
}

Expected<Type> ruleShareTruncate(const Case &c) {
  SD_ASSIGN(Type result, truncation(c));
  SD_TRY(checkSchedule(c, OpKind::ShareTruncate, 4));
  return result;
}

Expected<Type> ruleShareRelu(const Case &c) {
  SD_ASSIGN(Type result, truncation(c));
  SD_TRY(checkSchedule(c, OpKind::ShareRelu, 4));
  if (c.in.size() > 1) {
    SD_TRY(broadcastsTo(c, 1, 5));
    if (c.in[1].scale != 0) return broken(5, "the weight has scale 2^{}", c.in[1].scale);
  }
  return result;
}

Expected<Type> ruleShareMax(const Case &c) {
  SD_TRY(sameShape(c, 1));
  SD_TRY(sameScale(c, 2));
  if (auto bound = c.attrs.i(Attr::Bound); !within(bound, 1, c.boundBits()))
    return broken(3, "bound is {}; it must be from 1 to {}", bound, c.boundBits());
  SD_TRY(checkRound(c, 4));
  SD_TRY(checkSchedule(c, OpKind::ShareMax, 5));
  return c.in[0];
}

Expected<Type> ruleShareMul(const Case &c) {
  SD_TRY(sameShape(c, 1));
  SD_TRY(checkRound(c, 2));
  return Type::share(c.in[0].shape, c.in[0].scale + c.in[1].scale);
}

Expected<Type> ruleShareDot(const Case &c) {
  const Shape &x = c.in[0].shape, &y = c.in[1].shape;
  if (x.size() != 3 || y.size() != 3 || x[0] != y[0] || x[2] != y[2])
    return broken(1, "x is {} and y {}", toString(x), toString(y));
  SD_TRY(checkRound(c, 2));
  return Type::share({x[0], x[1], y[1]}, c.in[0].scale + c.in[1].scale);
}

Expected<Type> ruleShareOutput(const Case &c) {
  if (c.attrs.has(Attr::Count) && (c.attrs.i(Attr::Count) < 1 || c.in[0].scale != 0))
    return broken(1, "count is {} at scale 2^{}; it must be at least 1, at 2^0", c.attrs.i(Attr::Count), c.in[0].scale);
  return Type::clear(c.in[0].shape);
}

} // namespace sd::rules
