// Which file is which of a program's inputs and outputs.
#pragma once

#include <map>

#include "tools/RunOptions.h"

namespace sd {

struct RunFiles {
  std::map<std::string, std::vector<std::string>> inputs; // by the program's names; files, folders and patterns
  std::map<std::string, std::string> outputs;             // the same
};

// Reads --input and --output, as filesByName() does. Errors also: a result that is not to be .npy, or would replace
// what the run reads or another result.
Expected<RunFiles> filesOf(const RunOptions &options, const Program &program);

} // namespace sd
