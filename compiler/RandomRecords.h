// Records to try a model on where there are none.
#pragma once

#include "compiler/Comparison.h"
#include "passes/Intervals.h"

namespace sd {

enum class RecordKind : std::uint8_t {
  Uniform, // each value by itself: sums of many are nearly the same in every record
  Smooth,  // values beside each other are alike, as in images and signals; a record is darker or lighter than another
};

// In the declared ranges of the inputs, which all have one, or of their columns; the same ones each time.
std::vector<Record> randomRecords(const Module &imported, const ColumnRanges &columns, std::size_t count,
                                  RecordKind kind = RecordKind::Uniform);

} // namespace sd
