// sdc estimate: what a model will cost, before anything is written or run.
#include <algorithm>
#include <map>

#include <nlohmann/json.hpp>

#include "compiler/codegen/Codegen.h"
#include "ir/bytecode/Prediction.h"
#include "ir/bytecode/ProgramMemory.h"
#include "tools/sdc/Common.h"

namespace sd::tool {

namespace {

struct Flags {
  ModelFlags model;
  bool json = false;
};

// What the program's instructions of one layer of the model take: of a node, or of the function in its place.
struct Layer {
  std::string name;
  std::uint64_t onlineBytes = 0, offlineBytes = 0, comparisons = 0;
  Seconds seconds;
};

// Those that take anything, in the program's order.
std::vector<Layer> layersOf(const Program &program, const ProgramCost &cost, const Prediction &prediction) {
  std::vector<Layer> layers;
  std::map<std::string, std::size_t> places;
  for (std::size_t i = 0; i < program.instructions.size(); ++i) {
    const Instruction &instruction = program.instructions[i];
    const InstructionCost &own = cost.instructions[i];
    const std::string name =
        instruction.source.empty() ? std::string(info(instruction.op).mnemonic) : instruction.source;
    const bool isFree = own.onlineBytes == ByParty{} && own.offline.totalBytes() == 0;
    if (isFree && !places.contains(name)) continue; // constants come first, whosever they are
    const auto place = places.try_emplace(name, layers.size()).first->second;
    if (place == layers.size()) layers.emplace_back().name = name;
    Layer &layer = layers[place];
    layer.onlineBytes += own.onlineBytes[0] + own.onlineBytes[1];
    layer.offlineBytes += own.offline.totalBytes();
    layer.seconds.online += prediction.instructions[i].online;
    layer.seconds.offline += prediction.instructions[i].offline;
    if (instruction.op == OpKind::ShareRelu || instruction.op == OpKind::ShareMax)
      layer.comparisons += static_cast<std::uint64_t>(elementCount(program.slots[instruction.result].shape));
  }
  return layers;
}

std::string layerTable(const std::vector<Layer> &layers) {
  std::size_t width = 5;
  for (const Layer &layer : layers)
    width = std::max(width, std::min<std::size_t>(layer.name.size(), 40));
  std::string text = fmt::format("\n{:<{}} {:>13} {:>13} {:>12} {:>10} {:>10}\n", "layer", width, "online bytes",
                                 "offline bytes", "comparisons", "online s", "offline s");
  for (const Layer &layer : layers)
    text += fmt::format("{:<{}} {:>13} {:>13} {:>12} {:>10.3g} {:>10.3g}\n", layer.name, width, layer.onlineBytes,
                        layer.offlineBytes, layer.comparisons, layer.seconds.online, layer.seconds.offline);
  return text;
}

// A layer that takes most of the bytes, and what another setting would save: compiled with it, not guessed. Empty if
// none does, or nothing helps.
std::string hintOn(const Job &job, const std::vector<Layer> &layers, const ProgramCost &cost) {
  if (layers.empty() || job.context.approximations.empty()) return "";
  const Layer &most = *std::ranges::max_element(layers, {}, &Layer::onlineBytes);
  const auto all = static_cast<double>(cost.totalOnlineBytes());
  const double part = static_cast<double>(most.onlineBytes) / all;
  if (part < 0.4) return "";
  PassContext context;
  context.options = job.context.options;
  context.options.approximationError *= 4;
  auto module = lower(job.imported, {defaultPipeline(), {}}, context);
  if (!module) return "";
  auto compiled = generate(*std::move(module));
  if (!compiled) return "";
  const auto tried = costOf(compiled->program);
  if (!tried) return "";
  const double saved = 1 - static_cast<double>(tried->totalOnlineBytes()) / all;
  if (saved < 0.05) return "";
  return fmt::format(
      "\n{} takes {:.0f} % of the online bytes; --approximation-error {:.3g} saves {:.0f} % of all of them; "
      "sdc check says what that costs in accuracy\n",
      most.name, 100 * part, context.options.approximationError, 100 * saved);
}

std::string toJson(const std::vector<Layer> &layers, const ProgramCost &cost, const Prediction &prediction,
                   const NetworkProfile &network, const std::array<PartyMemory, 2> &memory) {
  using nlohmann::ordered_json;
  ordered_json root = {
      {"network", {{"round_trip_seconds", network.roundTripSeconds}, {"bits_per_second", network.bitsPerSecond}}},
      {"online",
       {{"bytes", cost.totalOnlineBytes()},
        {"bytes_sent", {{"service", cost.onlineBytes[0]}, {"hospital", cost.onlineBytes[1]}}},
        {"round_trips", cost.roundTrips},
        {"seconds", prediction.online}}},
      {"offline",
       {{"bytes", cost.offline.totalBytes()},
        {"ots", cost.offline.ots + cost.offline.reverseOts},
        {"seconds", prediction.offline},
        {"set_up_seconds", prediction.setUp}}},
      {"comparisons", cost.comparisons},
      {"multiply_adds", cost.multiplyAdds},
      {"weights_bytes", cost.weightBytes},
      {"memory_bytes", {{"service", memory[0].peak()}, {"hospital", memory[1].peak()}}},
      {"layers", ordered_json::array()}};
  for (const Layer &layer : layers)
    root["layers"].push_back({{"layer", layer.name},
                              {"online_bytes", layer.onlineBytes},
                              {"offline_bytes", layer.offlineBytes},
                              {"comparisons", layer.comparisons},
                              {"online_seconds", layer.seconds.online},
                              {"offline_seconds", layer.seconds.offline}});
  return root.dump(2, ' ', false, ordered_json::error_handler_t::replace) + '\n';
}

Expected<void> estimate(const Flags &flags) {
  Job job;
  SD_TRY(run(flags.model, defaultPipeline(), job));
  SD_ASSIGN(const Compiled compiled, generate(job.module));
  SD_ASSIGN(const ProgramCost cost, costOf(compiled.program));
  const NetworkProfile &network = job.context.options.network;
  const Prediction prediction = predict(compiled.program, cost, network);
  const auto memory = memoryOf(compiled.program, cost);
  const auto megabytes = [&](int party) { return static_cast<double>(memory[party].peak()) * 1e-6; };
  const std::vector<Layer> layers = layersOf(compiled.program, cost, prediction);
  if (flags.json) return writeText("-", toJson(layers, cost, prediction, network, memory));
  return writeText("-", fmt::format("online bytes       {} ({} from the service, {} from the hospital)\n"
                                    "round trips        {}\n"
                                    "online             {:.4g} s predicted ({:g} ms round trip, {:g} Mbit/s)\n"
                                    "offline            {:.4g} s predicted, and {:.4g} s once a session\n"
                                    "comparisons        {}\n"
                                    "multiply-adds      {}\n"
                                    "offline bytes      {} (beside those of the OT extension)\n"
                                    "OTs                {}\n"
                                    "weights            {} bytes\n"
                                    "memory             {:.4g} MB at the service, {:.4g} MB at the hospital\n",
                                    cost.totalOnlineBytes(), cost.onlineBytes[0], cost.onlineBytes[1], cost.roundTrips,
                                    prediction.online, network.roundTripSeconds * 1e3, network.bitsPerSecond * 1e-6,
                                    prediction.offline, prediction.setUp, cost.comparisons, cost.multiplyAdds,
                                    cost.offline.totalBytes(), cost.offline.ots + cost.offline.reverseOts,
                                    cost.weightBytes, megabytes(0), megabytes(1)) +
                            layerTable(layers) + hintOn(job, layers, cost));
}

} // namespace

void addEstimate(CLI::App &app, Action &action) {
  auto *command = app.add_subcommand("estimate", "what a run of a model will cost");
  auto flags = std::make_shared<Flags>();
  addModelFlags(*command, flags->model);
  command->add_flag("--json", flags->json, "as JSON");
  command->callback([flags, &action] { action = [flags] { return estimate(*flags); }; });
}

} // namespace sd::tool
