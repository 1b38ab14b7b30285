#include <nlohmann/json.hpp>

#include <algorithm>

#include "ir/bytecode/Format.h"
#include "ir/bytecode/Inspect.h"
#include "ir/bytecode/Inspection.h"
#include "ir/bytecode/Layers.h"
#include "ir/bytecode/SchemaJson.h"

namespace sd {

namespace {

using Json = nlohmann::ordered_json;

Json byParty(const ByParty &value) { return {{"service", value[0]}, {"hospital", value[1]}}; }

Json offlineJson(const OfflineCost &cost) {
  return {{"bytes_sent", byParty(cost.bytes)},
          {"bytes", cost.totalBytes()},
          {"ots", cost.ots},
          {"reverse_ots", cost.reverseOts},
          {"polynomial_products", cost.linearProducts},
          {"dealer_bytes", cost.dealerBytes}};
}

struct AttrJson {
  template <class T>
  Json operator()(const T &value) const {
    return value;
  }
  Json operator()(double value) const { // JSON has no infinities
    if (std::isfinite(value)) return value;
    return fmt::format("{}", value);
  }
  Json operator()(const Floats32 &value) const { return {{"shape", value->shape}}; }
  Json operator()(const Ints64 &value) const { return {{"shape", value->shape()}}; }
};

std::string_view name(Holder holder) {
  switch (holder) {
  case Holder::Clear:
    return "clear";
  case Holder::Weight:
    return "weight";
  case Holder::Share:
    return "share";
  }
  return "";
}

Json instructionJson(const Inspection &in, std::uint32_t index) {
  const Instruction &it = in.at(index);
  const InstructionCost &cost = in.cost.instructions[index];
  Json json{{"index", index}, {"op", info(it.op).mnemonic}, {"source", it.source}, {"operands", it.operands}};
  if (info(it.op).hasResult()) {
    const Type &type = in.resultOf(index);
    json["result"] = it.result;
    json["type"] = {{"holder", name(type.holder)}, {"shape", type.shape}, {"scale", type.scale}};
  }
  Json attrs = Json::object();
  for (const auto &[attr, value] : it.attrs)
    attrs[std::string(findAttr(attr)->text)] = std::visit(AttrJson{}, value);
  json["attributes"] = std::move(attrs);
  json["online_bytes_sent"] = byParty(cost.onlineBytes);
  json["offline"] = offlineJson(cost.offline);
  json["multiply_adds"] = cost.multiplyAdds;
  return json;
}

Json listJson(const Inspection &in, const std::vector<std::uint32_t> &list) {
  Json json = Json::array();
  for (auto index : list)
    json.push_back(instructionJson(in, index));
  return json;
}

Json portsJson(const Inspection &in, const std::vector<Port> &ports) {
  Json json = Json::array();
  for (const Port &port : ports) {
    Json entry{{"name", port.name}, {"shape", in.program.slots[port.slot].shape}};
    const auto it = std::ranges::find_if(in.program.instructions, [&](const Instruction &i) {
      return i.op == OpKind::Input && i.result == port.slot && i.attrs.has(Attr::Low);
    });
    if (it != in.program.instructions.end())
      entry["range"] = {AttrJson{}(it->attrs.f(Attr::Low)), AttrJson{}(it->attrs.f(Attr::High))};
    json.push_back(std::move(entry));
  }
  return json;
}

Json groupsJson(const Inspection &in) {
  Json json = Json::array();
  for (std::size_t g = 0; g < in.program.groups.size(); ++g) {
    const Group &group = in.program.groups[g];
    Json members = Json::array();
    for (auto i = group.begin; i < group.end; ++i)
      members.push_back(instructionJson(in, i));
    json.push_back({{"interactive", group.interactive},
                    {"messages_sent", byParty(in.cost.groups[g].messages)},
                    {"online_bytes_sent", byParty(in.cost.groups[g].onlineBytes)},
                    {"instructions", std::move(members)}});
  }
  return json;
}

// Statistical distance of what the hospital sees from what does not depend on the weights, as minus its logarithm.
Json hidingJson(const Inspection &in) {
  return {{"flooded_coefficients", in.floodedCoefficients()},
          {"bits_an_inference", kHidingBits},
          {"bits_after_a_million", kHidingBitsAfterMillion}};
}

Json memoryJson(const PartyMemory &party) {
  Json json = {{"peak_bytes", party.peak()}};
  for (const auto &[name, bytes] : memoryParts())
    json[fmt::format("{}_bytes", name)] = party.*bytes;
  return json;
}

Json costJson(const Inspection &in) {
  const ProgramCost &cost = in.cost;
  return {{"online",
           {{"bytes_sent", byParty(cost.onlineBytes)},
            {"bytes", cost.totalOnlineBytes()},
            {"messages_sent", byParty(cost.messages)},
            {"round_trips", cost.roundTrips}}},
          {"offline", offlineJson(cost.offline)},
          {"comparisons", cost.comparisons},
          {"multiply_adds", cost.multiplyAdds},
          {"memory", {{"service", memoryJson(in.memory[0])}, {"hospital", memoryJson(in.memory[1])}}}};
}

Json predictedJson(const Inspection &in) {
  Json json = Json::array();
  for (std::size_t n = 0; n < in.networks.size(); ++n) {
    const auto &[name, profile] = in.networks[n];
    const Prediction &prediction = in.predictions[n];
    Json instructions = Json::array();
    for (std::size_t i = 0; i < prediction.instructions.size(); ++i)
      if (const Seconds &each = prediction.instructions[i]; each != Seconds{})
        instructions.push_back({{"index", i}, {"online_seconds", each.online}, {"offline_seconds", each.offline}});
    json.push_back({{"network", name},
                    {"round_trip_seconds", profile.roundTripSeconds},
                    {"bits_per_second", profile.bitsPerSecond},
                    {"online_seconds", prediction.online},
                    {"offline_seconds", prediction.offline},
                    {"shared_offline_seconds", prediction.sharedOffline},
                    {"set_up_seconds", prediction.setUp},
                    {"instructions", std::move(instructions)}});
  }
  return json;
}

Json layersJson(const Inspection &in) {
  Json json = Json::array();
  for (const Layer &layer : layersOf(in.program, in.cost, in.predictions)) {
    Json predicted = Json::array();
    for (std::size_t n = 0; n < in.networks.size(); ++n)
      predicted.push_back({{"network", in.networks[n].name},
                           {"online_seconds", layer.seconds[n].online},
                           {"offline_seconds", layer.seconds[n].offline}});
    json.push_back({{"layer", layer.name},
                    {"ops", layer.ops},
                    {"online_bytes", layer.onlineBytes},
                    {"offline_bytes", layer.offlineBytes},
                    {"comparisons", layer.comparisons},
                    {"messages", layer.messages},
                    {"predicted", std::move(predicted)}});
  }
  return json;
}

} // namespace

Expected<std::string> inspectJson(const LoadedProgram &loaded, std::span<const NamedNetwork> networks) {
  SD_ASSIGN(const Inspection in, Inspection::make(loaded, networks));
  const Json json{{"name", in.program.name},
                  {"digest", toHex(in.digest)},
                  {"format_version", in.program.formatVersion},
                  {"ring_bits", in.program.ringBits},
                  {"schema", Json::parse(toJson(in.program.schema))},
                  {"inputs", portsJson(in, in.io.inputs)},
                  {"outputs", portsJson(in, in.io.outputs)},
                  {"public_preprocessing", listJson(in, in.preprocessing)},
                  {"public_constants", listJson(in, in.constants)},
                  {"postprocessing", listJson(in, in.postprocessing)},
                  {"groups", groupsJson(in)},
                  {"cost", costJson(in)},
                  {"weights_hidden", hidingJson(in)},
                  {"predicted", predictedJson(in)},
                  {"layers", layersJson(in)},
                  {"learns",
                   {{"both", kBothKnow},
                    {"service", kServiceLearns},
                    {"hospital", kHospitalLearns},
                    {"opened", listJson(in, in.opened)},
                    {"public_numbers_from_weights", listJson(in, in.constants)}}}};
  return json.dump(2) + "\n";
}

} // namespace sd
