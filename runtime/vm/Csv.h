// Records as comma-separated numbers, one a line.
#pragma once

#include <string_view>

#include "ir/core/Tensor.h"

namespace sd {

// A tensor [lines, numbers a line]. A first line none of whose fields starts like a number is taken for column names;
// empty lines are skipped. Errors name line and column; a line of another length than the first is one.
Expected<Tensor<float>> parseCsv(std::string_view content);

} // namespace sd
