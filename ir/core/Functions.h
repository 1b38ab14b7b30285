// Functions of one number that are computed in the clear: of constants, and by the hospital of opened results. Their
// names stand in programs.
#pragma once

#include <span>
#include <string_view>

namespace sd {

struct ScalarFunction {
  std::string_view name;
  double (*apply)(double); // NaN or an infinity where the function has no value
};

std::span<const ScalarFunction> allFunctions();            // by name, in rising order
const ScalarFunction *findFunction(std::string_view name); // null: not known

} // namespace sd
