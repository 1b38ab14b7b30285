// An average is a sum over 2^shift (free: the integers stay, the scale grows) times 2^shift / taps. That remaining
// factor, in [1, 2), goes into the weights of all linear ops that the average reaches through ops which commute with a
// positive factor; where it can't, or where windows at the border have fewer taps, it stays as a product.
#include <algorithm>
#include <bit>
#include <cmath>

#include "ir/core/OpFamilies.h"
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
  case SD_NN_POOLS:
    return true;
  case OpKind::Piecewise: // a leaky ReLU
    return op.attrs.floats(Attr::Knots).size() == 1 && op.attrs.floats(Attr::Knots).data[0] == 0 &&
           op.attrs.f(Attr::Offset) == 0;
  case OpKind::Pad:
    return op.attrs.f(Attr::Fill) == 0;
  case SD_NN_ENDS:
  case SD_NN_PRODUCTS:
  case OpKind::BatchNorm:
  case SD_NN_ARITHMETIC:
  case OpKind::VecDot:
  case SD_NN_SMOOTH:
  case OpKind::AtMost:
  case OpKind::Concat:
  case SD_NN_FINAL:
  case OpKind::Function:
#include "ir/core/ShareCases.def"
    break;
  }
  return false;
}

// By value: whether all paths from it end in linear ops that take a factor into their weights.
std::vector<bool> reachLinearOps(const Graph &graph) {
  std::vector<bool> reaches(graph.module.types.size());
  for (std::size_t i = graph.module.ops.size(); i-- > 0;) {
    const ValueId value = graph.module.ops[i].result;
    if (value == kNoValue) continue;
    reaches[value] = !graph.users[value].empty() && std::ranges::all_of(graph.users[value], [&](std::size_t user) {
      const Op &op = graph.module.ops[user];
      const bool takes = hasConstantWeights(graph, op) && op.operands[0] == value;
      return takes || (commutesWithFactor(op) && reaches[op.result]);
    });
  }
  return reaches;
}

} // namespace

Expected<Module> foldDivisors(const Module &module, PassContext &) {
  const Graph graph(module);
  const std::vector<bool> reaches = reachLinearOps(graph);
  Rewriter rewriter(module);
  std::vector<double> factors(module.types.size(), 1); // by value: what the weights of the linear ops still take
  for (const Op &op : module.ops) {
    const double carried = op.operands.empty() ? 1 : factors[op.operands[0]];
    if (carried != 1 && !commutesWithFactor(op)) {
      LinearParts parts = partsOf(graph, op);
      for (auto &w : parts.weights.data)
        w = static_cast<float>(w * carried);
      rewriter.map(op.result, emit(rewriter, std::move(parts), rewriter[op.operands[0]]));
      continue;
    }
    if (op.result != kNoValue) factors[op.result] = carried;
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
    if (uniform && factor == 1) continue;
    if (uniform && reaches[op.result]) {
      factors[op.result] *= factor;
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
