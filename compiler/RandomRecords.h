// Records to try a model on where there are none.
#pragma once

#include "compiler/Comparison.h"
#include "passes/Intervals.h"

namespace sd {

// Uniform in the declared ranges of the inputs, which all have one, or of their columns; the same ones each time.
std::vector<Record> randomRecords(const Module &imported, const ColumnRanges &columns, std::size_t count);

} // namespace sd
