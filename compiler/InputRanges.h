// Declared input ranges that are hardly meant so.
#pragma once

#include "compiler/Comparison.h"

namespace sd {

// A line for each input whose range leaves small values no digits, is far wider than all of the records (which may be
// none), or admits a single value. Each says what to do.
std::vector<std::string> describeRanges(const Module &imported, const Module &lowered, std::span<const Record> records);

} // namespace sd
