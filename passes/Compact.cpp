#include "passes/Compact.h"

#include <algorithm>
#include <cmath>

namespace sd {

Compact uniform(const Shape &shape, double value) { return Compact(Shape(shape.size(), 1), value); }

Compact expandedTo(const Compact &x, const Shape &shape) {
  Compact result(shape);
  reference::forEachBroadcast(shape, x.shape, x.shape, [&](auto i, auto from, auto) { result.data[i] = x.data[from]; });
  return result;
}

Compact compacted(const Compact &x) {
  Compact result = x;
  for (std::size_t axis = 0; axis < result.shape.size(); ++axis) {
    if (result.shape[axis] == 1) continue;
    const auto split = reference::splitAt(result.shape, static_cast<std::int64_t>(axis));
    bool varies = false;
    for (std::int64_t o = 0; o < split.outer && !varies; ++o) {
      const double *from = result.data.data() + o * split.length * split.inner;
      for (std::int64_t i = split.inner; i < split.length * split.inner && !varies; ++i)
        varies = from[i] != from[i - split.inner];
    }
    if (varies) continue;
    Shape shape = result.shape;
    shape[axis] = 1;
    Compact shorter(shape);
    for (std::int64_t o = 0; o < split.outer; ++o)
      std::copy_n(result.data.begin() + o * split.length * split.inner, split.inner,
                  shorter.data.begin() + o * split.inner);
    result = std::move(shorter);
  }
  return result;
}

bool movesElements(OpKind kind) {
  return kind == OpKind::Identity || kind == OpKind::Reshape || kind == OpKind::Transpose || kind == OpKind::Concat ||
         kind == OpKind::Gather || kind == OpKind::Pad;
}

Compact moved(const Module &module, const Op &op, std::span<const Compact *const> operands) {
  const Shape &result = module.type(op.result).shape;
  if (op.kind == OpKind::Identity) return *operands[0];
  if (operands.size() == 1 && operands[0]->size() == 1) return uniform(result, operands[0]->data[0]);
  if (op.kind == OpKind::Gather && operands[0]->shape[op.attrs.i(Attr::Axis)] == 1) return *operands[0];
  // Transpositions and joins along one axis leave the others as compact as they are.
  std::vector<Compact> full;
  Shape shape = result;
  for (std::size_t i = 0; i < operands.size(); ++i) {
    Shape own = module.type(op.operands[i]).shape;
    if (op.kind == OpKind::Transpose || op.kind == OpKind::Concat || op.kind == OpKind::Gather)
      for (std::size_t axis = 0; axis < own.size(); ++axis) {
        const bool all = std::ranges::all_of(operands, [&](auto *each) { return each->shape[axis] == 1; });
        if (!all || (op.kind != OpKind::Transpose && static_cast<std::int64_t>(axis) == op.attrs.i(Attr::Axis)))
          continue;
        own[axis] = 1;
        if (op.kind != OpKind::Transpose) shape[axis] = 1;
      }
    full.push_back(expandedTo(*operands[i], own));
  }
  if (op.kind == OpKind::Transpose)
    for (std::size_t axis = 0; axis < shape.size(); ++axis)
      shape[axis] = full[0].shape[op.attrs.ints(Attr::Perm)[axis]];
  std::vector<const Compact *> pointers;
  for (auto &each : full)
    pointers.push_back(&each);
  return compacted(reference::evaluateLayout<double>(op.kind, pointers, op.attrs, shape, 0.0));
}

std::optional<std::vector<double>> along(const Compact &x, const Shape &shape, std::size_t axis) {
  for (std::size_t i = 0; i < x.shape.size(); ++i)
    if (i != axis && x.shape[i] != 1) return std::nullopt;
  std::vector<double> values(shape[axis], x.data[0]);
  if (x.shape[axis] != 1) values.assign(x.data.begin(), x.data.end());
  return values;
}

Compact hullAlongAxis(const Compact &x, std::size_t axis) {
  const auto split = reference::splitAt(x.shape, static_cast<std::int64_t>(axis));
  std::vector<double> most(split.length, -HUGE_VAL);
  for (std::int64_t i = 0; i < x.size(); ++i)
    most[i / split.inner % split.length] = std::max(most[i / split.inner % split.length], x.data[i]);
  return acrossAxis(most, x.shape.size(), axis);
}

Compact acrossAxis(std::span<const double> values, std::size_t rank, std::size_t axis) {
  Shape shape(rank, 1);
  shape[axis] = static_cast<std::int64_t>(values.size());
  return Compact(shape, {values.begin(), values.end()});
}

} // namespace sd
