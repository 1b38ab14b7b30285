// What to say where rounding costs precision, with settings that were tried.
#pragma once

#include "compiler/Trial.h"
#include <functional>

namespace sd {

// A compilation and the records it may be judged by.
struct Compilation {
  const Module &imported;
  const PassContext &context;
  std::span<const Record> records;
};

// Layers of which output channels are coarse, a line each.
std::vector<std::string> describeRounding(const std::vector<Coarseness> &layers);

// The first of a few settings that mends it, or that none does.
std::string adviseOnRounding(const Compilation &compilation);

// The first of a few settings with which constants do not all round to zero; or that none helps.
std::string adviseOnZeros(const Compilation &compilation);

// The first of a few settings with which fixed point comes as close to the floats on the records as is wanted; or that
// none does, and which comes closest.
using Closeness = std::function<bool(const Comparison &)>;
std::string adviseOnError(const Compilation &compilation, const Closeness &isClose);

} // namespace sd
