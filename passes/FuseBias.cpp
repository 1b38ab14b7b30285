// Sums with and products by constants beside a linear op go into its weights and bias.
#include <algorithm>

#include "passes/Linear.h"
#include "passes/Partition.h"
#include "passes/Pass.h"

namespace sd {

namespace {

// linear then affine, where nothing else uses the linear op's result.
bool foldBackward(const Graph &graph, Rewriter &rewriter, const Op &op) {
  const auto affine = affineOf(graph, op);
  if (!affine || !graph.hasOneUser(affine->x)) return false;
  const Op &linear = graph.definition(affine->x);
  if (!hasConstantWeights(graph, linear)) return false;
  const Shape &shape = graph.module.type(affine->x).shape;
  const std::size_t axis = outputAxis(linear, shape);
  const auto factors = valuesAlong(affine->factor, shape, axis), summands = valuesAlong(affine->summand, shape, axis);
  if (!factors || !summands) return false;

  LinearParts parts = partsOf(graph, linear);
  if (affine->scales)
    parts.weights = scaleOutputs(linear, parts.weights, std::vector<double>(factors->begin(), factors->end()));
  for (std::size_t i = 0; i < parts.bias.size(); ++i)
    parts.bias[i] = parts.bias[i] * (*factors)[i] + (*summands)[i];
  rewriter.map(op.result, emit(rewriter, parts, rewriter[linear.operands[0]]));
  return true;
}

// Whether all that uses the operand of `linear` is linear: only then folding it forward spares something.
bool feedsLinearOpsOnly(const Graph &graph, ValueId value) {
  return std::ranges::all_of(graph.users[value], [&](std::size_t user) {
    const Op &op = graph.module.ops[user];
    return hasConstantWeights(graph, op) && op.operands[0] == value;
  });
}

// moves(affine(x)) -> affine(moves(x)), so that it stands beside the linear op.
bool sinkAffine(const Graph &graph, Rewriter &rewriter, const Op &op) {
  if (op.kind != OpKind::Reshape && op.kind != OpKind::Transpose) return false;
  const Op &inner = graph.definition(op.operands[0]);
  const auto affine = affineOf(graph, inner);
  if (!affine || !graph.hasOneUser(inner.result)) return false;
  const Shape &shape = graph.module.type(affine->x).shape;
  ValueId operands[2];
  for (int i : {0, 1}) {
    if (const auto *constant = graph.constant(inner.operands[i])) {
      const bool uniform = std::ranges::count(constant->data, constant->data[0]) == constant->size();
      operands[i] = uniform ? rewriter.builder.constant(Tensor<float>(Shape{}, {constant->data[0]}), inner.source)
                            : rewriter.builder.create(
                                  op.kind, {rewriter.builder.constant(broadcastTo(*constant, shape), inner.source)},
                                  op.attrs, inner.source);
    } else {
      operands[i] = rewriter.builder.create(op.kind, {rewriter[inner.operands[i]]}, op.attrs, op.source);
    }
  }
  rewriter.map(op.result, rewriter.builder.create(inner.kind, {operands[0], operands[1]}, {}, inner.source));
  return true;
}

enum class Which : std::uint8_t { NotNormalization, NormalizationOnly };

// Forward folding of affine ops in front of linear ones, until nothing changes.
Expected<Module> foldForward(Module module, Which which) {
  for (bool changed = true; changed;) {
    changed = false;
    const Graph graph(module);
    const auto places = partition(graph, false);
    Rewriter rewriter(module);
    for (auto &op : module.ops) {
      const std::size_t inner = op.operands.empty() ? 0 : graph.definitions[op.operands[0]];
      const bool normalization = !op.operands.empty() && places[inner] == Place::Prefix;
      bool done = false;
      if (normalization == (which == Which::NormalizationOnly) && !op.operands.empty() &&
          (normalization || feedsLinearOpsOnly(graph, op.operands[0]))) {
        SD_ASSIGN(done, foldAffineInto(graph, rewriter, op));
        if (!done && normalization) done = sinkAffine(graph, rewriter, op);
      }
      changed |= done;
      if (!done) rewriter.clone(op);
    }
    if (changed) {
      module = rewriter.finish();
      PassContext unused;
      SD_ASSIGN(module, simplify(module, unused)); // constants that sank
    }
  }
  return module;
}

} // namespace

Expected<Module> fuseBias(const Module &module, PassContext &) {
  Module current = module;
  for (bool changed = true; changed;) {
    changed = false;
    const Graph graph(current);
    Rewriter rewriter(current);
    for (auto &op : current.ops)
      if (foldBackward(graph, rewriter, op))
        changed = true;
      else
        rewriter.clone(op);
    if (changed) current = rewriter.finish();
  }
  return foldForward(std::move(current), Which::NotNormalization);
}

Expected<Module> foldNormalization(const Module &module, PassContext &context) {
  if (!context.options.privateNormalization) return module;
  return foldForward(module, Which::NormalizationOnly);
}

} // namespace sd
