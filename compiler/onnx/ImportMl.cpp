// Ops of the domain ai.onnx.ml, as exporters of scikit-learn write them: scaling before the network, linear models, and
// the labels of classes behind it.
#include <algorithm>
#include <cmath>
#include <functional>
#include <iterator>
#include <optional>

#include "compiler/onnx/Handlers.h"
#include "compiler/onnx/Ml.h"
#include "compiler/onnx/OpTable.h"

namespace sd {

Value asFloats(const Value &x) {
  if (!x.isInteger() || x.isConstant()) return x;
  return Value::computed(x.id(), x.shape(), x.stage(), false);
}

Expected<Value> recordsOf(Emitter &emitter, const Value &given) {
  const Value x = asFloats(given);
  if (x.rank() == 1) return emitter.reshape(x, {1, x.size()});
  if (x.rank() != 2) return fail("needs records of features, not {}", describe(x));
  return x;
}

Value listOf(const std::vector<double> &values) {
  return Value::of(
      Tensor<float>({static_cast<std::int64_t>(values.size())}, std::vector<float>(values.begin(), values.end())));
}

namespace {

// One number for each feature, or one for all; `otherwise` if absent.
Expected<Value> perFeature(Node &node, std::string_view name, double otherwise) {
  SD_ASSIGN(const std::vector<double> values, node.reals(name));
  const Shape &shape = node.input(0).shape();
  const auto features = shape.empty() ? 1 : shape.back();
  if (values.empty()) return Value::scalar(static_cast<float>(otherwise));
  if (values.size() == 1) return Value::scalar(static_cast<float>(values[0]));
  if (static_cast<std::int64_t>(values.size()) == features) return listOf(values);
  return fail("the attribute '{}' has {} numbers for {} features", name, values.size(), features);
}

// x [N, features] times `rows` of coefficients, plus their intercepts.
struct LinearModel {
  std::vector<double> coefficients, intercepts;
  std::int64_t rows;
};

Expected<Value> evaluated(Emitter &emitter, const Value &given, const LinearModel &model) {
  SD_ASSIGN(const Value x, recordsOf(emitter, given));
  const Shape matrix = {model.rows, x.shape()[1]};
  if (static_cast<std::int64_t>(model.coefficients.size()) != elementCount(matrix) ||
      static_cast<std::int64_t>(model.intercepts.size()) != model.rows)
    return fail("has {} coefficients and {} intercepts for {} results of {} features", model.coefficients.size(),
                model.intercepts.size(), model.rows, x.shape()[1]);
  SD_ASSIGN(const Value rows, emitter.reshape(listOf(model.coefficients), matrix));
  SD_ASSIGN(const Value weights, emitter.transpose(rows, {1, 0}));
  return emitter.compute(OpKind::MatMul, {x, weights, listOf(model.intercepts)});
}

} // namespace

Expected<std::string> postTransform(Node &node) {
  SD_ASSIGN(const std::string transform, node.text("post_transform", "NONE"));
  if (transform == "NONE" || transform == "SOFTMAX" || transform == "LOGISTIC") return transform;
  return fail("its post_transform is {}; only NONE, SOFTMAX and LOGISTIC are supported", printable(transform));
}

Expected<Value> transformed(Emitter &emitter, const Value &scores, std::string_view transform) {
  if (transform == "NONE") return scores;
  if (transform == "LOGISTIC") return emitter.openAnd(OpKind::Sigmoid, scores, {});
  return emitter.openAnd(OpKind::Softmax, scores, {{Attr::Axis, std::int64_t{1}}});
}

Expected<Value> regressed(Node &node, Emitter &emitter, const Value &scores, std::string_view transform) {
  if (scores.shape()[1] == 1 && transform != "NONE") {
    node.remark(fmt::format("leaves out the post_transform {}, as onnxruntime does for a single target", transform));
    return scores;
  }
  return transformed(emitter, scores, transform);
}

Expected<Value> bestOf(Emitter &emitter, const Value &scores) {
  return emitter.openAnd(
      OpKind::ArgMax, scores,
      {{Attr::Axis, std::int64_t{1}}, {Attr::KeepDims, std::int64_t{0}}, {Attr::SelectLast, std::int64_t{0}}});
}

namespace {

std::vector<std::string> namesOf(const Value &labels) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < static_cast<std::size_t>(labels.size()); ++i)
    names.push_back(labels.isStrings()   ? printable(labels.strings()->data[i])
                    : labels.isInteger() ? fmt::to_string(labels.ints()->data[i])
                                         : fmt::to_string(labels.floats()->data[i]));
  return names;
}

// "a,b,c", cut where it gets long.
std::string listed(std::vector<std::string> names) {
  constexpr std::size_t kMost = 16;
  if (names.size() > kMost) {
    names.resize(kMost);
    names.emplace_back("...");
  }
  return fmt::format("{}", fmt::join(names, ","));
}

