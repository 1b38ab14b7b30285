// Elements replaced at constant places.
#include <algorithm>

#include "compiler/onnx/Handlers.h"
#include "compiler/onnx/LinearMap.h"

namespace sd {
namespace {

Expected<void> expectScatter(Node &node) {
  SD_ASSIGN(const std::string reduction, node.text("reduction", "none"));
  if (reduction != "none" && reduction != "add")
    return fail("combines by '{}'; only 'none' and 'add' are supported", printable(reduction));
  SD_TRY(node.expectConstant(1, "indices"));
  if (!node.input(1).isInteger()) return fail("its indices must be integers, not {}", describe(node.input(1)));
  if (node.input(0).isInteger() != node.input(2).isInteger())
    return fail("puts {} into {}", describe(node.input(2)), describe(node.input(0)));
  for (std::size_t i = 0; i < 3; ++i)
    if (node.input(i).size() > kMaxSelected) return fail("is too large");
  return {};
}

// x with update i at targets[i]; among several the last counts.
Expected<Value> replaced(Emitter &emitter, const Value &x, const Value &updates,
                         const std::vector<std::int64_t> &targets) {
  std::vector<std::int64_t> from;
  for (std::int64_t i = 0; i < x.size(); ++i)
    from.push_back(i);
  for (std::size_t i = 0; i < targets.size(); ++i)
    from[static_cast<std::size_t>(targets[i])] = x.size() + static_cast<std::int64_t>(i);
  SD_ASSIGN(const Value old, emitter.reshape(x, {x.size()}));
  SD_ASSIGN(const Value fresh, emitter.reshape(updates, {updates.size()}));
  SD_ASSIGN(const Value both, emitter.concat({old, fresh}, 0));
  return gatherElements(emitter, both, std::move(from), x.shape());
}

// The same, or with 'add' the sum with all updates.
Expected<Value> scattered(Node &node, Emitter &emitter, const std::vector<std::int64_t> &targets) {
  const Value &x = node.input(0), &updates = node.input(2);
  SD_ASSIGN(const std::string reduction, node.text("reduction", "none"));
  if (reduction == "none") return replaced(emitter, x, updates, targets);
  std::vector<std::int64_t> uses(static_cast<std::size_t>(x.size()), 0), rounds;
  for (const std::int64_t target : targets)
    rounds.push_back(uses[static_cast<std::size_t>(target)]++);
  Value sum = x;
  const std::int64_t most = targets.empty() ? 0 : std::ranges::max(uses);
  for (std::int64_t round = 0; round < most; ++round) { // one update an element at a time
    std::vector<std::int64_t> from(static_cast<std::size_t>(x.size()), kZero);
    for (std::size_t i = 0; i < targets.size(); ++i)
      if (rounds[i] == round) from[static_cast<std::size_t>(targets[i])] = static_cast<std::int64_t>(i);
    SD_ASSIGN(const Value added, gatherElements(emitter, updates, std::move(from), x.shape()));
    SD_ASSIGN(sum, emitter.arithmetic(OpKind::Add, sum, added));
  }
  return sum;
}

} // namespace

Expected<void> importScatterElements(Node &node, Emitter &emitter) {
  const Value &x = node.input(0), &where = node.input(1);
  SD_ASSIGN(std::int64_t axis, node.integer("axis", 0));
  SD_ASSIGN(axis, normalizedAxis(axis, x.rank()));
  SD_TRY(expectScatter(node));
  if (where.rank() != x.rank() || where.shape() != node.input(2).shape())
    return fail("indices {} and updates {} for data {}", toString(where.shape()), toString(node.input(2).shape()),
                toString(x.shape()));
  const auto to = stridesOf(x.shape()), from = stridesOf(where.shape());
  std::vector<std::int64_t> targets;
  for (std::int64_t i = 0; i < where.size(); ++i) {
    std::int64_t at = 0;
    for (std::size_t a = 0; a < to.size(); ++a) {
      std::int64_t along = i / from[a] % where.shape()[a];
      if (static_cast<std::int64_t>(a) == axis) along = where.ints()->data[static_cast<std::size_t>(i)];
      SD_ASSIGN(along, position(along, x.shape()[a]));
      at += along * to[a];
    }
    targets.push_back(at);
  }
  SD_ASSIGN(Value result, scattered(node, emitter, targets));
  node.setOutput(0, std::move(result));
  return {};
}

Expected<void> importScatterNd(Node &node, Emitter &emitter) {
  const Value &x = node.input(0), &where = node.input(1);
  SD_TRY(expectScatter(node));
  const std::int64_t depth = where.rank() == 0 ? 0 : where.shape().back();
  if (depth < 1 || depth > x.rank())
    return fail("indices {} for data {}", toString(where.shape()), toString(x.shape()));
  const auto strides = stridesOf(x.shape());
  const std::int64_t slice = strides[static_cast<std::size_t>(depth - 1)], count = where.size() / depth;
  if (node.input(2).size() != count * slice)
    return fail("{} updates for {} places of {}", node.input(2).size(), count, slice);
  std::vector<std::int64_t> targets;
  for (std::int64_t i = 0; i < count; ++i) {
    std::int64_t at = 0;
    for (std::int64_t d = 0; d < depth; ++d) {
      SD_ASSIGN(const std::int64_t along, position(where.ints()->data[static_cast<std::size_t>(i * depth + d)],
                                                   x.shape()[static_cast<std::size_t>(d)]));
      at += along * strides[static_cast<std::size_t>(d)];
    }
    for (std::int64_t e = 0; e < slice; ++e)
      targets.push_back(at + e);
  }
  SD_ASSIGN(Value result, scattered(node, emitter, targets));
  node.setOutput(0, std::move(result));
  return {};
}

// Each of the batch's update at its place along the axis; behind the end in front again, if it is circular.
Expected<void> importTensorScatter(Node &node, Emitter &emitter) {
  const Value &cache = node.input(0), &update = node.input(1);
  SD_ASSIGN(std::int64_t axis, node.integer("axis", -2));
  SD_ASSIGN(axis, normalizedAxis(axis, cache.rank()));
  SD_ASSIGN(const std::string mode, node.text("mode", "linear"));
  if (mode != "linear" && mode != "circular") return fail("has the mode '{}'", printable(mode));
  Shape expected = cache.shape();
  const auto along = static_cast<std::size_t>(axis);
  if (update.rank() == cache.rank()) expected[along] = update.shape()[along];
  if (axis == 0 || update.shape() != expected || expected[along] > cache.shape()[along] ||
      cache.isInteger() != update.isInteger())
    return fail("puts {} into {} along axis {}", describe(update), describe(cache), axis);
  if (cache.size() > kMaxSelected) return fail("is too large");
  std::vector<std::int64_t> starts(static_cast<std::size_t>(cache.shape()[0]), 0);
  if (node.has(2)) {
    SD_ASSIGN(starts, node.constantInts(2, "write_indices"));
    if (static_cast<std::int64_t>(starts.size()) != cache.shape()[0])
      return fail("has {} write_indices for a batch of {}", starts.size(), cache.shape()[0]);
  }
  const std::int64_t length = cache.shape()[along];
  const auto to = stridesOf(cache.shape()), from = stridesOf(update.shape());
  std::vector<std::int64_t> targets;
  for (std::int64_t i = 0; i < update.size(); ++i) {
    std::int64_t at = 0;
    for (std::size_t a = 0; a < to.size(); ++a) {
      std::int64_t place = i / from[a] % update.shape()[a];
      if (a == along) {
        const std::int64_t start = starts[static_cast<std::size_t>(i / from[0])];
        if (start < 0 || start >= length || (mode == "linear" && start + place >= length))
          return fail("writes {} elements from {} on into an axis of {}", update.shape()[a], start, length);
        place = (start + place) % length;
      }
      at += place * to[a];
    }
    targets.push_back(at);
  }
  SD_ASSIGN(Value result, replaced(emitter, cache, update, targets));
  node.setOutput(0, std::move(result));
  return {};
}

} // namespace sd
