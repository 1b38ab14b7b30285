// Ways out of what a compilation can't prove, approximate or express at its settings: a few others, tried.
#pragma once

#include <functional>

#include "compiler/TrialTable.h"

namespace sd {

struct Advice {
  std::vector<Tried> tried;          // what was asked for first
  std::optional<std::size_t> best;   // reaches the goal, at the least cost
  std::vector<std::string> declared; // the flags of input ranges that all but the first have; they may be none
  std::string note;                  // on what was compared; or empty
};

using Goal = std::function<bool(const TrialResult &)>;

// Compiled, all ranges proved (or measured on enough records, where records are given), functions as close as asked
// for, and no further from floats than Comparison::close() says.
bool isSound(const TrialResult &result, const TrialOptions &options);
bool isSound(const PassContext &context); // as far as a compilation alone says

// Tries coarser and finer scales, the larger ring and bound, and where no input range is declared one that fits the
// records, or common ones. Compares on options.records, else on random values within the declared ranges.
Advice advise(const Module &imported, const TrialOptions &options, const Goal &goal);

// Multiply-adds of one run of an imported module, and 32 for each element of what is no product: what a trial takes.
double workOf(const Module &imported);

// A module with input ranges where it declared none, and the flags that say so.
struct Declared {
  Module module;
  std::vector<std::string> flags; // "--input-range=0,1"; none if none was missing
};
// Ranges that fit the records, if there are any; else what is common for images, or for scaled columns.
Declared declareMissing(const Module &module, std::span<const Record> records);

// A range for values that lie in low..high: 0,1 or -1,1 or 0,255 if they fit, else half as wide again on both sides.
std::pair<double, double> declarableRange(double low, double high);

} // namespace sd