// Numbers at equal distances.
struct Progression {
  double first, step;
};
std::optional<Progression> progressionOf(const Value &labels) {
  if (labels.isStrings()) return {};
  const auto at = [&](std::size_t i) {
    return labels.isInteger() ? static_cast<double>(labels.ints()->data[i])
                              : static_cast<double>(labels.floats()->data[i]);
  };
  constexpr double kExact = 0x1p24; // of integers in floats
  const auto size = static_cast<std::size_t>(labels.size());
  const Progression result{at(0), size > 1 ? at(1) - at(0) : 1};
  for (std::size_t i = 0; i < size; ++i)
    if (at(i) != result.first + static_cast<double>(i) * result.step || std::abs(at(i)) > kExact) return {};
  return result;
}

} // namespace

Expected<Value> labelsAt(Node &node, Emitter &emitter, const Value &positions, const Value &labels) {
  const auto numbers = progressionOf(labels);
  if (!numbers) {
    node.remark(fmt::format("gives the position of the class, from 0, in place of its label: results as numbers hold "
                            "positions, in words the labels {}",
                            listed(namesOf(labels))));
    emitter.nameClasses(positions, namesOf(labels));
    return positions;
  }
  Value result = asFloats(positions);
  if (numbers->step != 1) {
    SD_ASSIGN(result, emitter.arithmetic(OpKind::Mul, result, Value::scalar(static_cast<float>(numbers->step))));
  }
  if (numbers->first != 0) {
    SD_ASSIGN(result, emitter.arithmetic(OpKind::Add, result, Value::scalar(static_cast<float>(numbers->first))));
  }
  emitter.nameClasses(result, namesOf(labels));
  return Value::computed(result.id(), result.shape(), result.stage(), labels.isInteger());
}

void nameClasses(Emitter &emitter, const Value &scores, const Value &labels) {
  emitter.nameClasses(scores, namesOf(labels));
}

Expected<Value> classLabels(Node &node, std::string_view integers, std::string_view strings) {
  SD_ASSIGN(std::vector<std::int64_t> numbers, node.integers(integers));
  SD_ASSIGN(std::vector<std::string> names, node.texts(strings));
  const Shape shape = {static_cast<std::int64_t>(numbers.empty() ? names.size() : numbers.size())};
  if (shape[0] == 0 || numbers.empty() == names.empty()) return fail("names no classes, or names them twice");
  if (names.empty()) return Value::of(Tensor<std::int64_t>(shape, std::move(numbers)));
  return Value::of(std::make_shared<const Tensor<std::string>>(shape, std::move(names)));
}

Expected<void> importScaler(Node &node, Emitter &emitter) { // (x - offset) scale
  SD_ASSIGN(const Value offset, perFeature(node, "offset", 0));
  SD_ASSIGN(const Value scale, perFeature(node, "scale", 1));
  SD_ASSIGN(const Value centred, emitter.arithmetic(OpKind::Sub, asFloats(node.input(0)), offset));
  SD_ASSIGN(Value result, emitter.arithmetic(OpKind::Mul, centred, scale));
  node.setOutput(0, std::move(result));
  return {};
}

Expected<void> importLinearRegressor(Node &node, Emitter &emitter) {
  LinearModel model;
  SD_ASSIGN(model.rows, node.integer("targets", 1));
  SD_ASSIGN(model.coefficients, node.reals("coefficients"));
  SD_ASSIGN(model.intercepts, node.reals("intercepts"));
  SD_ASSIGN(const std::string transform, postTransform(node));
  if (model.rows < 1 || model.rows > kMaxSelected) return fail("has {} targets", model.rows);
  if (model.intercepts.empty()) model.intercepts.resize(static_cast<std::size_t>(model.rows));
  SD_ASSIGN(const Value scores, evaluated(emitter, node.input(0), model));
  SD_ASSIGN(Value result, regressed(node, emitter, scores, transform));
  node.setOutput(0, std::move(result));
  return {};
}

