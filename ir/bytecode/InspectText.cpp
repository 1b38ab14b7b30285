#include <algorithm>

#include "ir/bytecode/Format.h"
#include "ir/bytecode/Inspect.h"
#include "ir/bytecode/Inspection.h"

namespace sd {

namespace {

std::string grouped(std::uint64_t value) { // 1234567 -> 1,234,567
  const std::string digits = std::to_string(value);
  std::string out;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) out += ',';
    out += digits[i];
  }
  return out;
}

std::string bytes(std::uint64_t value) {
  if (value < 10'000) return grouped(value) + " B";
  if (value < 1'000'000) return fmt::format("{} B ({:.1f} kB)", grouped(value), static_cast<double>(value) * 1e-3);
  return fmt::format("{} B ({:.2f} MB)", grouped(value), static_cast<double>(value) * 1e-6);
}

std::string counted(std::uint64_t count, std::string_view what) {
  return fmt::format("{} {}{}", grouped(count), what, count == 1 ? "" : "s");
}

class TextForm {
public:
  explicit TextForm(const Inspection &inspection) : in_(inspection) {}

  std::string run() {
    line("program        {}", in_.program.name);
    line("digest         {}", toHex(in_.digest));
    line("format         version {}, ring of {} bits", in_.program.formatVersion, in_.program.ringBits);
    model();
    ports();
    if (in_.program.schema.compiled) text_ += describeBounds(*in_.program.schema.compiled);
    clearPart("public preprocessing (by the hospital, in floats, before sharing)", in_.preprocessing);
    clearPart("public constants (numbers of the model that both parties see)", in_.constants);
    secure();
    clearPart("post-processing (by the hospital, in floats, after opening)", in_.postprocessing);
    costs();
    predictions();
    knowledge();
    return std::move(text_);
  }

private:
  template <class... Args>
  void line(fmt::format_string<Args...> format, Args &&...args) {
    fmt::format_to(std::back_inserter(text_), format, std::forward<Args>(args)...);
    text_ += '\n';
  }

  void model() {
    const Schema &schema = in_.program.schema;
    if (!schema.modelName.empty()) line("model          {}", schema.modelName);
    if (!schema.modelVersion.empty()) line("version        {}", schema.modelVersion);
    if (!schema.description.empty()) line("description    {}", schema.description);
  }

  void ports() {
    line("\ninputs");
    for (const Port &port : in_.io.inputs) {
      const auto it = std::ranges::find_if(in_.program.instructions, [&](const Instruction &i) {
        return i.op == OpKind::Input && i.result == port.slot;
      });
      const std::string range = it->attrs.has(Attr::Low) && it->attrs.has(Attr::High)
                                    ? fmt::format(", in [{}, {}]", it->attrs.f(Attr::Low), it->attrs.f(Attr::High))
                                    : ", range not declared";
      line("  {}: {}{}", port.name, toString(in_.program.slots[port.slot].shape), range);
      if (const InputMeaning *meaning = in_.program.schema.input(port.name)) text_ += describeInput(*meaning);
    }
    line("outputs");
    for (const Port &port : in_.io.outputs) {
      line("  {}: {}", port.name, toString(in_.program.slots[port.slot].shape));
      if (const OutputMeaning *meaning = in_.program.schema.output(port.name)) text_ += describeOutput(*meaning);
    }
  }

  std::string instruction(std::uint32_t index) const {
    const Instruction &it = in_.at(index);
    std::string out = fmt::format("%{} = {}", it.result, info(it.op).mnemonic);
    for (std::size_t i = 0; i < it.operands.size(); ++i)
      out += fmt::format("{}%{}", i ? ", " : " ", it.operands[i]);
    std::string attrs;
    for (const auto &[attr, value] : it.attrs)
      attrs += fmt::format("{}{} = {}", attrs.empty() ? "" : ", ", findAttr(attr)->text, toString(value));
    if (!attrs.empty()) out += " {" + attrs + "}";
    out += " : " + toString(in_.resultOf(index));
    if (!it.source.empty()) out += "  # " + it.source;
    return out;
  }

  void clearPart(std::string_view title, const std::vector<std::uint32_t> &list) {
    line("\n{}", title);
    if (list.empty()) line("  none");
    for (auto index : list)
      line("  {}", instruction(index));
  }

  void secure() {
    line("\nsecure part");
    for (std::size_t g = 0; g < in_.program.groups.size(); ++g) {
      const Group &group = in_.program.groups[g];
      std::vector<std::uint32_t> members;
      for (auto i = group.begin; i < group.end; ++i) {
        if (info(in_.at(i).op).level == Level::Share) members.push_back(i);
      }
      if (members.empty()) continue;
      const GroupCost &cost = in_.cost.groups[g];
      if (group.interactive)
        line("  group {}: {}, {} B to the hospital, {} B to the service", g,
             counted(cost.messages[0] + cost.messages[1], "message"), grouped(cost.onlineBytes[0]),
             grouped(cost.onlineBytes[1]));
      else
        line("  group {}: local", g);
      for (auto i : members) {
        line("    {}", instruction(i));
        const std::string offline = offlineOf(in_.cost.instructions[i]);
        if (!offline.empty()) line("      {}", offline);
      }
    }
  }

  static std::string offlineOf(const InstructionCost &cost) {
    std::vector<std::string> parts;
    if (cost.multiplyAdds) parts.push_back(counted(cost.multiplyAdds, "multiply-add"));
    if (cost.offline.totalBytes()) parts.push_back(fmt::format("offline {} B", grouped(cost.offline.totalBytes())));
    if (cost.offline.linearProducts) parts.push_back(counted(cost.offline.linearProducts, "polynomial product"));
    if (cost.offline.ots + cost.offline.reverseOts)
      parts.push_back(counted(cost.offline.ots + cost.offline.reverseOts, "OT"));
    return fmt::format("{}", fmt::join(parts, ", "));
  }

  void costs() {
    const ProgramCost &c = in_.cost;
    line("\ncost of one inference");
    line("  online         {}: {} B to the hospital, {} B to the service, frames included", bytes(c.totalOnlineBytes()),
         grouped(c.onlineBytes[0]), grouped(c.onlineBytes[1]));
    line("  messages       {}, {} round trips", c.messages[0] + c.messages[1], c.roundTrips);
    line("  offline        {}: {} B to the hospital, {} B to the service, beside the OT extension",
         bytes(c.offline.totalBytes()), grouped(c.offline.bytes[0]), grouped(c.offline.bytes[1]));
    line("  OTs            {}, and {} in the other direction", grouped(c.offline.ots), grouped(c.offline.reverseOts));
    line("  RLWE           {} polynomial products", grouped(c.offline.linearProducts));
    if (const std::uint64_t flooded = in_.floodedCoefficients(); flooded > 0)
      line("  weights        hidden up to 2^-{} an inference, 2^-{} after 10^6 ({}; larger weights are refused)",
           kHidingBits, kHidingBitsAfterMillion, counted(flooded, "flooded coefficient"));
    line("  with a dealer  {} in place of the offline bytes", bytes(c.offline.dealerBytes));
    line("  comparisons    {}", grouped(c.comparisons));
    line("  multiply-adds  {}", grouped(c.multiplyAdds));
    line("  memory         {} at the service, {} at the hospital, at the peak of one session without a dealer",
         bytes(in_.memory[0].peak()), bytes(in_.memory[1].peak()));
    for (const auto &[name, party] : {std::pair("service", 0), std::pair("hospital", 1)}) {
      std::vector<std::string> parts;
      for (const auto &[part, size] : memoryParts())
        if (const std::uint64_t own = in_.memory[party].*size) parts.push_back(fmt::format("{} {}", part, bytes(own)));
      line("    {:<13}{}", name, fmt::join(parts, ", "));
    }
  }

  void predictions() {
    if (in_.networks.empty()) return;
    line("\npredicted milliseconds, online and offline (both parties on one machine of two processors, no dealer)");
    std::string names, links;
    for (const auto &[name, profile] : in_.networks) {
      names += fmt::format("{:>24}", name);
      links += fmt::format(
          "{:>24}", fmt::format("{:g} ms, {:g} Mbit/s", profile.roundTripSeconds * 1e3, profile.bitsPerSecond * 1e-6));
    }
    line("{:30}{}\n{:30}{}", "", names, "  (round trip, bandwidth)", links);
    for (std::uint32_t i = 0; i < in_.program.instructions.size(); ++i) {
      const Instruction &it = in_.at(i);
      if (info(it.op).level == Level::Share && it.op != OpKind::ShareConstant)
        predicted(fmt::format("%{} {} {}", it.result, info(it.op).mnemonic, it.source),
                  [&](const Prediction &p) { return p.instructions[i]; });
    }
    predicted("shared round trips", [](const Prediction &p) { return Seconds{0, p.sharedOffline}; });
    predicted("in all", [](const Prediction &p) { return Seconds{p.online, p.offline}; });
    predicted("set-up, once a session", [](const Prediction &p) { return Seconds{0, p.setUp}; });
  }

  template <class Of>
  void predicted(const std::string &what, const Of &of) {
    std::string columns;
    for (const Prediction &prediction : in_.predictions) {
      const Seconds seconds = of(prediction);
      columns += fmt::format("{:12.2f}{:12.2f}", 1e3 * seconds.online, 1e3 * seconds.offline);
    }
    line("  {:28}{}", what, columns);
  }

  void knowledge() {
    line("\nwhat each party learns");
    line("  both           {}", kBothKnow);
    line("  service        {}", kServiceLearns);
    line("  hospital       {}:", kHospitalLearns);
    for (auto index : in_.opened)
      line("                   %{} {}", in_.at(index).result, toString(in_.resultOf(index)));
    const auto &facts = in_.program.schema.compiled;
    std::string depends = in_.constants.empty() ? "none" : "none but the public constants above";
    if (facts && !facts->openBounds.empty()) depends += ", and which bounds are proved";
    line("  public numbers that depend on the weights: {}", depends);
  }

  const Inspection &in_;
  std::string text_;
};

} // namespace

Expected<std::string> inspectText(const LoadedProgram &loaded, std::span<const NamedNetwork> networks) {
  SD_ASSIGN(const Inspection inspection, Inspection::make(loaded, networks));
  return TextForm(inspection).run();
}

} // namespace sd
