#include "ir/bytecode/Inspection.h"

namespace sd {

Expected<Inspection> Inspection::make(const LoadedProgram &loaded, std::span<const NamedNetwork> networks) {
  SD_ASSIGN(ProgramCost cost, costOf(loaded.program));
  const std::array<PartyMemory, 2> memory = memoryOf(loaded.program, cost);
  Inspection out{
      loaded.program, loaded.digest, ioOf(loaded.program), std::move(cost), memory, {}, {}, {}, {}, networks, {}};
  for (const NamedNetwork &network : networks)
    out.predictions.push_back(predict(loaded.program, out.cost, network.profile));
  for (std::uint32_t i = 0; i < loaded.program.instructions.size(); ++i) {
    const OpKind op = loaded.program.instructions[i].op;
    if (op == OpKind::Constant)
      out.constants.push_back(i);
    else if (op == OpKind::ShareOutput)
      out.opened.push_back(i);
    else if (info(op).level == Level::Nn && op != OpKind::Input && op != OpKind::Return)
      (i < out.io.bodyBegin ? out.preprocessing : out.postprocessing).push_back(i);
  }
  return out;
}

namespace {

constexpr std::size_t kShown = 8;

template <class Items>
std::string shorten(const Items &items) {
  std::string text = "[";
  for (std::size_t i = 0; i < items.size() && i < kShown; ++i)
    text += fmt::format("{}{}", i ? ", " : "", items[i]);
  if (items.size() > kShown) text += fmt::format(", ... {} in all", items.size());
  return text + "]";
}

} // namespace

std::string toString(const AttrValue &value) {
  struct Visitor {
    std::string operator()(std::int64_t v) const { return fmt::format("{}", v); }
    std::string operator()(double v) const { return fmt::format("{}", v); }
    std::string operator()(const std::string &v) const { return fmt::format("\"{}\"", v); }
    std::string operator()(const std::vector<std::int64_t> &v) const { return shorten(v); }
    std::string operator()(const std::vector<std::string> &v) const { return shorten(v); }
    std::string operator()(const Floats32 &v) const {
      return fmt::format("<{}> {}", toString(v->shape), shorten(v->data));
    }
    std::string operator()(const Ints64 &v) const { return fmt::format("<{}>", toString(v->shape())); }
  };
  return std::visit(Visitor{}, value);
}

} // namespace sd
