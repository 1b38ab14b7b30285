// Decision trees of the domain ai.onnx.ml, whichever op describes them.
#pragma once

#include <vector>

#include "compiler/onnx/Node.h"

namespace sd {

struct TreeNode {
  enum class Test : std::uint8_t { AtMost, Below, AtLeast, Above, Equal, NotEqual, Member, Leaf };
  struct Weight {
    std::int64_t output;
    double value;
  };
  Test test = Test::Leaf;
  std::int64_t feature = 0;
  std::vector<double> values;  // what x[feature] is compared with: one number, or the members of a set
  std::size_t yes = 0, no = 0; // in TreeEnsemble::nodes
  std::vector<Weight> weights; // of a leaf, each output once at most
};

struct TreeEnsemble {
  enum class Aggregate : std::uint8_t { Sum, Average, Min, Max };
  std::vector<TreeNode> nodes;    // every node below a root, and reached by one way alone
  std::vector<std::size_t> roots; // of each tree
  std::int64_t outputs = 1;       // targets or classes
  Aggregate aggregate = Aggregate::Sum;
  std::vector<double> base; // base_values, as they are given

  std::vector<std::size_t> leaves(std::size_t root) const;
};

// TreeEnsembleClassifier's and TreeEnsembleRegressor's attributes; `weights` is "class" or "target".
Expected<TreeEnsemble> readTrees(Node &node, std::string_view weights, std::int64_t outputs);
// Those of TreeEnsemble, of opset 5.
Expected<TreeEnsemble> readTreeEnsemble(Node &node);

} // namespace sd
