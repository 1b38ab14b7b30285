#include "tools/sdc/Layers.h"

#include <algorithm>
#include <map>

namespace sd::tool {

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
      layers.push_back({.name = name, .seconds = std::vector<Seconds>(predictions.size())});
      counted.push_back(program.groups.size());
    }
    Layer &layer = layers[place];
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

std::string hintOn(const Job &job, const std::vector<Layer> &layers, const ProgramCost &cost) {
  if (layers.empty() || job.context.approximations.empty()) return "";
  const Layer &most = *std::ranges::max_element(layers, {}, &Layer::onlineBytes);
  const auto all = static_cast<double>(cost.totalOnlineBytes());
  const double part = static_cast<double>(most.onlineBytes) / all;
  if (part < 0.4) return "";
  PassContext context;
  context.options = job.context.options;
  context.options.approximationError *= 4;
  const auto module = lower(job.imported, {defaultPipeline(), {}}, context);
  if (!module) return "";
  const auto compiled = generate(*module);
  if (!compiled) return "";
  const auto tried = costOf(compiled->program);
  if (!tried) return "";
  const double saved = 1 - static_cast<double>(tried->totalOnlineBytes()) / all;
  if (saved < 0.05) return "";
  std::string text =
      fmt::format("{} takes {:.0f} % of the online bytes; --approximation-error {:.3g} saves {:.0f} % of "
                  "all of them",
                  shortened(most.name, 60), 100 * part, context.options.approximationError, 100 * saved);
  if (const auto estimate = estimateError(job.imported, *module, context); estimate && estimate->comparison.records > 0)
    text += fmt::format(", same class {} {}", percentOf(estimate->comparison.same, estimate->comparison.records),
                        describeRecords(*estimate));
  return text + "; sdc check says what that costs in accuracy";
}

std::string shortened(const std::string &text, std::size_t most) {
  if (text.size() <= most) return text;
  std::size_t end = most - 3;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80)
    --end;
  return text.substr(0, end) + "...";
}

} // namespace sd::tool
