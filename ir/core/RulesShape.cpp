// Result shapes common to the nn and the share level; constraint numbers as in Constraints.def.
#include <algorithm>

#include "ir/core/Rules.h"
#include "ir/core/Windows.h"

namespace sd {

Expected<Shape> broadcastShapes(const Shape &a, const Shape &b) {
  Shape result(std::max(a.size(), b.size()), 1);
  for (std::size_t i = 1; i <= result.size(); ++i) { // from the last axis on
    const std::int64_t x = i <= a.size() ? a[a.size() - i] : 1, y = i <= b.size() ? b[b.size() - i] : 1;
    if (x != y && x != 1 && y != 1) return fail("shapes {} and {} do not broadcast", toString(a), toString(b));
    result[result.size() - i] = x == 1 ? y : x;
  }
  return result;
}

namespace rules {

namespace {

bool allWithin(const std::vector<std::int64_t> &values, std::int64_t least, std::int64_t most) {
  return std::ranges::all_of(values, [&](auto v) { return within(v, least, most); });
}

// Constraint 2 of convolutions and pools.
Expected<void> checkWindow(const Case &c, std::size_t axes) {
  auto check = [&](Attr attr, std::size_t count, std::int64_t least) -> Expected<void> {
    if (auto &values = c.attrs.ints(attr); values.size() != count || !allWithin(values, least, kMaxWindow))
      return broken(2, "'{}' must hold {} entries from {} to {}", findAttr(attr)->text, count, least, kMaxWindow);
    return {};
  };
  SD_TRY(check(Attr::Strides, axes, 1));
  SD_TRY(check(Attr::Dilations, axes, 1));
  SD_TRY(check(Attr::Pads, 2 * axes, 0));
  if (c.attrs.has(Attr::Kernel)) SD_TRY(check(Attr::Kernel, axes, 1));
  return {};
}

bool everyWindowHits(const WindowAxis &axis, std::int64_t outputs) {
  auto hits = [&](std::int64_t output) {
    auto taps = windowTaps(axis, output);
    return taps.begin < taps.end;
  };
  // Windows that start inside the input hit it; those before it are few, and the last one starts behind it or none.
  for (std::int64_t o = 0; o < outputs && o * axis.stride < axis.padBegin; ++o)
    if (!hits(o)) return false;
  return hits(outputs - 1);
}

} // namespace

Expected<Shape> convShape(const Case &c) {
  const Shape &x = c.in[0].shape, &w = c.in[1].shape;
  if (!within(static_cast<std::int64_t>(x.size()), 3, 5) || w.size() != x.size())
    return broken(1, "x {} and w {} must both have rank 3, 4 or 5", toString(x), toString(w));
  const std::size_t axes = x.size() - 2;
  SD_TRY(checkWindow(c, axes));
  const std::int64_t group = c.attrs.i(Attr::Group);
  if (group < 1 || x[1] % group != 0 || w[0] % group != 0)
    return broken(3, "group {} must divide {} input and {} output channels", group, x[1], w[0]);
  if (w[1] != x[1] / group)
    return broken(3, "w {} must have {} input channels for x {} in {} groups", toString(w), x[1] / group, toString(x),
                  group);
  if (c.in.size() > 2 && c.in[2].shape != Shape{w[0]})
    return broken(4, "the bias is {}, not {}", toString(c.in[2].shape), w[0]);
  Shape result{x[0], w[0]};
  for (auto &axis : windowAxes(x, std::span(w).subspan(2), c.attrs)) {
    auto outputs = windowOutputs(axis);
    if (!outputs) return broken(5, "{}", outputs.error().message);
    result.push_back(*outputs);
  }
  return result;
}

Expected<Shape> matMulShape(const Case &c) {
  const Shape &x = c.in[0].shape, &w = c.in[1].shape;
  if (x.empty() || w.size() != 2 || w[0] != x.back())
    return broken(1, "x {} and w {} do not fit", toString(x), toString(w));
  if (c.in.size() > 2 && c.in[2].shape != Shape{w[1]})
    return broken(2, "the bias is {}, not {}", toString(c.in[2].shape), w[1]);
  Shape result = x;
  result.back() = w[1];
  return result;
}

Expected<Shape> poolShape(const Case &c) {
  const Shape &x = c.in[0].shape;
  if (!within(static_cast<std::int64_t>(x.size()), 3, 5))
    return broken(1, "x {} must have rank 3, 4 or 5", toString(x));
  SD_TRY(checkWindow(c, x.size() - 2));
  if (!within(c.attrs.i(Attr::CeilMode), 0, 1)) return broken(3, "ceil_mode is {}", c.attrs.i(Attr::CeilMode));
  Shape result{x[0], x[1]};
  for (auto &axis : windowAxes(x, c.attrs.ints(Attr::Kernel), c.attrs)) {
    auto outputs = windowOutputs(axis);
    if (!outputs) return broken(4, "{}", outputs.error().message);
    if (!everyWindowHits(axis, *outputs))
      return broken(5, "a window of {} taps lies in the padding alone ({} and {} on an axis of {})", axis.kernel,
                    axis.padBegin, axis.padEnd, axis.size);
    result.push_back(*outputs);
  }
  return result;
}

Expected<Shape> reshapeShape(const Case &c) {
  const Shape &x = c.in[0].shape, &dims = c.attrs.ints(Attr::Dims);
  auto count = checkedElementCount(dims);
  if (!count) return broken(1, "{}", count.error().message);
  if (*count != elementCount(x)) return broken(1, "{} can't take the shape {}", toString(x), toString(dims));
  return dims;
}

Expected<Shape> transposeShape(const Case &c) {
  const Shape &x = c.in[0].shape;
  const auto &perm = c.attrs.ints(Attr::Perm);
  std::vector<bool> seen(x.size());
  Shape result;
  for (auto axis : perm) {
    if (!within(axis, 0, static_cast<std::int64_t>(x.size()) - 1) || seen[axis]) break;
    seen[axis] = true;
    result.push_back(x[axis]);
  }
  if (result.size() != x.size() || perm.size() != x.size())
    return broken(1, "perm [{}] is no permutation of the {} axes of {}", fmt::join(perm, ", "), x.size(), toString(x));
  return result;
}

Expected<Shape> concatShape(const Case &c) {
  Shape result = c.in[0].shape;
  const std::int64_t axis = c.attrs.i(Attr::Axis);
  if (!within(axis, 0, static_cast<std::int64_t>(result.size()) - 1))
    return broken(1, "{} has no axis {}", toString(result), axis);
  for (auto &next : c.in.subspan(1)) {
    Shape rest = next.shape;
    if (rest.size() != result.size()) return broken(2, "{} and {} do not fit", toString(result), toString(rest));
    const std::int64_t along = std::exchange(rest[axis], result[axis]);
    if (rest != result)
      return broken(2, "{} and {} do not fit along axis {}", toString(result), toString(next.shape), axis);
    result[axis] += along; // at most 2^16 operands of at most 2^31 elements
  }
  return result;
}

Expected<Shape> padShape(const Case &c) {
  Shape result = c.in[0].shape;
  const auto &pads = c.attrs.ints(Attr::Pads);
  if (pads.size() != 2 * result.size() || !allWithin(pads, 0, kMaxWindow))
    return broken(1, "'pads' must hold {} entries from 0 to {} for {}", 2 * result.size(), kMaxWindow,
                  toString(c.in[0].shape));
  for (std::size_t i = 0; i < result.size(); ++i)
    result[i] += pads[i] + pads[i + result.size()];
  return result;
}

Expected<Shape> gatherShape(const Case &c) {
  Shape result = c.in[0].shape;
  const std::int64_t axis = c.attrs.i(Attr::Axis);
  if (!within(axis, 0, static_cast<std::int64_t>(result.size()) - 1))
    return broken(1, "{} has no axis {}", toString(result), axis);
  const auto &indices = c.attrs.ints(Attr::Indices);
  if (indices.empty()) return broken(2, "'indices' is empty");
  for (auto index : indices)
    if (!within(index, 0, result[axis] - 1))
      return broken(2, "index {} is outside axis {} of {}", index, axis, toString(result));
  result[axis] = static_cast<std::int64_t>(indices.size());
  return result;
}

} // namespace rules
} // namespace sd
