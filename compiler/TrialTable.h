// Trials as a table for people.
#pragma once

#include "compiler/Trial.h"

namespace sd {

struct Tried {
  std::string flags; // what sets it apart: "--scale 512"; or "as given"
  TrialResult result;
};

// A line each, aligned, under a head: what is proved, how far off it is, what it costs. Columns that no trial fills are
// left out; the one at `mark` is marked.
std::string trialTable(std::span<const Tried> tried, std::optional<std::size_t> mark);

// "12 kB", "3.1 MB"
std::string readableBytes(std::uint64_t bytes);

} // namespace sd
