// Support vector machines: a kernel for each support vector, and a linear layer of them. Votes and scores are
// onnxruntime's.
#include <algorithm>
#include <array>
#include <cmath>

#include "compiler/onnx/Handlers.h"
#include "compiler/onnx/Ml.h"

namespace sd {
namespace {

struct Machine {
  std::string kernel;
  double gamma = 0, offset = 0, degree = 0;
  std::int64_t vectors = 0, features = 0;
  std::vector<double> support, coefficients, rho;
};

Expected<Machine> readMachine(Node &node, const Value &x) {
  Machine machine;
  SD_ASSIGN(machine.kernel, node.text("kernel_type", "LINEAR"));
  SD_ASSIGN(const auto parameters, node.reals("kernel_params"));
  SD_ASSIGN(machine.support, node.reals("support_vectors"));
  SD_ASSIGN(machine.coefficients, node.reals("coefficients"));
  SD_ASSIGN(machine.rho, node.reals("rho"));
  if (!parameters.empty() && parameters.size() != 3)
    return fail("has {} kernel_params, not gamma, coef0 and degree", parameters.size());
  if (!parameters.empty()) {
    machine.gamma = parameters[0];
    machine.offset = parameters[1];
    machine.degree = parameters[2];
  }
  machine.features = x.shape()[1];
  return machine;
}

// [features, columns] of rows.
Expected<Value> columnsOf(Emitter &emitter, const std::vector<double> &rows, std::int64_t features) {
  SD_ASSIGN(const Value matrix, emitter.reshape(listOf(rows), {std::ssize(rows) / features, features}));
  return emitter.transpose(matrix, {1, 0});
}

// factor x v + summand for each support vector v.
Expected<Value> products(Emitter &emitter, const Machine &machine, const Value &x, double factor, double summand) {
  std::vector<double> rows = machine.support;
  for (auto &v : rows)
    v *= factor;
  SD_ASSIGN(const Value w, columnsOf(emitter, rows, machine.features));
  return emitter.compute(OpKind::MatMul,
                         {x, w, listOf(std::vector<double>(static_cast<std::size_t>(machine.vectors), summand))});
}

// exp(-gamma |x - v|^2) as Elu(2 gamma x v - gamma |v|^2 - gamma |x|^2) + 1: the exponent is never above 0.
Expected<Value> radial(Emitter &emitter, const Machine &machine, const Value &x) {
  if (!(machine.gamma > 0)) return fail("has a kernel of gamma {}, which must be above 0", machine.gamma);
  SD_ASSIGN(const Value squares, emitter.compute(OpKind::VecDot, {x, x}));
  SD_ASSIGN(const Value column, emitter.reshape(squares, {x.shape()[0], 1}));
  SD_ASSIGN(const Value joined, emitter.concat({x, column}, 1));
  std::vector<double> rows, summands;
  for (std::int64_t v = 0; v < machine.vectors; ++v) {
    double square = 0;
    for (std::int64_t k = 0; k < machine.features; ++k) {
      const double entry = machine.support[static_cast<std::size_t>(v * machine.features + k)];
      square += entry * entry;
      rows.push_back(2 * machine.gamma * entry);
    }
    rows.push_back(-machine.gamma);
    summands.push_back(-machine.gamma * square);
  }
  SD_ASSIGN(const Value w, columnsOf(emitter, rows, machine.features + 1));
  SD_ASSIGN(const Value exponent, emitter.compute(OpKind::MatMul, {joined, w, listOf(summands)}));
  SD_ASSIGN(const Value below, emitter.compute(OpKind::Elu, {exponent}));
  return emitter.arithmetic(OpKind::Add, below, Value::scalar(1));
}

// [N, vectors]
Expected<Value> kernels(Emitter &emitter, const Machine &machine, const Value &x) {
  if (std::ssize(machine.support) != machine.vectors * machine.features)
    return fail("has {} numbers for {} support vectors of {} features", machine.support.size(), machine.vectors,
                machine.features);
  if (machine.kernel == "LINEAR") return products(emitter, machine, x, 1, 0);
  if (machine.kernel == "RBF") return radial(emitter, machine, x);
  if (machine.kernel != "POLY" && machine.kernel != "SIGMOID")
    return fail("its kernel_type is {}", printable(machine.kernel));
  SD_ASSIGN(const Value base, products(emitter, machine, x, machine.gamma, machine.offset));
  if (machine.kernel == "SIGMOID") return emitter.compute(OpKind::Tanh, {base});
  constexpr double kMostDegree = 4;
  if (machine.degree < 1 || machine.degree > kMostDegree || machine.degree != std::floor(machine.degree))
    return fail("has a polynomial kernel of degree {}; 1 to {} are supported", machine.degree, kMostDegree);
  if (machine.degree == 1) return base;
  SD_ASSIGN(const Value square, emitter.arithmetic(OpKind::Mul, base, base));
  if (machine.degree == 2) return square;
  return emitter.arithmetic(OpKind::Mul, square, machine.degree == 3 ? base : square);
}

// factor s + summand in two columns, of the sum s that decides between two classes.
Expected<Value> twoColumns(Emitter &emitter, const Machine &machine, const Value &values, std::array<double, 2> factors,
                           std::array<double, 2> summands) {
  std::vector<double> weights, bias;
  for (const double coefficient : machine.coefficients)
    for (const double factor : factors)
      weights.push_back(factor * coefficient);
  for (const std::size_t k : {0, 1})
    bias.push_back(factors[k] * machine.rho[0] + summands[k]);
  SD_ASSIGN(const Value matrix, emitter.reshape(listOf(weights), {machine.vectors, 2}));
  return emitter.compute(OpKind::MatMul, {values, matrix, listOf(bias)});
}

// Of two classes the sum s is above 0 for the first; the scores are (-s, s) all the same.
Expected<void> finishTwo(Node &node, Emitter &emitter, const Machine &machine, const Value &values,
                         const Value &labels) {
  SD_ASSIGN(const std::string transform, postTransform(node));
  SD_ASSIGN(const auto a, node.reals("prob_a"));
  SD_ASSIGN(const auto b, node.reals("prob_b"));
  if (a.size() != b.size() || a.size() > 1)
    return fail("has {} prob_a and {} prob_b for two classes", a.size(), b.size());
  if (!a.empty() && transform != "NONE") return fail("has probabilities and the post_transform {}", transform);
  SD_ASSIGN(const Value both, twoColumns(emitter, machine, values, {-1, 1}, {0, 0}));
  if (node.isUsed(0)) {
    SD_ASSIGN(const Value turned, emitter.gather(both, 1, {1, 0}));
    SD_ASSIGN(const Value best, emitter.openAnd(OpKind::ArgMax, turned,
                                                {{Attr::Axis, std::int64_t{1}},
                                                 {Attr::KeepDims, std::int64_t{0}},
                                                 {Attr::SelectLast, std::int64_t{1}}}));
    SD_ASSIGN(Value label, labelsAt(node, emitter, best, labels));
    node.setOutput(0, std::move(label));
  }
  if (!node.isUsed(1)) return {};
  Value scores = both;
  if (!a.empty()) { // the first class's 1 - logistic(a s + b)
    SD_ASSIGN(const Value scaled, twoColumns(emitter, machine, values, {-a[0], a[0]}, {-b[0], b[0]}));
    SD_ASSIGN(scores, emitter.openAnd(OpKind::Sigmoid, scaled, {}));
    node.remark("gives the probabilities of two classes as their sigmoid says; onnxruntime ends a search for the same "
                "numbers a little away from them");
  } else if (transform != "NONE") { // of a single sum runtimes take no logistic and no softmax
    SD_ASSIGN(scores, twoColumns(emitter, machine, values, {-1, 1}, {1, 0}));
  }
  nameClasses(emitter, scores, labels);
  node.setOutput(1, std::move(scores));
  return {};
}

// A vote of each pair of classes, for the first where its sum is above 0.
Expected<Value> votesOf(Emitter &emitter, const Value &sums, std::int64_t classes) {
  const std::int64_t pairs = sums.shape()[1];
  SD_ASSIGN(const Value lost,
            emitter.compute(OpKind::AtMost, {sums, listOf(std::vector<double>(static_cast<std::size_t>(pairs)))}));
  Tensor<float> weights({pairs, classes}, 0), summands({classes}, 0);
  std::int64_t pair = 0;
  for (std::int64_t i = 0; i < classes; ++i)
    for (std::int64_t j = i + 1; j < classes; ++j, ++pair) {
      weights.data[static_cast<std::size_t>(pair * classes + i)] = -1;
      weights.data[static_cast<std::size_t>(pair * classes + j)] = 1;
      ++summands.data[static_cast<std::size_t>(i)];
    }
  return emitter.compute(OpKind::MatMul, {lost, Value::of(std::move(weights)), Value::of(std::move(summands))});
}

// For each pair of classes the weights of all support vectors: each class has coefficients against each other one.
Expected<Value> pairWeights(Emitter &emitter, const Machine &machine, const std::vector<std::int64_t> &counts) {
  const auto classes = std::ssize(counts), pairs = classes * (classes - 1) / 2;
  std::vector<std::int64_t> first(counts.size() + 1, 0);
  for (std::size_t c = 0; c < counts.size(); ++c)
    first[c + 1] = first[c] + counts[c];
  SD_TRY(emitter.takeBudget({machine.vectors, pairs}));
  Tensor<float> weights({machine.vectors, pairs}, 0);
  std::int64_t pair = 0;
  for (std::int64_t i = 0; i < classes; ++i)
    for (std::int64_t j = i + 1; j < classes; ++j, ++pair)
      for (const auto &[own, row] : {std::pair{i, j - 1}, {j, i}})
        for (std::int64_t v = first[static_cast<std::size_t>(own)]; v < first[static_cast<std::size_t>(own) + 1]; ++v)
          weights.data[static_cast<std::size_t>(v * pairs + pair)] =
              static_cast<float>(machine.coefficients[static_cast<std::size_t>(row * machine.vectors + v)]);
  return Value::of(std::move(weights));
}

} // namespace

Expected<void> importSvmRegressor(Node &node, Emitter &emitter) {
  SD_ASSIGN(const Value x, recordsOf(emitter, node.input(0)));
  SD_ASSIGN(Machine machine, readMachine(node, x));
  SD_ASSIGN(machine.vectors, node.integer("n_supports", 0));
  SD_ASSIGN(const bool oneClass, node.integer("one_class", 0));
  SD_ASSIGN(const std::string transform, node.text("post_transform", "NONE"));
  if (transform != "NONE")
    node.remark(fmt::format("leaves out the post_transform {}, as onnxruntime does", printable(transform)));
  if (machine.vectors < 0 || machine.rho.size() != 1) return fail("has {} numbers in rho, not 1", machine.rho.size());
  Value values = x;
  if (machine.vectors > 0) {
    SD_ASSIGN(values, kernels(emitter, machine, x));
  }
  if (std::ssize(machine.coefficients) != values.shape()[1])
    return fail("has {} coefficients where {} are needed", machine.coefficients.size(), values.shape()[1]);
  SD_ASSIGN(const Value weights, emitter.reshape(listOf(machine.coefficients), {values.shape()[1], 1}));
  SD_ASSIGN(Value result, emitter.compute(OpKind::MatMul, {values, weights, listOf(machine.rho)}));
  if (oneClass) { // 1 above 0, else -1
    SD_ASSIGN(const Value outside, emitter.compute(OpKind::AtMost, {result, Value::scalar(0)}));
    SD_ASSIGN(result, emitter.compute(OpKind::MatMul, {outside, Value::of(Tensor<float>({1, 1}, {-2})), listOf({1})}));
  }
  node.setOutput(0, std::move(result));
  return {};
}

Expected<void> importSvmClassifier(Node &node, Emitter &emitter) {
  SD_ASSIGN(const Value x, recordsOf(emitter, node.input(0)));
  SD_ASSIGN(const Value labels, classLabels(node, "classlabels_ints", "classlabels_strings"));
  SD_ASSIGN(Machine machine, readMachine(node, x));
  SD_ASSIGN(const auto counts, node.integers("vectors_per_class"));
  const std::int64_t classes = labels.size(), pairs = classes * (classes - 1) / 2;
  if (counts.empty()) return fail("has no support vectors; export the linear model as a LinearClassifier");
  if (std::ssize(counts) != classes || classes < 2 || std::ranges::any_of(counts, [](auto n) { return n < 0; }))
    return fail("has vectors_per_class for {} of {} classes; two classes are the least", counts.size(), classes);
  for (const std::int64_t count : counts) {
    if (count > kMaxSelected) return fail("has {} support vectors", count);
    machine.vectors += count;
  }
  if (std::ssize(machine.coefficients) != (classes - 1) * machine.vectors || std::ssize(machine.rho) != pairs)
    return fail("has {} coefficients and {} numbers in rho, where {} and {} are needed", machine.coefficients.size(),
                machine.rho.size(), (classes - 1) * machine.vectors, pairs);
  SD_ASSIGN(const Value values, kernels(emitter, machine, x));
  if (classes == 2) return finishTwo(node, emitter, machine, values, labels);

  SD_ASSIGN(const std::string transform, postTransform(node));
  const bool hasProbabilities = node.hasAttr("prob_a");
  node.ignore("prob_a");
  node.ignore("prob_b");
  if (hasProbabilities && node.isUsed(1))
    return fail("gives probabilities of {} classes, which take a search that is not supported; train with "
                "probability=False, or keep the label alone",
                classes);
  SD_ASSIGN(const Value weights, pairWeights(emitter, machine, counts));
  SD_ASSIGN(const Value sums, emitter.compute(OpKind::MatMul, {values, weights, listOf(machine.rho)}));
  if (node.isUsed(0)) {
    SD_ASSIGN(const Value votes, votesOf(emitter, sums, classes));
    SD_ASSIGN(const Value best, bestOf(emitter, votes));
    SD_ASSIGN(Value label, labelsAt(node, emitter, best, labels));
    node.setOutput(0, std::move(label));
  }
  if (node.isUsed(1)) {
    SD_ASSIGN(Value result, transformed(emitter, sums, transform));
    node.setOutput(1, std::move(result));
  }
  return {};
}

} // namespace sd
