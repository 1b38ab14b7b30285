// Batch normalisation is g x + h along axis 1. It goes into the conv or matmul before it, whose only user it is; else
// into all that follow it, if those are linear; else it stays, and becomes a share.scale.
#include <cmath>

#include "passes/FoldBackward.h"
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

std::optional<OutputAffine> outputAffineOf(const Graph &graph, const Op &op, const LinearBehind &behind) {
  if (op.kind != OpKind::BatchNorm) return std::nullopt;
  const ValueId x = op.operands[0];
  const Op *linear = behind(x);
  if (!linear || outputAxis(*linear, graph.module.type(x).shape) != 1) return std::nullopt;
  auto affine = channelAffine(graph, op);
  if (!affine) return std::nullopt;
  return OutputAffine{x, std::move(affine->factor), std::move(affine->summand)};
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
  const Graph graph(module);
  const auto read = [&](const Op &op, const LinearBehind &behind) { return outputAffineOf(graph, op, behind); };
  return foldBackward(graph, read, [&](Rewriter &rewriter, const Op &op) {
    const bool isAffine = op.kind == OpKind::BatchNorm && feedsLinearOpsOnly(graph, op);
    const auto affine = isAffine ? channelAffine(graph, op) : std::nullopt;
    if (affine)
      appendAffine(graph, rewriter, op, *affine);
    else
      rewriter.clone(op);
  });
}

} // namespace sd
