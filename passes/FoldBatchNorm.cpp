// Batch normalisation is g x + h along axis 1. It goes into the conv or matmul before it, whose only user it is; else
// into all that follow it, if those are linear; else it stays, and becomes a share.scale.
#include <cmath>

#include "passes/Linear.h"
#include "passes/Pass.h"

namespace sd {

namespace {

struct ChannelAffine {
  std::vector<double> factor, summand;
};

std::optional<ChannelAffine> channelAffine(const Graph &graph, const Op &op) {
  const Tensor<float> *parameters[4]; // scale, bias, mean, var
  for (int i = 0; i < 4; ++i)
    if (!(parameters[i] = graph.constant(op.operands[i + 1]))) return std::nullopt;
  ChannelAffine affine;
  for (std::int64_t c = 0; c < parameters[0]->size(); ++c) {
    const double deviation = std::sqrt(parameters[3]->data[c] + op.attrs.f(Attr::Epsilon));
    const double factor = parameters[0]->data[c] / deviation;
    affine.factor.push_back(factor);
    affine.summand.push_back(parameters[1]->data[c] - parameters[2]->data[c] * factor);
  }
  return affine;
}

bool foldsBackward(const Graph &graph, const Op &op) {
  const ValueId x = op.operands[0];
  const Op &linear = graph.definition(x);
  return hasConstantWeights(graph, linear) && graph.hasOneUser(x) &&
         outputAxis(linear, graph.module.type(x).shape) == 1;
}

void appendBackward(const Graph &graph, Rewriter &rewriter, const Op &op, const ChannelAffine &affine) {
  LinearParts parts = partsOf(graph, graph.definition(op.operands[0]));
  parts.weights = scaleOutputs(*parts.op, parts.weights, affine.factor);
  for (std::size_t c = 0; c < parts.bias.size(); ++c)
    parts.bias[c] = parts.bias[c] * affine.factor[c] + affine.summand[c];
  rewriter.map(op.result, emit(rewriter, parts, rewriter[parts.op->operands[0]]));
}

bool feedsLinearOpsOnly(const Graph &graph, const Op &op) {
  for (auto user : graph.users[op.result]) {
    const Op &linear = graph.module.ops[user];
    if (!hasConstantWeights(graph, linear) || linear.operands[0] != op.result ||
        inputAxis(linear, graph.module.type(op.result).shape) != 1)
      return false;
  }
  return !graph.users[op.result].empty();
}

// g x + h as nn.mul and nn.add by constants [1,C,1,...], which fuse-bias then folds forward.
void appendAffine(const Graph &graph, Rewriter &rewriter, const Op &op, const ChannelAffine &affine) {
  Shape shape(graph.module.type(op.result).shape.size(), 1);
  shape[1] = static_cast<std::int64_t>(affine.factor.size());
  auto constant = [&](const std::vector<double> &values) {
    return rewriter.builder.constant({shape, std::vector<float>(values.begin(), values.end())}, op.source);
  };
  const ValueId factor = constant(affine.factor), summand = constant(affine.summand);
  const ValueId product = rewriter.builder.create(OpKind::Mul, {rewriter[op.operands[0]], factor}, {}, op.source);
  rewriter.replace(op, OpKind::Add, {product, summand});
}

} // namespace

Expected<Module> foldBatchNorm(const Module &module, PassContext &) {
  Module current = module;
  for (bool changed = true; changed;) { // a chain of them folds one by one
    changed = false;
    const Graph graph(current);
    Rewriter rewriter(current);
    for (auto &op : current.ops) {
      const auto affine = op.kind == OpKind::BatchNorm ? channelAffine(graph, op) : std::nullopt;
      if (affine && foldsBackward(graph, op)) {
        appendBackward(graph, rewriter, op, *affine);
        changed = true;
      } else if (affine && feedsLinearOpsOnly(graph, op)) {
        appendAffine(graph, rewriter, op, *affine);
        changed = true;
      } else {
        rewriter.clone(op);
      }
    }
    if (changed) current = rewriter.finish();
  }
  return current;
}

} // namespace sd
