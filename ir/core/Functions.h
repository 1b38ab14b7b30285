// Functions of one number that are computed in the clear: of constants, and by the hospital of opened results. Their
// names stand in programs.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace sd {

struct ScalarFunction {
  std::string_view name;
  double (*apply)(double); // NaN or an infinity where the function has no value
};

std::span<const ScalarFunction> allFunctions();            // by name, in rising order
const ScalarFunction *findFunction(std::string_view name); // null: not known

// A function of rows, along the last axis: "layernorm EPSILON", (x - mean) / sqrt(mean of (x - mean)^2 + epsilon), or
// "rmsnorm EPSILON", x / sqrt(mean of x^2 + epsilon); 0 for rows of zeros.
struct RowFunction {
  bool centred = false;
  double epsilon = 0; // finite, not negative
};
std::optional<RowFunction> rowFunction(std::string_view name); // none: it is no such name
std::string nameOf(const RowFunction &function);

} // namespace sd
