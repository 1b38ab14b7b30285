#include "compiler/onnx/TreeEnsemble.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

namespace sd {
namespace {

using Test = TreeNode::Test;
using Aggregate = TreeEnsemble::Aggregate;
using Key = std::pair<std::int64_t, std::int64_t>; // tree, node

constexpr std::array<std::string_view, 8> kTests = {"BRANCH_LEQ", "BRANCH_LT",  "BRANCH_GTE",    "BRANCH_GT",
                                                    "BRANCH_EQ",  "BRANCH_NEQ", "BRANCH_MEMBER", "LEAF"};
// By TreeEnsemble's numbers of them.
constexpr std::array<Aggregate, 4> kAggregates = {Aggregate::Average, Aggregate::Sum, Aggregate::Min, Aggregate::Max};
constexpr std::array<std::string_view, 4> kAggregateNames = {"AVERAGE", "SUM", "MIN", "MAX"};

// Of an attribute that is a list of floats, or, since opset 3, a tensor of doubles beside it.
Expected<std::vector<double>> realsOrTensor(Node &node, const std::string &name) {
  SD_ASSIGN(std::vector<double> numbers, node.reals(name));
  SD_ASSIGN(std::vector<double> wide, node.numbers(name + "_as_tensor"));
  if (!numbers.empty() && !wide.empty()) return fail("has both '{}' and '{}_as_tensor'", name, name);
  return numbers.empty() ? std::move(wide) : std::move(numbers);
}

// Of attributes: names and numbers of entries.
Expected<void> sameLengths(std::initializer_list<std::pair<std::string, std::size_t>> attributes, std::size_t wanted) {
  for (const auto &[name, length] : attributes)
    if (length != wanted) return fail("the attribute '{}' has {} entries where {} are needed", name, length, wanted);
  return {};
}

Expected<void> checkNumbers(std::string_view name, const std::vector<double> &numbers) {
  const auto bad = std::ranges::find_if(numbers, [](double v) { return std::isnan(v); });
  if (bad == numbers.end()) return {};
  return fail("the attribute '{}' holds NaN, at entry {}", name, bad - numbers.begin());
}

Expected<void> addWeight(TreeEnsemble &trees, std::size_t leaf, std::int64_t output, double value) {
  if (output < 0 || output >= trees.outputs) return fail("a leaf adds to output {} of {}", output, trees.outputs);
  if (!std::isfinite(value)) return fail("a leaf adds {}", value);
  auto &weights = trees.nodes[leaf].weights;
  if (std::ranges::any_of(weights, [&](auto &w) { return w.output == output; }))
    return fail("a leaf adds to output {} twice", output);
  weights.push_back({output, value});
  return {};
}

// Only what is below the roots, and no node on two ways.
Expected<void> checkShape(TreeEnsemble &trees, std::size_t features) {
  std::vector<bool> seen(trees.nodes.size());
  std::vector<std::size_t> open = trees.roots;
  if (open.empty()) return fail("has no trees");
  while (!open.empty()) {
    const std::size_t at = open.back();
    open.pop_back();
    if (seen[at]) return fail("is no forest: two branches lead to one node");
    seen[at] = true;
    const TreeNode &node = trees.nodes[at];
    if (node.test == Test::Leaf) continue;
    if (node.feature < 0 || node.feature >= static_cast<std::int64_t>(features))
      return fail("looks at feature {} of {}", node.feature, features);
    open.push_back(node.no);
    open.push_back(node.yes);
  }
  return {};
}

std::size_t featuresOf(const Node &node) {
  const Shape &shape = node.input(0).shape();
  return shape.empty() ? 1 : static_cast<std::size_t>(shape.back());
}

} // namespace

std::vector<std::size_t> TreeEnsemble::leaves(std::size_t root) const {
  std::vector<std::size_t> found, open{root};
  while (!open.empty()) {
    const std::size_t at = open.back();
    open.pop_back();
    if (nodes[at].test == Test::Leaf) {
      found.push_back(at);
    } else {
      open.push_back(nodes[at].no);
      open.push_back(nodes[at].yes);
    }
  }
  return found;
}

Expected<TreeEnsemble> readTrees(Node &node, std::string_view weights, std::int64_t outputs) {
  TreeEnsemble trees;
  trees.outputs = outputs;
  SD_ASSIGN(trees.base, realsOrTensor(node, "base_values"));
  SD_TRY(checkNumbers("base_values", trees.base));
  if (weights == "target") {
    SD_ASSIGN(const std::string aggregate, node.text("aggregate_function", "SUM"));
    const auto found = std::ranges::find(kAggregateNames, aggregate);
    if (found == kAggregateNames.end()) return fail("its aggregate_function is {}", printable(aggregate));
    trees.aggregate = kAggregates[static_cast<std::size_t>(found - kAggregateNames.begin())];
  }
  SD_ASSIGN(const auto modes, node.texts("nodes_modes"));
  SD_ASSIGN(const auto treeIds, node.integers("nodes_treeids"));
  SD_ASSIGN(const auto nodeIds, node.integers("nodes_nodeids"));
  SD_ASSIGN(const auto features, node.integers("nodes_featureids"));
  SD_ASSIGN(const auto yes, node.integers("nodes_truenodeids"));
  SD_ASSIGN(const auto no, node.integers("nodes_falsenodeids"));
  SD_ASSIGN(const auto values, realsOrTensor(node, "nodes_values"));
  for (auto *unused : {"nodes_hitrates", "nodes_hitrates_as_tensor", "nodes_missing_value_tracks_true"})
    node.ignore(unused); // records hold no NaN
  SD_TRY(sameLengths({{"nodes_treeids", treeIds.size()},
                      {"nodes_nodeids", nodeIds.size()},
                      {"nodes_featureids", features.size()},
                      {"nodes_truenodeids", yes.size()},
                      {"nodes_falsenodeids", no.size()},
                      {"nodes_values", values.size()}},
                     modes.size()));
  SD_TRY(checkNumbers("nodes_values", values));

  std::map<Key, std::size_t> byId;
  std::map<std::int64_t, std::size_t> roots; // by tree
  for (std::size_t i = 0; i < modes.size(); ++i) {
    if (!byId.emplace(Key{treeIds[i], nodeIds[i]}, i).second)
      return fail("node {} of tree {} occurs twice", nodeIds[i], treeIds[i]);
    const bool first = roots.emplace(treeIds[i], i).second; // the first of a tree is its root
    if (first) trees.roots.push_back(i);
    if (!first && treeIds[i] != treeIds[i - 1]) return fail("the nodes of tree {} are not together", treeIds[i]);
    const auto test = std::ranges::find(kTests, modes[i]);
    if (test == kTests.end() || *test == "BRANCH_MEMBER") return fail("a node is of the mode {}", printable(modes[i]));
    TreeNode each;
    each.test = static_cast<Test>(test - kTests.begin());
    each.feature = features[i];
    each.values = {values[i]};
    trees.nodes.push_back(std::move(each));
  }
  for (std::size_t i = 0; i < modes.size(); ++i) {
    if (trees.nodes[i].test == Test::Leaf) continue;
    for (const auto &[ids, child] : {std::pair{&yes, &TreeNode::yes}, {&no, &TreeNode::no}}) {
      const auto found = byId.find({treeIds[i], (*ids)[i]});
      if (found == byId.end())
        return fail("node {} of tree {} leads to node {}, which does not exist", nodeIds[i], treeIds[i], (*ids)[i]);
      trees.nodes[i].*child = found->second;
    }
  }
  SD_TRY(checkShape(trees, featuresOf(node)));

  const std::string prefix(weights);
  SD_ASSIGN(const auto leafTrees, node.integers(prefix + "_treeids"));
  SD_ASSIGN(const auto leafNodes, node.integers(prefix + "_nodeids"));
  SD_ASSIGN(const auto leafOutputs, node.integers(prefix + "_ids"));
  SD_ASSIGN(const auto leafWeights, realsOrTensor(node, prefix + "_weights"));
  SD_TRY(sameLengths({{prefix + "_treeids", leafTrees.size()},
                      {prefix + "_nodeids", leafNodes.size()},
                      {prefix + "_ids", leafOutputs.size()}},
                     leafWeights.size()));
  for (std::size_t i = 0; i < leafWeights.size(); ++i) {
    const auto found = byId.find({leafTrees[i], leafNodes[i]});
    if (found == byId.end())
      return fail("gives a weight to node {} of tree {}, which does not exist", leafNodes[i], leafTrees[i]);
    if (trees.nodes[found->second].test != Test::Leaf) continue; // no path ends there
    SD_TRY(addWeight(trees, found->second, leafOutputs[i], leafWeights[i]));
  }
  return trees;
}

namespace {

// The sets of the nodes of the mode MEMBER, in order; each ends with NaN.
Expected<std::vector<std::vector<double>>> readSets(Node &node) {
  SD_ASSIGN(const auto values, node.numbers("membership_values"));
  std::vector<std::vector<double>> sets(1);
  for (const double v : values)
    if (std::isnan(v))
      sets.emplace_back();
    else
      sets.back().push_back(v);
  if (sets.back().empty()) sets.pop_back();
  return sets;
}

} // namespace

Expected<TreeEnsemble> readTreeEnsemble(Node &node) {
  TreeEnsemble trees;
  SD_ASSIGN(trees.outputs, node.integer("n_targets", 1));
  SD_ASSIGN(const std::int64_t aggregate, node.integer("aggregate_function", 1));
  if (aggregate < 0 || aggregate >= std::ssize(kAggregates)) return fail("its aggregate_function is {}", aggregate);
  trees.aggregate = kAggregates[static_cast<std::size_t>(aggregate)];
  SD_ASSIGN(const auto modes, node.numbers("nodes_modes"));
  SD_ASSIGN(const auto features, node.integers("nodes_featureids"));
  SD_ASSIGN(const auto yes, node.integers("nodes_truenodeids"));
  SD_ASSIGN(const auto no, node.integers("nodes_falsenodeids"));
  SD_ASSIGN(const auto yesIsLeaf, node.integers("nodes_trueleafs"));
  SD_ASSIGN(const auto noIsLeaf, node.integers("nodes_falseleafs"));
  SD_ASSIGN(const auto values, node.numbers("nodes_splits"));
  SD_ASSIGN(const auto roots, node.integers("tree_roots"));
  SD_ASSIGN(const auto leafTargets, node.integers("leaf_targetids"));
  SD_ASSIGN(const auto leafWeights, node.numbers("leaf_weights"));
  SD_ASSIGN(const auto sets, readSets(node));
  for (auto *unused : {"nodes_hitrates", "nodes_missing_value_tracks_true"})
    node.ignore(unused); // records hold no NaN
  SD_TRY(sameLengths({{"nodes_featureids", features.size()},
                      {"nodes_truenodeids", yes.size()},
                      {"nodes_falsenodeids", no.size()},
                      {"nodes_trueleafs", yesIsLeaf.size()},
                      {"nodes_falseleafs", noIsLeaf.size()},
                      {"nodes_splits", values.size()}},
                     modes.size()));
  SD_TRY(sameLengths({{"leaf_targetids", leafTargets.size()}}, leafWeights.size()));
  if (trees.outputs < 1) return fail("has {} targets", trees.outputs);

  std::size_t set = 0;
  trees.nodes.resize(modes.size());
  // A leaf of its own for each branch that leads to one: a tree of a single leaf is a node with the same one twice.
  const auto child = [&](std::int64_t index, bool isLeaf) -> Expected<std::size_t> {
    if (index < 0 || index >= static_cast<std::int64_t>(isLeaf ? leafWeights.size() : modes.size()))
      return fail("a node leads to {} {}, which does not exist", isLeaf ? "leaf" : "node", index);
    const auto at = static_cast<std::size_t>(index);
    if (!isLeaf) return at;
    trees.nodes.emplace_back();
    SD_TRY(addWeight(trees, trees.nodes.size() - 1, leafTargets[at], leafWeights[at]));
    return trees.nodes.size() - 1;
  };
  for (std::size_t i = 0; i < modes.size(); ++i) {
    if (!(modes[i] >= 0 && modes[i] <= 6)) return fail("a node is of the mode {}", modes[i]);
    const auto test = static_cast<Test>(static_cast<int>(modes[i]));
    trees.nodes[i].test = test;
    trees.nodes[i].feature = features[i];
    trees.nodes[i].values = {values[i]};
    if (test == Test::Member) {
      if (set == sets.size()) return fail("has fewer sets in 'membership_values' than nodes that ask for one");
      trees.nodes[i].values = sets[set++];
    }
    SD_TRY(checkNumbers("nodes_splits", trees.nodes[i].values));
    SD_ASSIGN(const std::size_t yesChild, child(yes[i], yesIsLeaf[i] != 0));
    SD_ASSIGN(const std::size_t noChild, child(no[i], noIsLeaf[i] != 0));
    trees.nodes[i].yes = yesChild;
    trees.nodes[i].no = noChild;
  }
  if (set != sets.size()) return fail("has more sets in 'membership_values' than nodes that ask for one");
  for (const std::int64_t root : roots) {
    if (root < 0 || root >= static_cast<std::int64_t>(modes.size())) return fail("has no node {} for a root", root);
    trees.roots.push_back(static_cast<std::size_t>(root));
  }
  SD_TRY(checkShape(trees, featuresOf(node)));
  return trees;
}

} // namespace sd
