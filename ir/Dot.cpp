#include "ir/Dot.h"

namespace sd {

namespace {

// Inside a DOT string. Control bytes are not shown.
std::string escaped(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += static_cast<unsigned char>(c) < 0x20 ? '?' : c;
  }
  return out;
}

std::string_view shapeOf(const Module &module, const Op &op) {
  if (op.result == kNoValue) return "ellipse";
  switch (module.type(op.result).holder) {
  case Holder::Clear:
    return "ellipse";
  case Holder::Weight:
    return "house";
  case Holder::Share:
    return "box";
  }
  std::abort();
}

} // namespace

std::string dot(const Module &module) {
  std::string text = fmt::format("digraph \"{}\" {{\n  node [fontname=monospace];\n", escaped(module.name));
  const std::vector<std::size_t> definedBy = definitionsOf(module);
  for (std::size_t i = 0; i < module.ops.size(); ++i) {
    const Op &op = module.ops[i];
    std::string label(info(op.kind).mnemonic);
    if (!op.source.empty()) label += "\\n" + escaped(op.source);
    text += fmt::format("  op{} [shape={}, label=\"{}\"];\n", i, shapeOf(module, op), label);
    for (ValueId operand : op.operands)
      text += fmt::format("  op{} -> op{} [label=\"{}\"];\n", definedBy[operand], i,
                          escaped(toString(module.type(operand))));
  }
  return text + "}\n";
}

} // namespace sd
