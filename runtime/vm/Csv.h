// Records as comma-separated numbers, one a line.
#pragma once

#include <string_view>

#include "ir/core/Tensor.h"

namespace sd {

struct Csv {
  Tensor<float> records; // [lines, numbers a line]
  bool named = false;    // the first line names the columns, and is no record
};

// A first line is taken for column names if none of its fields is a number, starts like one, stands for a missing value
// (NA, null, nothing at all, ...) or is but signs. Errors name line and column: a field that is not a number, a missing
// value, a line of another length than the first, an empty line that others follow.
Expected<Csv> parseCsv(std::string_view content);

} // namespace sd
