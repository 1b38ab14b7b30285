// Affine ops behind a linear op, each the only user of the one before it, go into its constants. A chain is collected
// op by op and emitted where it ends: however long it is, the weights are copied once.
#pragma once

#include <functional>

#include "passes/Linear.h"

namespace sd {

// x -> factor x + summand by output of a linear op; no factor where all are 1.
struct OutputAffine {
  ValueId x = kNoValue;
  std::vector<double> factor, summand;
};

// The linear op whose outputs a value holds, perhaps after such ops, if nothing else uses the value; or null.
using LinearBehind = std::function<const Op *(ValueId)>;
using OutputAffineReader = std::function<std::optional<OutputAffine>(const Op &, const LinearBehind &)>;

// Folds the ops that `read` knows; appends all others by `otherwise`.
Module foldBackward(const Graph &graph, const OutputAffineReader &read,
                    const std::function<void(Rewriter &, const Op &)> &otherwise);

} // namespace sd
