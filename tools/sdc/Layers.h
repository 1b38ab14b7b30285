// What a program costs, by the layers of the model that it came from.
#pragma once

#include "compiler/codegen/Codegen.h"
#include "ir/bytecode/Prediction.h"
#include "tools/sdc/Common.h"

namespace sd::tool {

// What the program's instructions of one layer of the model take: of a node, or of the function in its place.
struct Layer {
  std::string name;
  std::uint64_t onlineBytes = 0, offlineBytes = 0, comparisons = 0;
  std::uint64_t messages = 0;   // that it takes part in, of both parties; layers of one group share theirs
  std::vector<Seconds> seconds; // by network
};

// Those that take anything, in the program's order; `predictions` by network.
std::vector<Layer> layersOf(const Program &program, const ProgramCost &cost, std::span<const Prediction> predictions);

// A layer that takes most of the bytes, and what another setting would save and change: compiled and run with it, not
// guessed; a line without its end. Empty if none does, or nothing helps.
std::string hintOn(const Job &job, const std::vector<Layer> &layers, const ProgramCost &cost);

// The text, or its beginning and "..." in `most` bytes (at least 4); no character of UTF-8 is cut.
std::string shortened(const std::string &text, std::size_t most);

} // namespace sd::tool
