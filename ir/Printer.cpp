#include "ir/Printer.h"

#include "ir/TextAttrs.h"

namespace sd {

std::string print(const Module &module, PrintOptions options) {
  std::vector<std::size_t> numbers(module.types.size());
  std::size_t next = 0;
  const std::string ring = module.ringBits == kBitsOf<Ring32> ? "" : fmt::format(" ring {}", module.ringBits);
  std::string text = fmt::format("module {}{} {{\n", printString(module.name), ring);
  for (auto &op : module.ops) {
    text += "  ";
    if (op.result != kNoValue) {
      numbers[op.result] = next++;
      text += fmt::format("%{} = ", numbers[op.result]);
    }
    text += info(op.kind).mnemonic;
    for (std::size_t i = 0; i < op.operands.size(); ++i)
      text += fmt::format("{} %{}", i > 0 ? "," : "", numbers[op.operands[i]]);
    for (bool first = true; auto &[attr, value] : op.attrs) {
      text += fmt::format("{}{} = {}", first ? " {" : ", ", findAttr(attr)->text, printValue(value, options.elide));
      first = false;
    }
    if (op.attrs.size() > 0) text += "}";
    if (op.result != kNoValue) text += " : " + toString(module.type(op.result));
    if (!op.source.empty()) text += fmt::format(" loc({})", printString(op.source));
    text += "\n";
  }
  return text + "}\n";
}

} // namespace sd
