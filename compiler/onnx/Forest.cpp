#include "compiler/onnx/Forest.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <numeric>

namespace sd {
namespace {

using Test = TreeNode::Test;
constexpr float kMost = std::numeric_limits<float>::max();
constexpr std::size_t kMaxDepth = 4096; // of a tree: some ops a level

// The largest float that is at most `value`, or below it: what floats are compared with in its place.
float floatAtMost(double value, bool below) {
  value = std::clamp(value, -static_cast<double>(kMost), static_cast<double>(kMost));
  auto result = static_cast<float>(value);
  if (below ? result >= value : result > value) result = std::nextafter(result, -kMost);
  return result;
}

// A node's test is a sum of comparisons "x <= limit", the first with a plus sign, the others falling and rising in
// turn.
std::vector<float> limitsOf(const TreeNode &node) {
  switch (node.test) {
  case Test::AtMost:
  case Test::Above:
    return {floatAtMost(node.values[0], false)};
  case Test::Below:
  case Test::AtLeast:
    return {floatAtMost(node.values[0], true)};
  default: { // x = v where x <= v, but not x <= what is below v
    std::vector<double> members = node.values;
    std::ranges::sort(members);
    members.erase(std::ranges::unique(members).begin(), members.end());
    std::vector<float> limits;
    for (const double v : members) {
      limits.push_back(floatAtMost(v, false));
      limits.push_back(floatAtMost(v, true));
    }
    return limits;
  }
  }
}

// Whether the sum of comparisons is 1 where the test fails.
bool isTurned(const TreeNode &node) {
  return node.test == Test::AtLeast || node.test == Test::Above || node.test == Test::NotEqual;
}

Value list(std::vector<float> values, Shape shape) {
  return Value::of(Tensor<float>(std::move(shape), std::move(values)));
}

} // namespace

Expected<Forest> Forest::make(Emitter &emitter, const TreeEnsemble &trees, const Value &x) {
  Forest forest(emitter, trees);
  std::vector<std::size_t> level = trees.roots;
  std::erase_if(level, [&](std::size_t root) { return trees.nodes[root].test == Test::Leaf; });
  if (level.empty()) return fail("its trees test nothing, so that the result does not depend on the record");
  while (!level.empty()) {
    std::vector<std::size_t> next;
    for (const std::size_t at : level)
      for (const std::size_t child : {trees.nodes[at].yes, trees.nodes[at].no})
        if (trees.nodes[child].test != Test::Leaf) next.push_back(child);
    forest.levels_.push_back(std::move(level));
    level = std::move(next);
    if (forest.levels_.size() > kMaxDepth) return fail("has a tree of more than {} levels; limit the depth", kMaxDepth);
  }
  SD_ASSIGN(const Value decisions, forest.decisions(x));
  SD_TRY(forest.findLeaves(decisions));
  return forest;
}

// [N, nodes] in the order of the levels: 1 where the test holds, or for turned ones where it fails.
Expected<Value> Forest::decisions(const Value &x) {
  std::vector<float> limits;
  std::vector<std::int64_t> features;
  std::vector<std::vector<std::int64_t>> terms; // terms[k]: for each node its k-th comparison, -1 if it has none
  std::int64_t nodes = 0;
  for (const auto &level : levels_)
    nodes += std::ssize(level);
  std::int64_t index = 0;
  std::vector<std::pair<float, std::int64_t>> more; // the second and later comparisons, behind the first of all nodes
  for (const auto &level : levels_)
    for (const std::size_t at : level) {
      const TreeNode &node = trees_.nodes[at];
      const std::vector<float> own = limitsOf(node);
      if (own.empty()) return fail("a node tests for members of an empty set");
      limits.push_back(own[0]);
      features.push_back(node.feature);
      if (terms.size() < own.size())
        terms.resize(own.size(), std::vector<std::int64_t>(static_cast<std::size_t>(nodes), -1));
      terms[0][static_cast<std::size_t>(index)] = index;
      for (std::size_t k = 1; k < own.size(); ++k) {
        terms[k][static_cast<std::size_t>(index)] = nodes + std::ssize(more);
        more.emplace_back(own[k], node.feature);
      }
      ++index;
    }
  for (const auto &[limit, feature] : more) {
    limits.push_back(limit);
    features.push_back(feature);
  }
  const std::int64_t comparisons = std::ssize(limits), columns = x.shape()[1];
  SD_TRY(emitter_.takeBudget({columns, comparisons}));
  Tensor<float> choice({columns, comparisons}, 0.0F);
  for (std::int64_t m = 0; m < comparisons; ++m)
    choice.data[static_cast<std::size_t>(features[static_cast<std::size_t>(m)] * comparisons + m)] = 1;
  SD_ASSIGN(const Value each, emitter_.compute(OpKind::AtMost, {x, list(std::move(limits), {comparisons}),
                                                                Value::of(std::move(choice))}));
  if (terms.size() == 1) return each;
  SD_ASSIGN(const Value padded, emitter_.pad(each, {0, 0, 0, 1}, 0)); // a comparison that never holds
  Value sum;
  for (std::size_t k = 0; k < terms.size(); ++k) {
    std::ranges::replace(terms[k], -1, comparisons);
    SD_ASSIGN(Value term, emitter_.gather(padded, 1, std::move(terms[k])));
    if (k == 0) {
      sum = std::move(term);
    } else {
      SD_ASSIGN(sum, emitter_.arithmetic(k % 2 ? OpKind::Sub : OpKind::Add, sum, term));
    }
  }
  return sum;
}

// Along each path the decisions that must be 1 are added up, those that must be 0 subtracted: a leaf is reached where
// the sum is the number of the former, which it never exceeds.
Expected<void> Forest::findLeaves(const Value &decisions) {
  struct Path {
    std::size_t node;
    std::int64_t ones;
  };
  std::vector<Path> open;
  for (const std::size_t at : levels_[0])
    open.push_back({at, 0});
  std::vector<Value> sums;
  std::vector<float> wanted;
  Value before; // the sums of the open paths; none at the roots
  std::int64_t first = 0;
  for (std::size_t level = 0; level < levels_.size(); ++level) {
    std::vector<std::int64_t> own(open.size());
    std::iota(own.begin(), own.end(), first);
    first += std::ssize(open);
    SD_ASSIGN(const Value bits, emitter_.gather(decisions, 1, std::move(own)));
    Value one = bits, zero;
    if (level == 0) {
      SD_ASSIGN(zero, emitter_.arithmetic(OpKind::Sub, Value::scalar(0), bits));
    } else {
      SD_ASSIGN(one, emitter_.arithmetic(OpKind::Add, before, bits));
      SD_ASSIGN(zero, emitter_.arithmetic(OpKind::Sub, before, bits));
    }
    SD_ASSIGN(const Value both, emitter_.concat({one, zero}, 1));
    std::vector<Path> next;
    std::vector<std::int64_t> goOn, end;
    for (std::size_t i = 0; i < open.size(); ++i) {
      const TreeNode &node = trees_.nodes[open[i].node];
      const bool turned = isTurned(node);
      for (const bool yes : {true, false}) {
        const std::size_t child = yes ? node.yes : node.no;
        const bool isOne = yes != turned;
        const std::int64_t position = static_cast<std::int64_t>(i) + (isOne ? 0 : std::ssize(open));
        const std::int64_t ones = open[i].ones + isOne;
        if (trees_.nodes[child].test == Test::Leaf) {
          end.push_back(position);
          leaves_.push_back(child);
          wanted.push_back(static_cast<float>(ones));
        } else {
          goOn.push_back(position);
          next.push_back({child, ones});
        }
      }
    }
    if (!end.empty()) {
      SD_ASSIGN(Value ended, emitter_.gather(both, 1, std::move(end)));
      sums.push_back(std::move(ended));
    }
    if (!goOn.empty()) {
      SD_ASSIGN(before, emitter_.gather(both, 1, std::move(goOn)));
    }
    open = std::move(next);
  }
  SD_ASSIGN(const Value paths, emitter_.concat(std::move(sums), 1));
  const auto depth = static_cast<std::uint64_t>(levels_.size());
  const auto count = std::ssize(wanted);
  SD_ASSIGN(reached_, emitter_.compute(OpKind::AtMost, {list(std::move(wanted), {count}), paths},
                                       {{Attr::Bound, static_cast<std::int64_t>(std::bit_width(depth - 1))}}));
  return {};
}

Expected<Value> Forest::added(const std::vector<float> &weights, const std::vector<double> &summands) {
  const auto outputs = std::ssize(summands);
  SD_TRY(emitter_.takeBudget({std::ssize(leaves_), outputs}));
  return emitter_.compute(OpKind::MatMul, {reached_, list(weights, {std::ssize(leaves_), outputs}),
                                           list(std::vector<float>(summands.begin(), summands.end()), {outputs})});
}

Expected<Value> Forest::columns(const std::vector<ForestColumn> &columns) {
  const double part =
      trees_.aggregate == TreeEnsemble::Aggregate::Average ? 1.0 / static_cast<double>(trees_.roots.size()) : 1.0;
  std::vector<double> summands;
  std::vector<float> weights(leaves_.size() * columns.size());
  const auto valueOf = [&](std::size_t leaf, std::int64_t output) {
    double sum = 0;
    for (auto &weight : trees_.nodes[leaf].weights)
      if (weight.output == output) sum += weight.value;
    return sum * part;
  };
  for (std::size_t c = 0; c < columns.size(); ++c) {
    double constant = 0; // of trees that test nothing
    for (const std::size_t root : trees_.roots)
      if (trees_.nodes[root].test == Test::Leaf) constant += valueOf(root, columns[c].output);
    const double share = columns[c].shared / static_cast<double>(trees_.roots.size());
    const auto leafless =
        std::ranges::count_if(trees_.roots, [&](std::size_t root) { return trees_.nodes[root].test == Test::Leaf; });
    summands.push_back(columns[c].factor * constant + columns[c].summand + share * static_cast<double>(leafless));
    for (std::size_t i = 0; i < leaves_.size(); ++i)
      weights[i * columns.size() + c] =
          static_cast<float>(columns[c].factor * valueOf(leaves_[i], columns[c].output) + share);
  }
  return added(weights, summands);
}

Expected<Value> Forest::extremes() {
  const bool least = trees_.aggregate == TreeEnsemble::Aggregate::Min; // is the largest of the negated ones
  const std::int64_t trees = std::ssize(trees_.roots), outputs = trees_.outputs;
  std::vector<std::size_t> place(trees_.nodes.size(), leaves_.size()); // of a leaf in leaves_
  for (std::size_t i = 0; i < leaves_.size(); ++i)
    place[leaves_[i]] = i;
  std::vector<double> summands(static_cast<std::size_t>(trees * outputs));
  SD_TRY(emitter_.takeBudget({std::ssize(leaves_), trees * outputs}));
  std::vector<float> weights(leaves_.size() * summands.size());
  for (std::int64_t t = 0; t < trees; ++t)
    for (const std::size_t leaf : trees_.leaves(trees_.roots[static_cast<std::size_t>(t)]))
      for (auto &weight : trees_.nodes[leaf].weights) {
        const auto column = static_cast<std::size_t>(t * outputs + weight.output);
        const double value = least ? -weight.value : weight.value;
        if (place[leaf] == leaves_.size())
          summands[column] = value;
        else
          weights[place[leaf] * summands.size() + column] = static_cast<float>(value);
      }
  SD_ASSIGN(Value result, added(weights, summands));
  const std::int64_t records = result.shape()[0];
  if (trees > 1) {
    SD_ASSIGN(result, emitter_.reshape(result, {records, trees, outputs}));
    SD_ASSIGN(result, emitter_.transpose(result, {0, 2, 1}));
    SD_ASSIGN(result, emitter_.compute(OpKind::MaxPool, {result},
                                       {{Attr::Kernel, std::vector<std::int64_t>{trees}},
                                        {Attr::Strides, std::vector<std::int64_t>{1}},
                                        {Attr::Pads, std::vector<std::int64_t>{0, 0}},
                                        {Attr::Dilations, std::vector<std::int64_t>{1}},
                                        {Attr::CeilMode, std::int64_t{0}}}));
    SD_ASSIGN(result, emitter_.reshape(result, {records, outputs}));
  }
  if (!least) return result;
  return emitter_.arithmetic(OpKind::Sub, Value::scalar(0), result);
}

} // namespace sd
