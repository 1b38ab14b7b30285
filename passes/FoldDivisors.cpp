// An average is a sum over 2^shift (free: the integers stay, the scale grows) times 2^shift / taps. That remaining
// factor, in [1, 2), goes into the weights of all linear ops that the average reaches through ops which commute with a
// positive factor; where it can't, or where windows at the border have fewer taps, it stays as a product.
#include <algorithm>
#include <bit>
#include <cmath>
#include <map>

#include "ir/core/Windows.h"
#include "passes/Linear.h"
#include "passes/Pass.h"

namespace sd {

namespace {

// The number of taps that count, for each window: shape [1,1,...] with the result's spatial sizes.
Tensor<float> divisors(const Shape &x, const Shape &result, const Op &op) {
  const auto axes = windowAxes(x, op.attrs.ints(Attr::Kernel), op.attrs);
  const bool includePad = op.attrs.i(Attr::CountIncludePad) != 0;
  Shape shape = result;
  shape[0] = shape[1] = 1;
  Tensor<float> counts(shape, 1.0f);
  const Shape strides = rowMajorStrides(shape);
  for (std::int64_t i = 0; i < counts.size(); ++i)
    for (std::size_t axis = 0; axis < axes.size(); ++axis)
      counts.data[i] *=
          static_cast<float>(countedTaps(axes[axis], i / strides[axis + 2] % shape[axis + 2], includePad));
  return counts;
}

bool commutesWithFactor(const Op &op) {
  switch (op.kind) {
  case OpKind::Identity:
  case OpKind::Reshape:
  case OpKind::Transpose:
  case OpKind::Gather:
  case OpKind::Relu:
  case OpKind::MaxPool:
  case OpKind::AvgPool:
    return true;
  case OpKind::Piecewise: // a leaky ReLU
    return op.attrs.floats(Attr::Knots).size() == 1 && op.attrs.floats(Attr::Knots).data[0] == 0 &&
           op.attrs.f(Attr::Offset) == 0;
  case OpKind::Pad:
    return op.attrs.f(Attr::Fill) == 0;
  default:
    return false;
  }
}

// The linear ops at the end of all paths from `value`; false if some path ends elsewhere.
bool collectLinearOps(const Graph &graph, ValueId value, std::vector<std::size_t> &found) {
  for (auto user : graph.users[value]) {
    const Op &op = graph.module.ops[user];
    if (hasConstantWeights(graph, op) && op.operands[0] == value) {
      found.push_back(user);
    } else if (!commutesWithFactor(op) || !collectLinearOps(graph, op.result, found)) {
      return false;
    }
  }
  return !graph.users[value].empty();
}

} // namespace

Expected<Module> foldDivisors(const Module &module, PassContext &) {
  const Graph graph(module);
  Rewriter rewriter(module);
  std::map<std::size_t, double> factors; // what the weights of an op still to come are multiplied by
  for (std::size_t i = 0; i < module.ops.size(); ++i) {
    const Op &op = module.ops[i];
    if (auto it = factors.find(i); it != factors.end()) {
      LinearParts parts = partsOf(graph, op);
      for (auto &w : parts.weights.data)
        w = static_cast<float>(w * it->second);
      rewriter.map(op.result, emit(rewriter, parts, rewriter[op.operands[0]]));
      continue;
    }
    if (op.kind != OpKind::AvgPool || op.attrs.has(Attr::Shift)) {
      rewriter.clone(op);
      continue;
    }
    Tensor<float> counts = divisors(module.type(op.operands[0]).shape, module.type(op.result).shape, op);
    const auto most = static_cast<std::uint64_t>(*std::ranges::max_element(counts.data));
    const int shift = std::bit_width(most - 1); // the least with most <= 2^shift
    Attrs attrs = op.attrs;
    attrs.set(Attr::Shift, std::int64_t{shift});
    const ValueId sum = rewriter.clone(op, std::move(attrs));

    const bool uniform = std::ranges::count(counts.data, counts.data[0]) == counts.size();
    const double factor = std::ldexp(1.0, shift) / static_cast<double>(most);
    std::vector<std::size_t> linearOps;
    if (uniform && factor == 1) continue;
    if (uniform && collectLinearOps(graph, op.result, linearOps)) {
      std::ranges::sort(linearOps);
      linearOps.erase(std::ranges::unique(linearOps).begin(), linearOps.end());
      for (auto user : linearOps)
        factors.try_emplace(user, 1.0).first->second *= factor;
      continue;
    }
    for (auto &count : counts.data)
      count = static_cast<float>(std::ldexp(1.0, shift) / count);
    if (uniform) counts = Tensor<float>(Shape{}, {counts.data[0]});
    const ValueId rest = rewriter.builder.constant(std::move(counts), op.source);
    rewriter.replace(op, OpKind::Mul, {sum, rest});
  }
  return rewriter.finish();
}

} // namespace sd
