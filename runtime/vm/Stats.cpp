#include "runtime/vm/Stats.h"

#include <algorithm>

#include <nlohmann/json.hpp>

namespace sd {

namespace {

using Json = nlohmann::ordered_json;

// An input's share.input comes from no node of the model: it has the input's name.
std::string nameOf(const Program &program, const Instruction &instruction) {
  if (!instruction.source.empty() || instruction.op != OpKind::ShareInput) return instruction.source;
  for (const Instruction &other : program.instructions)
    if (other.op == OpKind::Input && other.result == instruction.operands[0]) return other.attrs.str(Attr::Name);
  return instruction.source;
}

Json toJson(const Program &program, const PhaseStats &phase) {
  Json json{{"seconds", phase.seconds},
            {"bytes_sent", phase.traffic.bytesSent},
            {"bytes_received", phase.traffic.bytesReceived},
            {"messages_sent", phase.traffic.messagesSent},
            {"messages_received", phase.traffic.messagesReceived},
            {"record_seconds", phase.recordSeconds},
            {"ops", Json::array()}};
  for (std::size_t i = 0; i < phase.ops.size(); ++i) {
    const OpStats &op = phase.ops[i];
    if (op.seconds == 0 && op.bytesSent == 0 && op.bytesReceived == 0) continue;
    json["ops"].push_back({{"name", nameOf(program, program.instructions[i])},
                           {"op", info(program.instructions[i].op).mnemonic},
                           {"seconds", op.seconds},
                           {"bytes_sent", op.bytesSent},
                           {"bytes_received", op.bytesReceived}});
  }
  return json;
}

Json toJson(const Program &program, const SessionStats &stats) {
  return {{"party", stats.party},
          {"sessions", stats.sessions},
          {"records", stats.records},
          {"setup", toJson(program, stats.setup)},
          {"offline", toJson(program, stats.offline)},
          {"online", toJson(program, stats.online)},
          {"stored", stats.stored}};
}

void addTo(PhaseStats &total, const PhaseStats &phase) {
  total.seconds += phase.seconds, total.last = phase.last;
  total.traffic += phase.traffic;
  total.ops.resize(std::max(total.ops.size(), phase.ops.size()));
  for (std::size_t i = 0; i < phase.ops.size(); ++i) {
    total.ops[i].seconds += phase.ops[i].seconds, total.ops[i].last = phase.ops[i].last;
    total.ops[i].bytesSent += phase.ops[i].bytesSent, total.ops[i].bytesReceived += phase.ops[i].bytesReceived;
  }
}

Json event(const std::string &name, const char *phase, const TimeSpan &at, int party, int thread) {
  return {{"name", name},           {"cat", phase}, {"ph", "X"},    {"ts", at.begin * 1e6},
          {"dur", at.length * 1e6}, {"pid", party}, {"tid", thread}};
}

Json label(const char *what, const std::string &name, int party, int thread) {
  return {{"name", what}, {"ph", "M"}, {"pid", party}, {"tid", thread}, {"args", {{"name", name}}}};
}

void addPhase(Json &events, const Program &program, const PhaseStats &phase, const char *name, int party, int thread) {
  events.push_back(label("thread_name", name, party, thread));
  events.push_back(label("thread_name", fmt::format("{}: ops", name), party, thread + 1));
  events.push_back(event(name, name, phase.last, party, thread));
  for (std::size_t i = 0; i < phase.ops.size(); ++i) {
    const OpStats &op = phase.ops[i];
    if (op.last.length == 0) continue;
    const Instruction &instruction = program.instructions[i];
    const std::string_view mnemonic = info(instruction.op).mnemonic;
    Json added = event(fmt::format("{} {}", mnemonic, nameOf(program, instruction)), name, op.last, party, thread + 1);
    added["args"] = {{"bytes_sent", op.bytesSent}, {"bytes_received", op.bytesReceived}};
    events.push_back(std::move(added));
  }
}

} // namespace

SessionStats &SessionStats::operator+=(const SessionStats &session) {
  sessions += session.sessions, records += session.records;
  addTo(setup, session.setup), addTo(offline, session.offline), addTo(online, session.online);
  return *this;
}

std::string toTrace(const Program &program, std::span<const SessionStats> parties) {
  Json events = Json::array();
  for (const SessionStats &stats : parties) {
    events.push_back(label("process_name", stats.party == 0 ? "service" : "hospital", stats.party, 0));
    addPhase(events, program, stats.setup, "setup", stats.party, 0);
    addPhase(events, program, stats.offline, "offline", stats.party, 2);
    addPhase(events, program, stats.online, "online", stats.party, 4);
  }
  return Json{{"traceEvents", std::move(events)}}.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string toJson(const Program &program, std::span<const SessionStats> parties) {
  Json json{{"program", program.name}};
  if (parties.size() == 1)
    json.update(toJson(program, parties[0]));
  else
    for (const SessionStats &stats : parties)
      json["parties"].push_back(toJson(program, stats));
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

} // namespace sd
