// sdc estimate: what a model will cost, before anything is written or run.
#include <nlohmann/json.hpp>

#include "ir/bytecode/ProgramMemory.h"
#include "tools/sdc/Layers.h"

namespace sd::tool {

namespace {

struct Flags {
  ModelFlags model;
  bool json = false;
};

std::string layerTable(const std::vector<Layer> &layers) {
  constexpr std::size_t kWidest = 40;
  std::size_t width = 5;
  for (const Layer &layer : layers)
    width = std::max(width, std::min<std::size_t>(layer.name.size(), kWidest));
  std::string text = fmt::format("\n{:<{}} {:>13} {:>13} {:>12} {:>10} {:>10}\n", "layer", width, "online bytes",
                                 "offline bytes", "comparisons", "online s", "offline s");
  for (const Layer &layer : layers)
    text += fmt::format("{:<{}} {:>13} {:>13} {:>12} {:>10.3g} {:>10.3g}\n", shortened(layer.name, kWidest), width,
                        layer.onlineBytes, layer.offlineBytes, layer.comparisons, layer.seconds[0].online,
                        layer.seconds[0].offline);
  return text;
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
                              {"messages", layer.messages},
                              {"online_seconds", layer.seconds[0].online},
                              {"offline_seconds", layer.seconds[0].offline}});
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
  const std::vector<Layer> layers = layersOf(compiled.program, cost, std::span(&prediction, 1));
  if (flags.json) return writeText("-", toJson(layers, cost, prediction, network, memory));
  const std::string hint = hintOn(job, layers, cost);
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
                            layerTable(layers) + (hint.empty() ? "" : "\n" + hint + "\n"));
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
