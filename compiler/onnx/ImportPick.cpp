// Elements picked by constant indices, one by one.
#include <algorithm>

#include "compiler/onnx/Handlers.h"
#include "compiler/onnx/LinearMap.h"

namespace sd {
namespace {

Expected<void> expectIndices(const Node &node, std::size_t i, std::string_view what) {
  SD_TRY(node.expectConstant(i, what));
  if (!node.input(i).isInteger()) return fail("its {} must be integers, not {}", what, describe(node.input(i)));
  if (node.input(i).size() > kMaxSelected || node.input(0).size() > kMaxSelected) return fail("is too large");
  return {};
}

} // namespace

Expected<void> importTrilu(Node &node, Emitter &emitter) {
  const Value &x = node.input(0);
  SD_ASSIGN(const bool upper, node.integer("upper", 1));
  double k = 0;
  if (node.has(1)) {
    SD_ASSIGN(k, node.constantScalar(1, "k"));
  }
  if (x.rank() < 2) return fail("needs matrices, not {}", toString(x.shape()));
  if (x.size() > kMaxSelected) return fail("is too large");
  const std::int64_t rows = x.shape()[x.shape().size() - 2], columns = x.shape().back();
  std::vector<std::int64_t> indices;
  for (std::int64_t i = 0; i < x.size(); ++i) {
    const auto above = static_cast<double>(i % columns - i / columns % rows);
    indices.push_back((upper ? above >= k : above <= k) ? i : kZero);
  }
  SD_ASSIGN(Value result, gatherElements(emitter, x, std::move(indices), x.shape()));
  node.setOutput(0, std::move(result));
  return {};
}

Expected<void> importGatherElements(Node &node, Emitter &emitter) {
  const Value &x = node.input(0), &where = node.input(1);
  SD_ASSIGN(std::int64_t axis, node.integer("axis", 0));
  SD_ASSIGN(axis, normalizedAxis(axis, x.rank()));
  SD_TRY(expectIndices(node, 1, "indices"));
  if (where.rank() != x.rank()) return fail("indices {} for data {}", toString(where.shape()), toString(x.shape()));
  const std::vector<std::int64_t> from = stridesOf(x.shape()), to = stridesOf(where.shape());
  std::vector<std::int64_t> indices;
  for (std::int64_t i = 0; i < where.size(); ++i) {
    std::int64_t at = 0;
    for (std::size_t a = 0; a < from.size(); ++a) {
      std::int64_t along = i / to[a] % where.shape()[a];
      if (static_cast<std::int64_t>(a) == axis) along = where.ints()->data[static_cast<std::size_t>(i)];
      SD_ASSIGN(along, position(along, x.shape()[a]));
      at += along * from[a];
    }
    indices.push_back(at);
  }
  SD_ASSIGN(Value result, gatherElements(emitter, x, std::move(indices), where.shape()));
  node.setOutput(0, std::move(result));
  return {};
}

Expected<void> importGatherNd(Node &node, Emitter &emitter) {
  const Value &x = node.input(0), &where = node.input(1);
  SD_ASSIGN(const std::int64_t batch, node.integer("batch_dims", 0));
  SD_TRY(expectIndices(node, 1, "indices"));
  const std::int64_t depth = where.rank() == 0 ? 0 : where.shape().back();
  if (batch < 0 || batch >= where.rank() || depth < 1 || batch + depth > x.rank() ||
      !std::equal(x.shape().begin(), x.shape().begin() + batch, where.shape().begin()))
    return fail("indices {} for data {}", toString(where.shape()), toString(x.shape()));
  const std::vector<std::int64_t> strides = stridesOf(x.shape());
  const std::int64_t slice = strides[static_cast<std::size_t>(batch + depth - 1)], count = where.size() / depth;
  const Shape lead(where.shape().begin(), where.shape().begin() + batch);
  const std::int64_t perBatch = count / elementCount(lead);
  if (count > kMaxSelected / slice) return fail("is too large");
  std::vector<std::int64_t> indices;
  for (std::int64_t i = 0; i < count; ++i) {
    std::int64_t at = batch > 0 ? i / perBatch * strides[static_cast<std::size_t>(batch - 1)] : 0;
    for (std::int64_t d = 0; d < depth; ++d) {
      const auto axis = static_cast<std::size_t>(batch + d);
      SD_ASSIGN(const std::int64_t along,
                position(where.ints()->data[static_cast<std::size_t>(i * depth + d)], x.shape()[axis]));
      at += along * strides[axis];
    }
    for (std::int64_t e = 0; e < slice; ++e)
      indices.push_back(at + e);
  }
  Shape shape(where.shape().begin(), where.shape().end() - 1);
  shape.insert(shape.end(), x.shape().begin() + batch + depth, x.shape().end());
  SD_ASSIGN(Value result, gatherElements(emitter, x, std::move(indices), std::move(shape)));
  node.setOutput(0, std::move(result));
  return {};
}

Expected<void> importCompress(Node &node, Emitter &emitter) {
  Value x = node.input(0);
  SD_TRY(expectIndices(node, 1, "condition"));
  std::int64_t axis = 0;
  if (node.hasAttr("axis")) {
    SD_ASSIGN(axis, node.integer("axis", 0));
    SD_ASSIGN(axis, normalizedAxis(axis, x.rank()));
  } else {
    SD_ASSIGN(x, emitter.reshape(x, {x.size()}));
  }
  const auto &condition = node.input(1).ints()->data;
  if (static_cast<std::int64_t>(condition.size()) > x.shape()[static_cast<std::size_t>(axis)])
    return fail("has {} conditions for data {}", condition.size(), toString(x.shape()));
  std::vector<std::int64_t> indices;
  for (std::size_t i = 0; i < condition.size(); ++i)
    if (condition[i]) indices.push_back(static_cast<std::int64_t>(i));
  SD_ASSIGN(Value result, emitter.gather(x, axis, std::move(indices)));
  node.setOutput(0, std::move(result));
  return {};
}

Expected<void> importReverseSequence(Node &node, Emitter &emitter) {
  const Value &x = node.input(0), &lengths = node.input(1);
  SD_ASSIGN(const std::int64_t batch, node.integer("batch_axis", 1));
  SD_ASSIGN(const std::int64_t time, node.integer("time_axis", 0));
  SD_TRY(expectIndices(node, 1, "sequence_lens"));
  if (x.rank() < 2 || batch < 0 || time < 0 || batch + time != 1 ||
      lengths.shape() != Shape{x.shape()[static_cast<std::size_t>(batch)]})
    return fail("sequence_lens {} for data {}", toString(lengths.shape()), toString(x.shape()));
  const std::vector<std::int64_t> strides = stridesOf(x.shape());
  const auto b = static_cast<std::size_t>(batch), t = static_cast<std::size_t>(time);
  std::vector<std::int64_t> indices;
  for (std::int64_t i = 0; i < x.size(); ++i) {
    const std::int64_t length = lengths.ints()->data[static_cast<std::size_t>(i / strides[b] % x.shape()[b])];
    const std::int64_t at = i / strides[t] % x.shape()[t];
    if (length < 0 || length > x.shape()[t]) return fail("a sequence has {} of {} steps", length, x.shape()[t]);
    indices.push_back(at < length ? i + (length - 1 - 2 * at) * strides[t] : i);
  }
  SD_ASSIGN(Value result, gatherElements(emitter, x, std::move(indices), x.shape()));
  node.setOutput(0, std::move(result));
  return {};
}

} // namespace sd
