#include "ir/bytecode/Layers.h"

#include <algorithm>
#include <map>

namespace sd {

std::vector<Layer> layersOf(const Program &program, const ProgramCost &cost, std::span<const Prediction> predictions) {
  std::vector<Layer> layers;
  std::map<std::string, std::size_t> places;
  std::vector<std::size_t> groups(program.instructions.size(), program.groups.size()); // by instruction
  for (std::size_t g = 0; g < program.groups.size(); ++g)
    for (auto i = program.groups[g].begin; i < program.groups[g].end; ++i)
      groups[i] = g;
  std::vector<std::size_t> counted; // by layer: the last group whose messages it has
  for (std::size_t i = 0; i < program.instructions.size(); ++i) {
    const Instruction &instruction = program.instructions[i];
    const InstructionCost &own = cost.instructions[i];
    const std::string name =
        instruction.source.empty() ? std::string(info(instruction.op).mnemonic) : instruction.source;
    const bool isFree = own.onlineBytes == ByParty{} && own.offline.totalBytes() == 0;
    if (isFree && !places.contains(name)) continue; // constants come first, whosever they are
    const auto place = places.try_emplace(name, layers.size()).first->second;
    if (place == layers.size()) {
      layers.emplace_back().name = name;
      layers.back().seconds.resize(predictions.size());
      counted.push_back(program.groups.size());
    }
    Layer &layer = layers[place];
    if (const std::string op(info(instruction.op).mnemonic); std::ranges::find(layer.ops, op) == layer.ops.end())
      layer.ops.push_back(op);
    layer.onlineBytes += own.onlineBytes[0] + own.onlineBytes[1];
    layer.offlineBytes += own.offline.totalBytes();
    for (std::size_t n = 0; n < predictions.size(); ++n) {
      layer.seconds[n].online += predictions[n].instructions[i].online;
      layer.seconds[n].offline += predictions[n].instructions[i].offline;
    }
    if (const std::size_t g = groups[i];
        own.onlineBytes != ByParty{} && g < cost.groups.size() && counted[place] != g) {
      layer.messages += cost.groups[g].messages[0] + cost.groups[g].messages[1];
      counted[place] = g;
    }
    if (instruction.op == OpKind::ShareRelu || instruction.op == OpKind::ShareMax)
      layer.comparisons += static_cast<std::uint64_t>(elementCount(program.slots[instruction.result].shape));
  }
  return layers;
}

} // namespace sd
