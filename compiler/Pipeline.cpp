#include "compiler/Pipeline.h"

#include <cassert>

namespace sd {

namespace {

constexpr std::string_view kPipeline[] = {
    "simplify",
    // Before fuse-bias, which would take apart what makes one function: x / 2 (1 + erf(x / sqrt(2))).
    "approximate",
    // Before fold-batch-norm, which finds its linear op only if no bias stands between them.
    "fuse-bias",
    "fold-batch-norm",
    // Behind it: takes those that found no linear op beside them. Before fold-divisors, which looks for the linear ops
    // too.
    "carry-batch-norm",
    // Before commute-pool-relu and fold-divisors, which look through ReLUs: joined ops are fewer to look through.
    "simplify",
    "commute-pool-relu",
    // Before the last fuse-bias: a divisor that found no linear op behind relus or pools may still find one beside it.
    "fold-divisors",
    // Before fuse-bias: it changes the first linear op's weights and may leave a sum behind it.
    "fold-normalization",
    // Again: batch normalisations that went forward are products and sums now.
    "fuse-bias",
    "simplify",
    // Behind all that changes weights, right before they are rounded.
    "equalise",
    "quantize",
    "place-truncations",
    // Behind place-truncations: the tournament is exact on untruncated scores.
    "reveal-class",
    // Behind place-truncations: the bounds depend on how many bits each op drops.
    "analyse-ranges",
    "drop-dead",
    // Behind everything that adds or removes interactive ops.
    "batch-rounds",
    // Last: a comparison's best circuit depends on its bound and its size.
    "choose-schedules",
};

} // namespace

const std::vector<const Pass *> &defaultPipeline() {
  static const std::vector<const Pass *> passes = [] {
    std::vector<const Pass *> found;
    for (auto name : kPipeline) {
      found.push_back(findPass(name));
      assert(found.back());
    }
    return found;
  }();
  return passes;
}

} // namespace sd