Expected<void> importLinearClassifier(Node &node, Emitter &emitter) {
  LinearModel model;
  SD_ASSIGN(model.coefficients, node.reals("coefficients"));
  SD_ASSIGN(model.intercepts, node.reals("intercepts"));
  SD_ASSIGN(const Value labels, classLabels(node, "classlabels_ints", "classlabels_strings"));
  SD_ASSIGN(std::string transform, postTransform(node));
  node.ignore("multi_class"); // says how it was trained
  model.rows = labels.size();
  if (model.rows < 2) return fail("has a single class, so that the label says nothing; export a LinearRegressor");
  if (model.intercepts.empty()) model.intercepts.resize(static_cast<std::size_t>(model.rows));
  const bool hasOneScore = model.rows == 2 && model.intercepts.size() == 1;
  LinearModel compared = model;
  if (hasOneScore) { // s gives (1 - s, s), untransformed, and the second class where it is above 0
    node.remark("gives (1 - s, s) for its one score s of two classes, whatever the post_transform says, and the second "
                "class where s is above 0, as onnxruntime does");
    transform = "NONE";
    const auto twoRows = [&](LinearModel &rows, double first) {
      std::vector<double> both;
      std::ranges::transform(rows.coefficients, std::back_inserter(both), [&](double v) { return first * v; });
      both.insert(both.end(), rows.coefficients.begin(), rows.coefficients.end());
      rows.coefficients = std::move(both);
      rows.intercepts.insert(rows.intercepts.begin(), first * rows.intercepts[0]);
    };
    twoRows(model, -1);
    twoRows(compared, -1);
    model.intercepts[0] += 1;
  }
  SD_ASSIGN(const Value scores, evaluated(emitter, node.input(0), model));
  if (node.isUsed(0)) {
    Value decisive = scores;
    if (hasOneScore) {
      SD_ASSIGN(decisive, evaluated(emitter, node.input(0), compared));
    }
    SD_ASSIGN(const Value best, bestOf(emitter, decisive));
    SD_ASSIGN(Value label, labelsAt(node, emitter, best, labels));
    node.setOutput(0, std::move(label));
  }
  if (node.isUsed(1)) {
    SD_ASSIGN(Value result, transformed(emitter, scores, transform));
    emitter.nameClasses(result, namesOf(labels));
    node.setOutput(1, std::move(result));
  }
  return {};
}

// Elements of the last axis at given positions; the labels of classes at computed ones.
Expected<void> importArrayFeatureExtractor(Node &node, Emitter &emitter) {
  const Value &x = node.input(0), &where = node.input(1);
  if (x.rank() == 0) return fail("needs an axis to choose from, not {}", describe(x));
  if (where.isConstant()) {
    if (!where.isInteger() || x.isStrings()) return fail("chooses from {} by {}", describe(x), describe(where));
    SD_ASSIGN(Value result, emitter.gather(x, x.rank() - 1, where.ints()->data));
    if (x.rank() == 1) {
      SD_ASSIGN(result, emitter.reshape(result, {1, where.size()}));
    }
    node.setOutput(0, std::move(result));
    return {};
  }
  if (!x.isConstant() || x.size() != x.shape().back() || x.size() == 0 || !where.isInteger() || !where.isOpened())
    return fail("chooses from {} by {}; only labels after ArgMax can be chosen by computed positions", describe(x),
                describe(where));
  SD_ASSIGN(const Value labels, labelsAt(node, emitter, where, x));
  SD_ASSIGN(Value result, emitter.reshape(labels, {1, where.size()}));
  node.setOutput(0, std::move(result));
  return {};
}

// Of what Softmax gives, whose sums are one already, and of logistic scores.
Expected<void> importNormalizer(Node &node, Emitter &emitter) {
  SD_ASSIGN(const std::string norm, node.text("norm", "MAX"));
  const Value &x = node.input(0);
  const Op *maker = x.isConstant() || x.rank() == 0 ? nullptr : &emitter.maker(x.id());
  const bool isNormal = maker && maker->kind == OpKind::Softmax && maker->attrs.i(Attr::Axis) == x.rank() - 1;
  const bool isLogistic = maker && maker->kind == OpKind::Sigmoid;
  if (norm != "L1" || (!isNormal && !isLogistic))
    return fail("is supported with the norm L1 after Softmax and Sigmoid only; {}", adviceFor(node.op()));
  if (isNormal) {
    node.setOutput(0, x);
    return {};
  }
  // Sigmoids over their sum are the softmax of their logarithms, and these the first of LogSoftmax(x, 0).
  Shape pairs = x.shape();
  pairs.push_back(1);
  const std::int64_t last = x.rank();
  SD_ASSIGN(const Value column, emitter.reshape(emitter.secret(maker->operands[0]), pairs));
  std::vector<std::int64_t> pads(2 * pairs.size(), 0);
  pads.back() = 1;
  SD_ASSIGN(const Value both, emitter.pad(column, std::move(pads), 0));
  SD_ASSIGN(const Value logarithms, emitter.openAnd(OpKind::LogSoftmax, both, {{Attr::Axis, last}}));
  SD_ASSIGN(const Value firsts, emitter.gather(logarithms, last, {0}));
  SD_ASSIGN(const Value shaped, emitter.reshape(firsts, x.shape()));
  SD_ASSIGN(Value result, emitter.openAnd(OpKind::Softmax, shaped, {{Attr::Axis, last - 1}}));
  node.setOutput(0, std::move(result));
  return {};
}

Expected<void> importZipMap(Node &node, Emitter &emitter) {
  SD_ASSIGN(const Value labels, classLabels(node, "classlabels_int64s", "classlabels_strings"));
  node.remark(fmt::format("gives the plain matrix of its input, with columns for the classes {}, in place of a map for "
                          "each record",
                          listed(namesOf(labels))));
  if (!node.input(0).isConstant()) emitter.nameClasses(node.input(0), namesOf(labels));
  node.setOutput(0, node.input(0));
  return {};
}

} // namespace sd
