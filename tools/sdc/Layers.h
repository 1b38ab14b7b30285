// What is said of the layers that cost most.
#pragma once

#include "compiler/codegen/Codegen.h"
#include "ir/bytecode/Layers.h"
#include "tools/sdc/Common.h"

namespace sd::tool {

// A layer that takes most of the bytes, and what another setting would save and change: compiled and run with it, not
// guessed; a line without its end. Empty if none does, or nothing helps.
std::string hintOn(const Job &job, const std::vector<Layer> &layers, const ProgramCost &cost);

// The text, or its beginning and "..." in `most` bytes (at least 4); no character of UTF-8 is cut.
std::string shortened(const std::string &text, std::size_t most);

} // namespace sd::tool
