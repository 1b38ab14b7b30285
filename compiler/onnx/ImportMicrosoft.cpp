// Ops of com.microsoft that ONNX Runtime's optimiser puts in the place of ONNX's own, as what they mean.
#include <algorithm>
#include <cmath>
#include <limits>

#include "compiler/onnx/Handlers.h"
#include "compiler/onnx/LinearMap.h"
#include "compiler/onnx/Smooth.h"

namespace sd {
namespace {

Expected<Value> activated(Node &node, Emitter &emitter, const Value &x, bool prefixed) {
  SD_ASSIGN(const std::string name, node.text("activation", ""));
  const auto parameter = [&](std::size_t i, std::string_view named, double otherwise) -> Expected<double> {
    if (prefixed) return node.real(fmt::format("activation_{}", named), otherwise);
    SD_ASSIGN(const std::vector<double> given, node.reals("activation_params"));
    return i < given.size() ? given[i] : otherwise;
  };
  if (name.empty()) return x;
  if (name == "Relu") return emitter.relu(x);
  if (name == "Tanh") return emitter.compute(OpKind::Tanh, {x});
  if (name == "Sigmoid") return emitter.openAnd(OpKind::Sigmoid, x, {});
  if (name == "LeakyRelu") {
    SD_ASSIGN(const double alpha, parameter(0, "alpha", 0.01));
    return leakyRelu(emitter, x, alpha);
  }
  if (name == "HardSigmoid") {
    SD_ASSIGN(const double alpha, parameter(0, "alpha", 0.2));
    SD_ASSIGN(const double beta, parameter(1, "beta", 0.5));
    return hardSigmoid(emitter, x, alpha, beta);
  }
  if (name == "Clip") {
    SD_ASSIGN(const double low, parameter(0, "min", -std::numeric_limits<float>::max()));
    SD_ASSIGN(const double high, parameter(1, "max", std::numeric_limits<float>::max()));
    return clip(emitter, x, low, high);
  }
  return fail("has the activation '{}', which is not supported", printable(name));
}

} // namespace

Expected<void> importFusedConv(Node &node, Emitter &emitter) {
  SD_TRY(node.expectConstant(1, "weight"));
  if (node.has(2)) SD_TRY(node.expectConstant(2, "bias"));
  SD_ASSIGN(Value result, convolution(node, emitter, node.input(0), node.input(1), node.input(2)));
  if (node.has(3)) {
    SD_ASSIGN(result, emitter.arithmetic(OpKind::Add, result, node.input(3)));
  }
  SD_ASSIGN(result, activated(node, emitter, result, false));
  node.setOutput(0, std::move(result));
  return {};
}

Expected<void> importFusedGemm(Node &node, Emitter &emitter) {
  SD_TRY(importGemm(node, emitter));
  SD_ASSIGN(Value result, activated(node, emitter, node.outputs()[0], true));
  node.setOutput(0, std::move(result));
  return {};
}

Expected<void> importFusedMatMul(Node &node, Emitter &emitter) {
  SD_ASSIGN(const double alpha, node.real("alpha", 1.0));
  Value a = node.input(0), b = node.input(1);
  for (const auto &[name, x] : {std::pair("transA", &a), std::pair("transB", &b)}) {
    SD_ASSIGN(const bool turned, node.integer(name, 0));
    SD_ASSIGN(const bool batchTurned, node.integer(fmt::format("transBatch{}", name[5]), 0));
    if (batchTurned) return fail("turns batches, which is not supported; give the model from before the optimisation");
    if (!turned || x->rank() < 2) continue;
    std::vector<std::int64_t> perm(static_cast<std::size_t>(x->rank()));
    for (std::size_t i = 0; i < perm.size(); ++i)
      perm[i] = static_cast<std::int64_t>(i);
    std::swap(perm[perm.size() - 1], perm[perm.size() - 2]);
    SD_ASSIGN(*x, emitter.transpose(*x, std::move(perm)));
  }
  SD_ASSIGN(Value result, product(emitter, a, b));
  SD_ASSIGN(result, emitter.arithmetic(OpKind::Mul, result, Value::scalar(static_cast<float>(alpha))));
  node.setOutput(0, std::move(result));
  return {};
}

// Gelu; with a bias that is added before: BiasGelu, and FastGelu by its formula with tanh.
Expected<void> importFusedGelu(Node &node, Emitter &emitter) {
  Value x = node.input(0);
  if (node.has(1)) {
    SD_ASSIGN(x, emitter.arithmetic(OpKind::Add, x, node.input(1)));
  }
  SD_ASSIGN(Value result, gelu(emitter, x, node.op() != "FastGelu"));
  node.setOutput(0, std::move(result));
  return {};
}

Expected<void> importQuickGelu(Node &node, Emitter &emitter) { // x sigmoid(alpha x)
  SD_ASSIGN(const double alpha, node.real("alpha", 1.702));
  SD_ASSIGN(Value result, swish(emitter, node.input(0), alpha));
  node.setOutput(0, std::move(result));
  return {};
}

} // namespace sd
