// The settings of a compilation, searched: scale, weight scale, ring, approximation error and bound.
#pragma once

#include "compiler/Advice.h"

namespace sd {

struct Sweep {
  std::vector<Tried> tried;        // in the order of the search, what was asked for first
  std::optional<std::size_t> best; // the one to take; none if no program came about
};

// Called before each trial.
using SweepProgress = std::function<void(std::size_t tried, std::size_t expected, const std::string &flags)>;

// One setting after another, each from the best so far; a direction is left where it gets no better. The best are those
// close to floats, of these those whose ranges are proved, else measured with a bit to spare; of these the cheapest (by
// predicted seconds online and offline within 5 %, then bytes within 25 %), and of these the most precise.
// `options.records` must not be empty.
Sweep sweep(const Module &imported, const TrialOptions &options, const SweepProgress &progress);

} // namespace sd
