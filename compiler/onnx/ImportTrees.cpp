// Tree ensembles. What runtimes do where ONNX's text is silent follows onnxruntime; where it contradicts itself the
// model is refused.
#include <algorithm>

#include "compiler/onnx/Forest.h"
#include "compiler/onnx/Handlers.h"
#include "compiler/onnx/Ml.h"

namespace sd {
namespace {

// Which outputs every record gets a number for, which none does.
enum class Scored : std::uint8_t { Always, Never, Sometimes };
Scored scoredOf(const TreeEnsemble &trees, std::int64_t output) {
  bool any = false;
  for (const std::size_t root : trees.roots) {
    bool all = true;
    for (const std::size_t leaf : trees.leaves(root)) {
      const bool has = std::ranges::any_of(trees.nodes[leaf].weights, [&](auto &w) { return w.output == output; });
      any |= has;
      all &= has;
    }
    if (all) return Scored::Always;
  }
  return any ? Scored::Sometimes : Scored::Never;
}

bool everyWeight(const TreeEnsemble &trees, auto holds) {
  return std::ranges::all_of(trees.nodes, [&](const TreeNode &node) {
    return std::ranges::all_of(node.weights, [&](auto &w) { return holds(w.value); });
  });
}

// What the hospital is shown, and what the class is the largest of, the first of equal ones.
struct Scores {
  std::vector<ForestColumn> shown, compared;
  std::vector<std::int64_t> classes; // of `compared`; all in order if empty
  std::string transform;
};

// One number s for two classes: the second where s > 0, or > 0.5 where no leaf adds less than 0.
Scores ofOneNumber(std::int64_t output, double base, bool positive, std::string transform) {
  Scores scores;
  scores.shown = {{output, -1, -base, positive ? 1.0 : 0.0}, {output, 1, base}};
  if (transform == "LOGISTIC" && !positive) scores.transform = "LOGISTIC";
  return scores;
}

Expected<Scores> scoresOfTwo(Node &node, const TreeEnsemble &trees, std::string transform) {
  const Scored first = scoredOf(trees, 0), second = scoredOf(trees, 1);
  if (first == Scored::Never && second == Scored::Never) return fail("its leaves give no weights");
  const bool positive = everyWeight(trees, [](double w) { return w >= 0; });
  const auto &base = trees.base;
  if (base.size() > 2) return fail("has {} base_values for two classes", base.size());
  if (first == Scored::Sometimes || second == Scored::Sometimes)
    return fail(
        "has trees some of whose leaves name no weight for a class, for which runtimes differ with two classes; "
        "give each leaf a weight for both classes, or for the first alone");
  if (second == Scored::Never && base.size() < 2)
    return ofOneNumber(0, base.empty() ? 0 : base[0], positive, std::move(transform));
  if (base.size() == 2)
    return fail("has two base_values for two classes, for which runtimes differ; add them to the leaves of one tree");
  Scores scores;
  scores.transform = std::move(transform);
  const double limit = first == Scored::Never && positive ? 0.5 : 0;
  scores.shown = {{first == Scored::Never ? -1 : 0, 1, first == Scored::Never || base.empty() ? 0 : base[0]}, {1}};
  scores.compared = {{-1, 1, limit}, {1}};
  if (first != Scored::Never)
    node.remark(fmt::format("gives the second class where its score is above 0, whatever the first one's is: so "
                            "onnxruntime does for two classes with weights of both"));
  return scores;
}

Expected<Scores> scoresOfMany(const TreeEnsemble &trees, std::int64_t classes, std::string transform) {
  Scores scores;
  scores.transform = std::move(transform);
  const auto bases = std::ssize(trees.base);
  if (bases > classes) return fail("has {} base_values for {} classes", bases, classes);
  for (std::int64_t c = 0; c < classes; ++c) {
    const Scored scored = c < bases ? Scored::Always : scoredOf(trees, c);
    if (scored == Scored::Sometimes && !everyWeight(trees, [](double w) { return w > 0; }))
      return fail("has leaves that give class {} no weight, and others that give weights below 0; a record may then "
                  "have no score for a class, for which runtimes differ: give each leaf a weight for each class",
                  c);
    scores.shown.push_back(
        {scored == Scored::Never ? -1 : c, 1, c < bases ? trees.base[static_cast<std::size_t>(c)] : 0});
    if (scored == Scored::Never) continue;
    scores.compared.push_back(scores.shown.back());
    scores.classes.push_back(c);
  }
  if (scores.compared.empty()) return fail("its leaves give no weights");
  if (std::ssize(scores.classes) == classes) {
    scores.compared.clear();
    scores.classes.clear();
  }
  return scores;
}

Value chosenLabels(const Value &labels, const std::vector<std::int64_t> &classes) {
  if (classes.empty()) return labels;
  const auto pick = [&](const auto &tensor) {
    auto chosen = tensor;
    chosen.shape = {std::ssize(classes)};
    chosen.data.clear();
    for (const std::int64_t c : classes)
      chosen.data.push_back(tensor.data[static_cast<std::size_t>(c)]);
    return chosen;
  };
  if (labels.isStrings()) return Value::of(std::make_shared<const Tensor<std::string>>(pick(*labels.strings())));
  return Value::of(pick(*labels.ints()));
}

// What is added to each output. onnxruntime adds no base_values of another number than the targets; and, where there
// are several, none to a target that no leaf of a record's has scored.
Expected<std::vector<double>> basesOf(Node &node, const TreeEnsemble &trees) {
  std::vector<double> bases(static_cast<std::size_t>(trees.outputs));
  if (std::ssize(trees.base) != trees.outputs) {
    if (!trees.base.empty())
      node.remark(
          fmt::format("ignores {} base_values for {} targets, as onnxruntime does", trees.base.size(), trees.outputs));
    return bases;
  }
  for (std::int64_t i = 0; i < trees.outputs; ++i) {
    const double base = trees.base[static_cast<std::size_t>(i)];
    const Scored scored = trees.outputs == 1 || base == 0 ? Scored::Always : scoredOf(trees, i);
    if (scored == Scored::Sometimes)
      return fail("has leaves that give target {} no weight, so that a record may have no score for it; onnxruntime "
                  "then leaves out its base_value, and ONNX's text does not: give each leaf a weight for each target",
                  i);
    if (scored == Scored::Never)
      node.remark(
          fmt::format("leaves out the base_value of target {}, as onnxruntime does where no leaf scores it", i));
    else
      bases[static_cast<std::size_t>(i)] = base;
  }
  return bases;
}

// Sums, means or extremes of each output, with base_values.
Expected<Value> aggregated(Node &node, Emitter &emitter, const TreeEnsemble &trees) {
  SD_ASSIGN(const std::vector<double> bases, basesOf(node, trees));
  SD_ASSIGN(const Value x, recordsOf(emitter, node.input(0)));
  SD_ASSIGN(Forest forest, Forest::make(emitter, trees, x));
  if (trees.aggregate == TreeEnsemble::Aggregate::Sum || trees.aggregate == TreeEnsemble::Aggregate::Average) {
    std::vector<ForestColumn> columns;
    for (std::int64_t i = 0; i < trees.outputs; ++i)
      columns.push_back({i, 1, bases[static_cast<std::size_t>(i)]});
    return forest.columns(columns);
  }
  for (const std::size_t root : trees.roots)
    for (const std::size_t leaf : trees.leaves(root))
      if (std::ssize(trees.nodes[leaf].weights) != trees.outputs)
        return fail("takes the least or largest of all trees, but some leaves give no number for a target; give each "
                    "leaf a weight for every target");
  SD_ASSIGN(const Value extremes, forest.extremes());
  if (std::ranges::all_of(bases, [](double b) { return b == 0; })) return extremes;
  return emitter.arithmetic(OpKind::Add, extremes, listOf(bases));
}

Expected<void> finishRegression(Node &node, Emitter &emitter, const TreeEnsemble &trees, std::string_view transform) {
  SD_ASSIGN(const Value sums, aggregated(node, emitter, trees));
  SD_ASSIGN(Value result, regressed(node, emitter, sums, transform));
  node.setOutput(0, std::move(result));
  return {};
}

} // namespace

Expected<void> importTreeRegressor(Node &node, Emitter &emitter) {
  SD_ASSIGN(const std::int64_t targets, node.integer("n_targets", 1));
  if (targets < 1 || targets > kMaxSelected) return fail("has {} targets", targets);
  SD_ASSIGN(const std::string transform, postTransform(node));
  SD_ASSIGN(const TreeEnsemble trees, readTrees(node, "target", targets));
  return finishRegression(node, emitter, trees, transform);
}

Expected<void> importTreeEnsemble(Node &node, Emitter &emitter) {
  constexpr std::string_view kTransforms[] = {"NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT"};
  SD_ASSIGN(const std::int64_t number, node.integer("post_transform", 0));
  if (number < 0 || number >= std::ssize(kTransforms)) return fail("its post_transform is {}", number);
  if (number > 2)
    return fail("its post_transform is {}; only NONE, SOFTMAX and LOGISTIC are supported", kTransforms[number]);
  SD_ASSIGN(const TreeEnsemble trees, readTreeEnsemble(node));
  return finishRegression(node, emitter, trees, kTransforms[number]);
}

Expected<void> importTreeClassifier(Node &node, Emitter &emitter) {
  SD_ASSIGN(const Value labels, classLabels(node, "classlabels_int64s", "classlabels_strings"));
  SD_ASSIGN(std::string transform, postTransform(node));
  const std::int64_t classes = labels.size();
  if (classes < 2) return fail("has a single class, so that the label says nothing; remove the classifier");
  SD_ASSIGN(const TreeEnsemble trees, readTrees(node, "class", classes));
  SD_ASSIGN(const Scores scores, classes == 2 ? scoresOfTwo(node, trees, std::move(transform))
                                              : scoresOfMany(trees, classes, std::move(transform)));
  SD_ASSIGN(const Value x, recordsOf(emitter, node.input(0)));
  SD_ASSIGN(Forest forest, Forest::make(emitter, trees, x));
  Value shown;
  if (node.isUsed(1) || scores.compared.empty()) {
    SD_ASSIGN(shown, forest.columns(scores.shown));
  }
  if (node.isUsed(0)) {
    Value compared = shown;
    if (!scores.compared.empty()) {
      SD_ASSIGN(compared, forest.columns(scores.compared));
    }
    SD_ASSIGN(const Value best, bestOf(emitter, compared));
    SD_ASSIGN(Value label, labelsAt(node, emitter, best, chosenLabels(labels, scores.classes)));
    node.setOutput(0, std::move(label));
  }
  if (node.isUsed(1)) {
    SD_ASSIGN(Value result, transformed(emitter, shown, scores.transform.empty() ? "NONE" : scores.transform));
    nameClasses(emitter, result, labels);
    node.setOutput(1, std::move(result));
  }
  return {};
}

} // namespace sd
