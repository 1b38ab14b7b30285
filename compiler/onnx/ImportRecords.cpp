// Ops of ai.onnx.ml that prepare a record: what they test for equality or order is compared exactly.
#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>

#include "compiler/onnx/Handlers.h"
#include "compiler/onnx/Ml.h"

namespace sd {
namespace {

float below(float v) { return std::nextafter(v, -std::numeric_limits<float>::max()); }

Value constantOf(std::vector<float> values) {
  const Shape shape{std::ssize(values)};
  return Value::of(Tensor<float>(shape, std::move(values)));
}

// x with its last axis repeated `count` times: each element beside itself.
Expected<Value> repeated(Emitter &emitter, const Value &x, std::int64_t count) {
  const std::int64_t length = x.shape().back();
  std::vector<std::int64_t> indices;
  for (std::int64_t i = 0; i < length * count; ++i)
    indices.push_back(i / count);
  return emitter.gather(x, x.rank() - 1, std::move(indices));
}

struct Interval {
  float above, atMost;
};
Interval equalTo(float key) { return {below(key), key}; }

// 1 where x lies in the interval, else 0; they repeat along x's last axis.
Expected<Value> within(Emitter &emitter, const Value &x, const std::vector<Interval> &intervals) {
  std::vector<float> upper, lower;
  for (std::int64_t i = 0; i < x.shape().back(); ++i) {
    const Interval &own = intervals[static_cast<std::size_t>(i) % intervals.size()];
    upper.push_back(own.atMost);
    lower.push_back(own.above);
  }
  SD_ASSIGN(const Value atMost, emitter.compute(OpKind::AtMost, {x, constantOf(std::move(upper))}));
  SD_ASSIGN(const Value under, emitter.compute(OpKind::AtMost, {x, constantOf(std::move(lower))}));
  return emitter.arithmetic(OpKind::Sub, atMost, under);
}

// For each element of x its row of zeros and ones, one for each interval: [..., length, intervals].
Expected<Value> oneHot(Emitter &emitter, const Value &x, const std::vector<Interval> &intervals) {
  if (intervals.empty()) return fail("has no categories");
  const auto count = std::ssize(intervals);
  if (x.shape().back() > kMaxSelected / count) return fail("has {} categories for {} columns", count, x.shape().back());
  SD_ASSIGN(const Value wide, repeated(emitter, x, count));
  SD_ASSIGN(const Value bits, within(emitter, wide, intervals));
  Shape shape = x.shape();
  shape.push_back(count);
  return emitter.reshape(bits, shape);
}

Expected<Value> secretRecord(const Value &given) {
  const Value x = asFloats(given);
  if (x.isConstant() || x.isOpened() || x.rank() == 0)
    return fail("is supported for records alone, not {}", describe(x));
  return x;
}

Expected<std::vector<float>> keysOf(Node &node, std::string_view integers, std::string_view reals) {
  SD_ASSIGN(const auto whole, node.integers(integers));
  std::vector<double> numbers(whole.begin(), whole.end());
  if (numbers.empty() && !reals.empty()) {
    SD_ASSIGN(numbers, node.reals(reals));
  }
  std::vector<float> keys(numbers.begin(), numbers.end());
  for (std::size_t i = 0; i < keys.size(); ++i)
    if (static_cast<double>(keys[i]) != numbers[i] || !std::isfinite(keys[i]))
      return fail("compares with {}, which no float is", numbers[i]);
  return keys;
}

} // namespace

Expected<void> importBinarizer(Node &node, Emitter &emitter) {
  SD_ASSIGN(const double threshold, node.real("threshold", 0));
  SD_ASSIGN(const Value x, secretRecord(node.input(0)));
  SD_ASSIGN(const Value notAbove, emitter.compute(OpKind::AtMost, {x, Value::scalar(static_cast<float>(threshold))}));
  SD_ASSIGN(Value result, emitter.arithmetic(OpKind::Sub, Value::scalar(1), notAbove));
  node.setOutput(0, std::move(result));
  return {};
}

// Records hold no NaN, so that one which stands for a missing value has been filled in by whoever made them.
Expected<void> importImputer(Node &node, Emitter &emitter) {
  const bool whole = node.hasAttr("imputed_value_int64s");
  SD_ASSIGN(auto imputed, node.reals("imputed_value_floats"));
  SD_ASSIGN(const auto integers, node.integers("imputed_value_int64s"));
  SD_ASSIGN(double replaced, node.real("replaced_value_float", 0));
  SD_ASSIGN(const auto replacedInteger, node.integer("replaced_value_int64", 0));
  if (whole) {
    imputed.assign(integers.begin(), integers.end());
    replaced = static_cast<double>(replacedInteger);
  }
  SD_ASSIGN(const Value x, secretRecord(node.input(0)));
  const std::int64_t columns = x.shape().back();
  if (imputed.size() != 1 && std::ssize(imputed) != columns)
    return fail("has {} imputed values for {} columns", imputed.size(), columns);
  if (std::isnan(replaced)) {
    node.remark("does nothing: records hold no NaN; fill missing values in before, as it would");
    node.setOutput(0, x);
    return {};
  }
  SD_ASSIGN(const Value missing, within(emitter, x, {equalTo(static_cast<float>(replaced))}));
  std::vector<double> change;
  for (std::int64_t i = 0; i < columns; ++i)
    change.push_back(imputed[imputed.size() == 1 ? 0 : static_cast<std::size_t>(i)] - replaced);
  SD_ASSIGN(const Value added, emitter.arithmetic(OpKind::Mul, missing, listOf(change)));
  SD_ASSIGN(Value result, emitter.arithmetic(OpKind::Add, x, added));
  node.setOutput(0, std::move(result));
  return {};
}

Expected<void> importFeatureVectorizer(Node &node, Emitter &emitter) {
  SD_ASSIGN(const auto sizes, node.integers("inputdimensions"));
  std::vector<Value> parts;
  for (std::size_t i = 0; i < node.inputCount(); ++i) {
    Value x = asFloats(node.input(i));
    if (x.rank() == 1) {
      SD_ASSIGN(x, emitter.reshape(x, {1, x.size()}));
    }
    if (x.rank() != 2) return fail("joins records of features, not {}", describe(x));
    if (i < sizes.size() && sizes[i] != x.shape()[1])
      return fail("takes {} columns of input {}, which has {}", sizes[i], i, x.shape()[1]);
    parts.push_back(std::move(x));
  }
  SD_ASSIGN(Value result, emitter.concat(std::move(parts), 1));
  node.setOutput(0, std::move(result));
  return {};
}

Expected<void> importOneHotEncoder(Node &node, Emitter &emitter) {
  if (node.hasAttr("cats_strings"))
    return fail("has categories of text; a record holds numbers, so give it their positions");
  SD_ASSIGN(const auto keys, keysOf(node, "cats_int64s", ""));
  SD_ASSIGN(const bool zeros, node.integer("zeros", 1));
  if (!zeros) node.remark("gives zeros for a number that is no category, where it would stop");
  SD_ASSIGN(const Value x, secretRecord(node.input(0)));
  std::vector<Interval> intervals; // of the numbers whose whole part is the category
  for (const float key : keys)
    intervals.push_back({key > 0 ? below(key) : key - 1, key < 0 ? key : below(key + 1)});
  SD_ASSIGN(Value result, oneHot(emitter, x, intervals));
  node.setOutput(0, std::move(result));
  return {};
}

namespace {

// Positions of classes, opened: the labels of all of them in order.
Expected<void> encodeOpened(Node &node, Emitter &emitter, const std::vector<float> &keys, const Value &values) {
  for (std::size_t i = 0; i < keys.size(); ++i)
    if (keys[i] != static_cast<float>(i))
      return fail("maps opened labels that are not the positions 0 to {}; only those are supported", keys.size() - 1);
  SD_ASSIGN(Value result, labelsAt(node, emitter, node.input(0), values));
  node.setOutput(0, std::move(result));
  return {};
}

} // namespace

// A record's numbers, each to the value of its key, else to the default; or the positions of classes to their labels.
Expected<void> importLabelEncoder(Node &node, Emitter &emitter) {
  if (node.opset() < 2) return fail("of opset 1 maps text; a record holds numbers, so give it their positions");
  if (node.hasAttr("keys_strings")) return fail("maps text; a record holds numbers, so give it their positions");
  SD_ASSIGN(const auto keys, keysOf(node, "keys_int64s", "keys_floats"));
  SD_ASSIGN(const auto names, node.texts("values_strings"));
  SD_ASSIGN(const auto integers, node.integers("values_int64s"));
  SD_ASSIGN(const auto reals, node.reals("values_floats"));
  SD_ASSIGN(const double otherReal, node.real("default_float", -0.0));
  SD_ASSIGN(const auto otherInteger, node.integer("default_int64", -1));
  node.ignore("default_string");
  const std::size_t count = names.size() + integers.size() + reals.size();
  if (count != keys.size() || keys.empty()) return fail("has {} keys and {} values", keys.size(), count);
  const Shape shape{std::ssize(keys)};
  if (node.input(0).isOpened()) {
    if (!names.empty())
      return encodeOpened(node, emitter, keys, Value::of(std::make_shared<const Tensor<std::string>>(shape, names)));
    if (!integers.empty()) return encodeOpened(node, emitter, keys, Value::of(Tensor<std::int64_t>(shape, integers)));
    return encodeOpened(node, emitter, keys, listOf(reals));
  }
  if (!names.empty()) return fail("gives text, which a program does not compute with");
  SD_ASSIGN(const Value x, secretRecord(node.input(0)));
  std::vector<Interval> intervals;
  std::ranges::transform(keys, std::back_inserter(intervals), equalTo);
  SD_ASSIGN(const Value bits, oneHot(emitter, x, intervals));
  const double otherwise = reals.empty() ? static_cast<double>(otherInteger) : otherReal;
  std::vector<double> changes;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const bool known = std::find(keys.begin(), keys.begin() + static_cast<std::ptrdiff_t>(i), keys[i]) !=
                       keys.begin() + static_cast<std::ptrdiff_t>(i); // the first of equal keys counts
    changes.push_back(known ? 0 : (reals.empty() ? static_cast<double>(integers[i]) : reals[i]) - otherwise);
  }
  SD_ASSIGN(const Value weights, emitter.reshape(listOf(changes), {shape[0], 1}));
  SD_ASSIGN(const Value mapped, emitter.compute(OpKind::MatMul, {bits, weights, listOf({otherwise})}));
  SD_ASSIGN(Value result, emitter.reshape(mapped, x.shape()));
  node.setOutput(0, std::move(result));
  return {};
}

} // namespace sd
