// Losses of a classification whose targets are constants: each takes one score of those along axis 1.
#include <algorithm>
#include <cmath>

#include "compiler/onnx/Handlers.h"
#include "compiler/onnx/LinearMap.h"
#include "compiler/onnx/Pool.h"

namespace sd {
namespace {

// Which scores count, and how much.
struct Targets {
  Shape shape;                       // of the targets: that of the scores without axis 1
  std::vector<std::int64_t> indices; // into the scores, or kZero where the target is ignored
  std::vector<float> weights;        // 1 if there are none; 0 where ignored
  bool isWeighted = false;
};

Expected<Targets> readTargets(Node &node) {
  const Value &scores = node.input(0), &target = node.input(1), &weight = node.input(2);
  SD_TRY(node.expectConstant(1, "target"));
  if (node.has(2)) SD_TRY(node.expectConstant(2, "weight"));
  const bool ignores = node.hasAttr("ignore_index");
  SD_ASSIGN(const std::int64_t ignored, node.integer("ignore_index", 0));
  Targets targets{target.shape(), {}, {}, node.has(2)};
  Shape expected = scores.shape();
  if (expected.size() >= 2) expected.erase(expected.begin() + 1);
  if (scores.rank() < 2 || !target.isInteger() || target.shape() != expected)
    return fail("is given scores of shape {} and targets of {}", toString(scores.shape()), describe(target));
  const std::int64_t classes = scores.shape()[1], inner = stridesOf(scores.shape())[1];
  if (node.has(2) && (weight.isInteger() || weight.shape() != Shape{classes}))
    return fail("is given weights of {} for {} classes", describe(weight), classes);
  if (target.size() > kMaxSelected || target.size() == 0) return fail("has {} targets", target.size());
  for (std::int64_t i = 0; i < target.size(); ++i) {
    const std::int64_t own = target.ints()->data[static_cast<std::size_t>(i)];
    const bool counts = !ignores || own != ignored;
    if (counts && (own < 0 || own >= classes)) return fail("has the target {} of {} classes", own, classes);
    targets.indices.push_back(counts ? (i / inner * classes + own) * inner + i % inner : kZero);
    targets.weights.push_back(!counts ? 0 : node.has(2) ? weight.floats()->data[static_cast<std::size_t>(own)] : 1);
  }
  return targets;
}

// -weight * score of each target.
Expected<Value> lossOfEach(Emitter &emitter, const Value &scores, const Targets &targets) {
  SD_ASSIGN(const Value picked, gatherElements(emitter, scores, targets.indices, targets.shape));
  if (!targets.isWeighted) return emitter.arithmetic(OpKind::Mul, picked, Value::scalar(-1));
  Tensor<float> factors(targets.shape, targets.weights);
  for (float &factor : factors.data)
    factor = -factor;
  return emitter.arithmetic(OpKind::Mul, picked, Value::of(std::move(factors)));
}

// Those that are ignored add nothing; where all are, there is nothing to sum.
Expected<Targets> withoutIgnored(Targets all) {
  Targets kept{{}, {}, {}, all.isWeighted};
  for (std::size_t i = 0; i < all.indices.size(); ++i) {
    if (all.indices[i] == kZero) continue;
    kept.indices.push_back(all.indices[i]);
    kept.weights.push_back(all.weights[i]);
  }
  kept.shape = {static_cast<std::int64_t>(kept.indices.size())};
  if (kept.indices.empty()) return fail("ignores all of its targets");
  return kept;
}

Expected<Value> lossOf(Node &node, Emitter &emitter, const Value &scores) {
  SD_ASSIGN(const std::string reduction, node.text("reduction", "mean"));
  if (reduction != "none" && reduction != "sum" && reduction != "mean")
    return fail("has the reduction '{}'; use none, sum or mean", printable(reduction));
  SD_ASSIGN(Targets targets, readTargets(node));
  if (reduction == "none") return lossOfEach(emitter, scores, targets);
  SD_ASSIGN(targets, withoutIgnored(std::move(targets)));
  const auto count = static_cast<std::int64_t>(targets.indices.size());
  double total = 0;
  for (const float weight : targets.weights)
    total += static_cast<double>(weight);
  if (reduction == "mean" && !(std::abs(total) > 0)) return fail("divides by weights whose sum is {}", total);
  SD_ASSIGN(const Value each, lossOfEach(emitter, scores, targets));
  SD_ASSIGN(const Value row, emitter.reshape(each, {1, 1, count}));
  SD_ASSIGN(Value result, pooledRows(emitter, OpKind::AvgPool, row, reduction == "sum"));
  if (reduction == "mean" && targets.isWeighted) { // of the mean over the count that over the weights
    SD_ASSIGN(result, emitter.arithmetic(OpKind::Mul, result,
                                         Value::scalar(static_cast<float>(static_cast<double>(count) / total))));
  }
  return emitter.reshape(result, {});
}

} // namespace

Expected<void> importNegativeLogLikelihoodLoss(Node &node, Emitter &emitter) {
  SD_ASSIGN(Value result, lossOf(node, emitter, node.input(0)));
  node.setOutput(0, std::move(result));
  return {};
}

// Of the logarithms of a softmax, which the hospital computes.
Expected<void> importSoftmaxCrossEntropyLoss(Node &node, Emitter &emitter) {
  const Value &x = node.input(0);
  if (x.rank() < 2) return fail("is given scores of shape {}", toString(x.shape()));
  SD_ASSIGN(const Value logarithms, emitter.openAnd(OpKind::LogSoftmax, x, {{Attr::Axis, std::int64_t{1}}}));
  SD_ASSIGN(Value result, lossOf(node, emitter, logarithms));
  node.setOutput(0, std::move(result));
  node.setOutput(1, logarithms);
  return {};
}

} // namespace sd
