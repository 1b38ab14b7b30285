// Whether a network treats the rows of its inputs, slices along an axis, as records apart from each other.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "ir/Module.h"

namespace sd {

// Inputs with an axis (most often the first) that has a slice for each of `count` rows; others are the same for all.
struct RowInputs {
  std::map<std::string, std::int64_t> axes;
  std::int64_t count = 1;
};

// Where the rows' results lie in the outputs: row r of `count` has the elements (o count + r) inner + i of an output,
// for all o and all i < inner. One `inner` for each output.
using RowLayout = std::vector<std::int64_t>;

// The layout if each row's result depends on that row alone, and in the same way for all; none otherwise.
std::optional<RowLayout> separateRows(const Module &module, const RowInputs &rows);
// The same of one network at two sizes of its batch: whatever the number of rows.
std::optional<RowLayout> separateRows(const Module &smaller, const RowInputs &smallerRows, const Module &larger,
                                      const RowInputs &largerRows);

// The first op of whose result more than one part in `count` depends on the first row: its source, or "".
std::string mixesRows(const Module &module, const RowInputs &rows);

// The inputs that share the first input's size of the first axis, if it is above 1.
RowInputs likelyRows(const Module &module);

} // namespace sd
