// A tree ensemble as ops: one comparison for every node, one for every leaf, and a linear layer of what leaves add.
//
// Public are the trees' shapes and which nodes test for equality. Which feature a node looks at, what it compares it
// with and what leaves add are weights.
#pragma once

#include "compiler/onnx/Emitter.h"
#include "compiler/onnx/TreeEnsemble.h"

namespace sd {

// factor times a sum of the ensemble, plus a number; of no sum if output is negative. Another number is added up by the
// trees, an equal part in each: (1 - s, s) is then rounded in both alike, and a tie stays one.
struct ForestColumn {
  std::int64_t output = 0;
  double factor = 1, summand = 0, shared = 0;
};

class Forest {
public:
  // x [N, features].
  static Expected<Forest> make(Emitter &emitter, const TreeEnsemble &trees, const Value &x);

  // [N, columns]: of sums over all trees, or of means.
  Expected<Value> columns(const std::vector<ForestColumn> &columns);
  // [N, outputs]: the largest of all trees' numbers for each output, or with Aggregate::Min the least.
  Expected<Value> extremes();

private:
  Forest(Emitter &emitter, const TreeEnsemble &trees) : emitter_(emitter), trees_(trees) {}

  Expected<Value> decisions(const Value &x);
  Expected<void> findLeaves(const Value &decisions);
  Expected<Value> added(const std::vector<float> &weights, const std::vector<double> &summands);

  Emitter &emitter_;
  const TreeEnsemble &trees_;
  std::vector<std::vector<std::size_t>> levels_; // nodes that test, by their distance from the root
  Value reached_;                                // [N, leaves]: 1 for the leaf of each tree that a record ends in
  std::vector<std::size_t> leaves_;              // in its order, by node
};

} // namespace sd
