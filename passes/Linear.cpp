#include "passes/Linear.h"

#include <algorithm>

#include "ir/core/Reference.h"

namespace sd {

bool hasConstantWeights(const Graph &graph, const Op &op) {
  if (!isLinear(op.kind) || graph.constant(op.operands[0])) return false;
  return std::all_of(op.operands.begin() + 1, op.operands.end(), [&](ValueId v) { return graph.constant(v); });
}

std::size_t outputAxis(const Op &linear, const Shape &result) {
  return linear.kind == OpKind::Conv ? 1 : result.size() - 1;
}

std::size_t inputAxis(const Op &linear, const Shape &x) { return linear.kind == OpKind::Conv ? 1 : x.size() - 1; }

Tensor<float> scaleOutputs(const Op &linear, const Tensor<float> &weights, std::span<const double> factors) {
  Tensor<float> result = weights;
  const std::int64_t outputs = static_cast<std::int64_t>(factors.size()), each = weights.size() / outputs;
  for (std::int64_t i = 0; i < weights.size(); ++i)
    result.data[i] =
        static_cast<float>(weights.data[i] * factors[linear.kind == OpKind::Conv ? i / each : i % outputs]);
  return result;
}

Tensor<float> scaleInputs(const Op &linear, const Tensor<float> &weights, std::span<const double> factors) {
  Tensor<float> result = weights;
  if (linear.kind == OpKind::MatMul) { // [K,M]
    const std::int64_t outputs = weights.shape[1];
    for (std::int64_t i = 0; i < weights.size(); ++i)
      result.data[i] = static_cast<float>(weights.data[i] * factors[i / outputs]);
    return result;
  }
  const std::int64_t inputs = weights.shape[1], group = linear.attrs.i(Attr::Group); // [M,C/group,...]
  const std::int64_t each = weights.size() / (weights.shape[0] * inputs), perGroup = weights.shape[0] / group;
  for (std::int64_t i = 0; i < weights.size(); ++i) {
    const std::int64_t output = i / (inputs * each), input = i / each % inputs;
    result.data[i] = static_cast<float>(weights.data[i] * factors[output / perGroup * inputs + input]);
  }
  return result;
}

LinearParts partsOf(const Graph &graph, const Op &linear) {
  return {&linear, *graph.constant(linear.operands[1]), biasOf(graph, linear)};
}

std::vector<double> biasOf(const Graph &graph, const Op &linear) {
  if (linear.operands.size() > 2) {
    auto &bias = graph.constant(linear.operands[2])->data;
    return {bias.begin(), bias.end()};
  }
  const Shape &weights = graph.module.type(linear.operands[1]).shape;
  return std::vector<double>(weights[linear.kind == OpKind::Conv ? 0 : 1], 0);
}

ValueId emit(Rewriter &rewriter, LinearParts parts, ValueId x) {
  const Op &op = *parts.op;
  const ValueId weights = rewriter.builder.constant(std::move(parts.weights), op.source);
  const std::vector<float> bias(parts.bias.begin(), parts.bias.end());
  const ValueId b = rewriter.builder.constant({{static_cast<std::int64_t>(bias.size())}, bias}, op.source);
  return rewriter.builder.create(op.kind, {x, weights, b}, op.attrs, op.source);
}

namespace {
Tensor<float> mapped(const Tensor<float> &tensor, auto &&function) {
  Tensor<float> result = tensor;
  std::ranges::transform(tensor.data, result.data.begin(), function);
  return result;
}
} // namespace

std::optional<Affine> affineOf(const Graph &graph, const Op &op) {
  if (op.kind != OpKind::Add && op.kind != OpKind::Sub && op.kind != OpKind::Mul && op.kind != OpKind::Div)
    return std::nullopt;
  const auto *left = graph.constant(op.operands[0]), *right = graph.constant(op.operands[1]);
  if ((left != nullptr) == (right != nullptr) || (left && op.kind == OpKind::Div)) return std::nullopt;
  Affine affine;
  affine.x = op.operands[left ? 1 : 0];
  if (graph.module.type(affine.x).shape != graph.module.type(op.result).shape) return std::nullopt;
  const Tensor<float> &constant = left ? *left : *right;
  if (op.kind == OpKind::Add) affine.summand = constant;
  if (op.kind == OpKind::Sub) affine.summand = left ? constant : mapped(constant, [](float v) { return -v; });
  if (op.kind == OpKind::Sub && left) affine.factor.data[0] = -1;
  if (op.kind == OpKind::Mul) affine.factor = constant;
  if (op.kind == OpKind::Div) {
    if (std::ranges::count(constant.data, 0.0f)) return std::nullopt;
    affine.factor = mapped(constant, [](float v) { return static_cast<float>(1.0 / v); });
  }
  affine.adds = op.kind == OpKind::Add || op.kind == OpKind::Sub;
  affine.scales = !affine.adds || left != nullptr;
  if (op.kind == OpKind::Add) affine.scales = false;
  return affine;
}

namespace {

Expected<Tensor<float>> combined(OpKind kind, const Tensor<float> &a, const Tensor<float> &b) {
  const Tensor<float> *operands[] = {&a, &b};
  return evaluateClear(kind, operands, {});
}

// `inner`, then `outer`.
Expected<Affine> composed(const Affine &inner, Affine outer) {
  if (inner.adds) {
    Tensor<float> summand = inner.summand;
    if (outer.scales) {
      SD_ASSIGN(summand, combined(OpKind::Mul, outer.factor, summand));
    }
    SD_ASSIGN(outer.summand, combined(OpKind::Add, outer.summand, summand));
  }
  if (inner.scales) {
    SD_ASSIGN(outer.factor, combined(OpKind::Mul, outer.factor, inner.factor));
  }
  outer.x = inner.x;
  outer.adds |= inner.adds;
  outer.scales |= inner.scales;
  return outer;
}

// The affine ops among `folds` in front of `linear`, as one.
Expected<std::optional<Affine>> affineBefore(const Graph &graph, const Op &linear, const std::vector<bool> &folds) {
  std::optional<Affine> whole;
  for (ValueId value = linear.operands[0]; folds[graph.definitions[value]];) {
    const auto affine = affineOf(graph, graph.definition(value));
    if (!affine) break;
    const Shape &x = graph.module.type(affine->x).shape;
    if (!valuesAlong(affine->factor, x, inputAxis(linear, x))) break;
    if (whole) {
      SD_ASSIGN(whole, composed(*affine, *std::move(whole)));
    } else {
      whole = affine;
    }
    value = affine->x;
  }
  return whole;
}

} // namespace

Expected<bool> foldAffineInto(const Graph &graph, Rewriter &rewriter, const Op &linear,
                              const std::vector<bool> &folds) {
  if (!hasConstantWeights(graph, linear)) return false;
  SD_ASSIGN(const auto affine, affineBefore(graph, linear, folds));
  if (!affine) return false;
  const Shape &x = graph.module.type(affine->x).shape;
  const auto factors = valuesAlong(affine->factor, x, inputAxis(linear, x));
  if (!factors) return false;

  LinearParts parts = partsOf(graph, linear);
  Tensor<float> positions; // W applied to the summand
  if (affine->adds) {
    const Tensor<float> summand = broadcastTo(affine->summand, x);
    const Tensor<float> *operands[] = {&summand, &parts.weights};
    SD_ASSIGN(positions, evaluateClear(linear.kind, operands, linear.attrs));
  }
  if (affine->scales)
    parts.weights = scaleInputs(linear, parts.weights, std::vector<double>(factors->begin(), factors->end()));

  bool perOutput = true;
  if (affine->adds) {
    // Padding decides alone, not what the sums happen to be: the program's form must not tell of the weights.
    const bool padded = linear.kind == OpKind::Conv &&
                        std::ranges::any_of(linear.attrs.ints(Attr::Pads), [](auto pad) { return pad != 0; });
    const auto sums = valuesAlong(positions, positions.shape, outputAxis(linear, positions.shape));
    if (!padded && sums)
      std::ranges::transform(parts.bias, *sums, parts.bias.begin(), std::plus<double>());
    else
      perOutput = false;
  }
  ValueId result = emit(rewriter, std::move(parts), rewriter[affine->x]);
  if (!perOutput) {
    const ValueId sum = rewriter.builder.constant(std::move(positions), linear.source);
    result = rewriter.builder.create(OpKind::Add, {result, sum}, {}, linear.source);
  }
  rewriter.map(linear.result, result);
  return true;
}

} // namespace sd
