// What a program costs, by the layers of the model that it came from.
#pragma once

#include "ir/bytecode/Prediction.h"

namespace sd {

// What the program's instructions of one layer of the model take: of a node, or of the function in its place.
struct Layer {
  std::string name;
  std::vector<std::string> ops; // mnemonics of its instructions, each once
  std::uint64_t onlineBytes = 0, offlineBytes = 0, comparisons = 0;
  std::uint64_t messages = 0;   // that it takes part in, of both parties; layers of one group share theirs
  std::vector<Seconds> seconds; // by network
};

// Those that take anything, in the program's order; `predictions` by network.
std::vector<Layer> layersOf(const Program &program, const ProgramCost &cost, std::span<const Prediction> predictions);

} // namespace sd
