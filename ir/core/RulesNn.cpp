// Rules of the nn ops.
#include <algorithm>
#include <cmath>
#include <functional>
#include <set>

#include "ir/core/Functions.h"
#include "ir/core/Rules.h"

namespace sd::rules {

namespace {

Expected<Type> clear(Expected<Shape> shape) {
  SD_ASSIGN(Shape dims, std::move(shape));
  return Type::clear(std::move(dims));
}

Expected<Type> broadcast(const Case &c) {
  auto shape = broadcastShapes(c.in[0].shape, c.in[1].shape);
  if (!shape) return broken(1, "{}", shape.error().message);
  return Type::clear(*std::move(shape));
}

Expected<Type> alongAxis(const Case &c) {
  const Shape &x = c.in[0].shape;
  if (!within(c.attrs.i(Attr::Axis), 0, static_cast<std::int64_t>(x.size()) - 1))
    return broken(1, "{} has no axis {}", toString(x), c.attrs.i(Attr::Axis));
  return Type::clear(x);
}

} // namespace

Expected<Type> ruleInput(const Case &c) {
  if (c.attrs.str(Attr::Name).empty()) return broken(1, "the name is empty");
  if (c.attrs.has(Attr::Low) != c.attrs.has(Attr::High)) return broken(2, "'low' and 'high' come together");
  if (c.attrs.has(Attr::Low)) {
    const double low = c.attrs.f(Attr::Low), high = c.attrs.f(Attr::High);
    if (!std::isfinite(low) || !std::isfinite(high) || low > high)
      return broken(2, "the range {} to {} is not one", low, high);
  }
  return Type::clear(c.attrs.ints(Attr::Dims));
}

Expected<Type> ruleConstant(const Case &c) {
  auto &value = c.attrs.floats(Attr::Value);
  auto count = checkedElementCount(value.shape);
  if (!count) return broken(1, "{}", count.error().message);
  if (*count != value.size()) return broken(1, "{} elements for shape {}", value.size(), toString(value.shape));
  return Type::clear(value.shape);
}

Expected<Type> ruleIdentity(const Case &c) { return c.in[0]; }
Expected<Type> ruleConv(const Case &c) { return clear(convShape(c)); }
Expected<Type> ruleMatMul(const Case &c) { return clear(matMulShape(c)); }

Expected<Type> ruleBatchNorm(const Case &c) {
  const Shape &x = c.in[0].shape;
  if (x.size() < 2) return broken(1, "x {} has no channels", toString(x));
  for (auto &each : c.in.subspan(1))
    if (each.shape != Shape{x[1]}) return broken(2, "a parameter is {}, not {}", toString(each.shape), x[1]);
  const double epsilon = c.attrs.f(Attr::Epsilon);
  if (!std::isfinite(epsilon) || epsilon < 0) return broken(3, "epsilon is {}", epsilon);
  return c.in[0];
}

Expected<Type> ruleAdd(const Case &c) { return broadcast(c); }
Expected<Type> ruleSub(const Case &c) { return broadcast(c); }
Expected<Type> ruleMul(const Case &c) { return broadcast(c); }
Expected<Type> ruleDiv(const Case &c) { return broadcast(c); }

Expected<Type> ruleVecDot(const Case &c) {
  SD_ASSIGN(Type result, broadcast(c));
  if (result.shape.empty()) return broken(1, "two scalars have no axis to sum over");
  result.shape.pop_back();
  return result;
}

Expected<Type> ruleRelu(const Case &c) {
  if (c.in.size() > 1)
    if (auto shape = broadcastShapes(c.in[0].shape, c.in[1].shape); !shape || *shape != c.in[0].shape)
      return broken(1, "{} does not broadcast to {}", toString(c.in[1].shape), toString(c.in[0].shape));
  return c.in[0];
}

Expected<Type> ruleTanh(const Case &c) { return c.in[0]; }
Expected<Type> ruleErf(const Case &c) { return c.in[0]; }
Expected<Type> ruleElu(const Case &c) { return c.in[0]; }
Expected<Type> ruleSoftplus(const Case &c) { return c.in[0]; }
Expected<Type> ruleSoftsign(const Case &c) { return c.in[0]; }

Expected<Type> rulePiecewise(const Case &c) {
  const Tensor<float> &knots = c.attrs.floats(Attr::Knots), &slopes = c.attrs.floats(Attr::Slopes);
  auto isList = [](const Tensor<float> &x) {
    return x.shape.size() == 1 && x.shape[0] == static_cast<std::int64_t>(x.data.size()) &&
           std::ranges::all_of(x.data, [](float v) { return std::isfinite(v); });
  };
  if (!isList(knots) || knots.size() < 1 ||
      std::ranges::adjacent_find(knots.data, std::greater_equal()) != knots.data.end())
    return broken(1, "knots is no list of finite numbers in rising order");
  if (!isList(slopes) || slopes.size() != knots.size() + 1)
    return broken(2, "slopes is no list of {} finite numbers", knots.size() + 1);
  if (!std::isfinite(c.attrs.f(Attr::Offset))) return broken(3, "offset is {}", c.attrs.f(Attr::Offset));
  if (auto guard = c.attrs.i(Attr::Guard, 0); !within(guard, 0, kMaxScale)) return broken(4, "guard is {}", guard);
  return c.in[0];
}

Expected<Type> ruleAtMost(const Case &c) {
  if (auto bound = c.attrs.i(Attr::Bound, 0); !within(bound, 0, 30)) return broken(4, "bound is {}", bound);
  if (c.in.size() == 2) return broadcast(c);
  const Shape &a = c.in[0].shape, &b = c.in[1].shape, &w = c.in[2].shape;
  if (a.empty() || w.size() != 2 || w[0] != a.back())
    return broken(2, "a {} and w {} do not fit", toString(a), toString(w));
  if (b != Shape{w[1]}) return broken(3, "b is {}, not {}", toString(b), w[1]);
  Shape shape = a;
  shape.back() = w[1];
  return Type::clear(std::move(shape));
}

Expected<Type> ruleMaxPool(const Case &c) { return clear(poolShape(c)); }

Expected<Type> ruleAvgPool(const Case &c) {
  SD_ASSIGN(Shape shape, poolShape(c));
  if (!within(c.attrs.i(Attr::CountIncludePad), 0, 1))
    return broken(6, "count_include_pad is {}", c.attrs.i(Attr::CountIncludePad));
  if (auto shift = c.attrs.i(Attr::Shift, 0); !within(shift, 0, kMaxScale)) return broken(7, "shift is {}", shift);
  return Type::clear(std::move(shape));
}

Expected<Type> ruleReshape(const Case &c) { return clear(reshapeShape(c)); }
Expected<Type> ruleTranspose(const Case &c) { return clear(transposeShape(c)); }
Expected<Type> ruleConcat(const Case &c) { return clear(concatShape(c)); }
Expected<Type> ruleGather(const Case &c) { return clear(gatherShape(c)); }

Expected<Type> rulePad(const Case &c) {
  SD_ASSIGN(Shape shape, padShape(c));
  if (std::isnan(c.attrs.f(Attr::Fill))) return broken(2, "fill is NaN");
  return Type::clear(std::move(shape));
}

Expected<Type> ruleSoftmax(const Case &c) { return alongAxis(c); }
Expected<Type> ruleLogSoftmax(const Case &c) { return alongAxis(c); }
Expected<Type> ruleSigmoid(const Case &c) { return c.in[0]; }

Expected<Type> ruleArgMax(const Case &c) {
  SD_ASSIGN(Type result, alongAxis(c));
  for (auto attr : {Attr::KeepDims, Attr::SelectLast})
    if (!within(c.attrs.i(attr), 0, 1)) return broken(2, "'{}' is {}", findAttr(attr)->text, c.attrs.i(attr));
  const std::int64_t axis = c.attrs.i(Attr::Axis);
  if (c.attrs.i(Attr::KeepDims))
    result.shape[axis] = 1;
  else
    result.shape.erase(result.shape.begin() + axis);
  return result;
}

Expected<Type> ruleTopK(const Case &c) {
  SD_ASSIGN(Type result, alongAxis(c));
  std::int64_t &length = result.shape[c.attrs.i(Attr::Axis)];
  const std::int64_t count = c.attrs.i(Attr::Count);
  if (!within(count, 1, length)) return broken(2, "count is {}; it must be from 1 to {}", count, length);
  length = count;
  return result;
}

Expected<Type> ruleArgTopK(const Case &c) { return ruleTopK(c); }

Expected<Type> ruleFunction(const Case &c) {
  const std::string &name = c.attrs.str(Attr::Function);
  const bool ofRows = rowFunction(name).has_value();
  if (!ofRows && !findFunction(name)) return broken(1, "there is no function '{}'", name);
  if (ofRows && c.in[0].shape.empty()) return broken(2, "a scalar has no rows");
  return c.in[0];
}

Expected<Type> ruleReduceSum(const Case &c) {
  SD_ASSIGN(Type result, alongAxis(c));
  result.shape[c.attrs.i(Attr::Axis)] = 1;
  return result;
}

Expected<Type> ruleReturn(const Case &c) {
  const auto &names = c.attrs.strings(Attr::Names);
  if (names.size() != c.in.size()) return broken(1, "{} names for {} operands", names.size(), c.in.size());
  std::set<std::string_view> seen;
  for (auto &name : names)
    if (name.empty() || !seen.insert(name).second)
      return broken(2, "{}", name.empty() ? "a name is empty" : fmt::format("the name '{}' occurs twice", name));
  return Type{};
}

} // namespace sd::rules
