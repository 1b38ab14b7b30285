// Losses against constant targets: what a network is trained with, where it was exported along.
#include <algorithm>
#include <numeric>

#include "compiler/onnx/Handlers.h"
#include "compiler/onnx/LinearMap.h"

namespace sd {
namespace {

// Of each target: the element of x [N,C,d1,...] that it names, and its weight; kZero and 0 for targets that are
// ignored.
struct Picked {
  std::vector<std::int64_t> elements;
  std::vector<float> weights;
};

Expected<Picked> pickedBy(Node &node) {
  const Shape &x = node.input(0).shape();
  const Value &targets = node.input(1);
  const std::int64_t classes = x[1], inner = elementCount(Shape(x.begin() + 2, x.end()));
  Shape expected = x;
  expected.erase(expected.begin() + 1);
  if (!targets.isInteger() || targets.shape() != expected)
    return fail("its targets must be integers of shape {}, not {}", toString(expected), describe(targets));
  std::optional<std::int64_t> ignored;
  if (node.hasAttr("ignore_index")) {
    SD_ASSIGN(ignored, node.integer("ignore_index", 0));
  }
  const Tensor<float> *weights = nullptr;
  if (node.has(2)) {
    SD_TRY(node.expectConstant(2, "weight"));
    if (node.input(2).isInteger() || node.input(2).shape() != Shape{classes})
      return fail("its weights are {} for {} classes", describe(node.input(2)), classes);
    weights = node.input(2).floats().get();
  }
  Picked picked;
  for (std::int64_t i = 0; i < targets.size(); ++i) {
    const std::int64_t target = targets.ints()->data[static_cast<std::size_t>(i)];
    if (target == ignored) {
      picked.elements.push_back(kZero);
      picked.weights.push_back(0);
      continue;
    }
    if (target < 0 || target >= classes) return fail("target {} is class {} of {}", i, target, classes);
    picked.elements.push_back((i / inner * classes + target) * inner + i % inner);
    picked.weights.push_back(weights ? weights->data[static_cast<std::size_t>(target)] : 1.0f);
  }
  return picked;
}

} // namespace

// -weight of each target's class times its element; as it is, or the sum, or the sum over that of the weights.
Expected<void> importNegativeLogLikelihoodLoss(Node &node, Emitter &emitter) {
  const Value &x = node.input(0);
  if (x.rank() < 2) return fail("needs an input [N,C,...], not {}", toString(x.shape()));
  SD_TRY(node.expectConstant(1, "target"));
  SD_ASSIGN(const std::string reduction, node.text("reduction", "mean"));
  if (reduction != "none" && reduction != "sum" && reduction != "mean")
    return fail("has the reduction '{}'", printable(reduction));
  if (x.size() > kMaxSelected) return fail("is too large");
  SD_ASSIGN(Picked picked, pickedBy(node));
  const Shape shape = node.input(1).shape();
  const auto count = static_cast<std::int64_t>(picked.elements.size());
  const double divisor = reduction == "mean" ? std::accumulate(picked.weights.begin(), picked.weights.end(), 0.0) : 1.0;
  if (divisor == 0) return fail("is a mean whose weights add up to 0");
  for (float &weight : picked.weights)
    weight = static_cast<float>(-static_cast<double>(weight) / divisor);
  SD_ASSIGN(const Value chosen, gatherElements(emitter, x, std::move(picked.elements), {1, count}));
  // One weight for all is a public number, which the hospital may apply to what it computes itself.
  const bool alike = std::ranges::adjacent_find(picked.weights, std::ranges::not_equal_to()) == picked.weights.end();
  const bool reduces = reduction != "none", clear = x.isOpened() && alike;
  Value result;
  if (reduces && !clear) {
    const Value factors = Value::of(Tensor<float>({count, 1}, std::move(picked.weights)));
    SD_ASSIGN(result, emitter.compute(OpKind::MatMul, {chosen, factors}));
  } else {
    const Value factors =
        alike ? Value::scalar(picked.weights.front()) : Value::of(Tensor<float>({1, count}, std::move(picked.weights)));
    SD_ASSIGN(result, emitter.arithmetic(OpKind::Mul, chosen, factors));
  }
  if (reduces && clear) {
    SD_ASSIGN(result, emitter.openAnd(OpKind::ReduceSum, result, {{Attr::Axis, std::int64_t{1}}}));
  }
  SD_ASSIGN(result, emitter.reshape(result, reduces ? Shape{} : shape));
  node.setOutput(0, std::move(result));
  return {};
}

} // namespace sd
