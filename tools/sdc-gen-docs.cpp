// Writes docs/ir.md from the op, attribute and constraint tables. A test fails when the file is stale; renew it with
//   build/release/bin/sdc-gen-docs > docs/ir.md
#include <cstdio>

#include "ir/Parser.h"
#include "ir/Printer.h"
#include "ir/Verifier.h"

using namespace sd;

namespace {

constexpr std::string_view kIntroduction = R"(# The intermediate representation

<!-- Made by sdc-gen-docs from ir/core/Ops.def, Attrs.def and Constraints.def; do not edit. -->

A module is a flat list of ops in static single assignment: every value is the result of one op, and an op uses results
of earlier ones. There is no control flow. Ops are of two levels:

- **nn**: what the model meant, in floats.
- **share**: what the machine does, in integers mod 2^L: L is 32 or, in a module of `ring 64`, 64. An integer `q` of scale `s`
  means the real `q / 2^s`.

A module with share ops is *lowered*: its nn ops are the hospital's, before `share.input` and after `share.output`.
Every type says who holds the value:

| type | who holds what |
|---|---|
| `clear<1x30>` | floats. In a lowered module, the hospital's (P1's) plaintext |
| `weight<16x30, 2^10>` | integers of scale 10 that the service (P0) alone holds; only `share.constant` gives them |
| `share<1x16, 2^20>` | `X + r` mod 2^L: P0 holds `X`, P1 the mask `r` |

A shape without dimensions is written `scalar`. What each op means in numbers is in `ir/core/Reference*.cpp`: nn ops
add up in double precision; a truncation of `y` by `t` bits gives `floor((y + 2^(t-1)) / 2^t)`, the nearest integer, half
up. A secure run gives the same, bit for bit.

## Text form

One op a line; `//` begins a comment. The type may be left out where the op determines it.

    module     = 'module' string [ 'ring' ( '32' | '64' ) ] '{' newline { op newline } '}'
    op         = [ value '=' ] mnemonic [ value { ',' value } ] [ attributes ] [ ':' type ] [ 'loc' '(' string ')' ]
    value      = '%' name                          letters, digits, '_', '.', '$', '-', '+'
    attributes = '{' name '=' datum { ',' name '=' datum } '}'
    type       = 'clear' '<' shape '>' | ( 'weight' | 'share' ) '<' shape ',' '2^' integer '>'
    shape      = 'scalar' | integer { 'x' integer }
    string     = '"' bytes '"'                     with \" \\ and \xHH
    float      = decimal | '0x' and the bits       decimals are the shortest that read back to the same bits
    tensor     = ( 'floats' | 'ints' ) '<' shape '>' ( '[' elements ']' | 'splat' element | 'hex' '"' digits '"' )

`loc` names the node of the model that the op came from. Tensors of more than 16 elements are written as `splat`, or as
hexadecimal digits, 8 for the bits of each element, or 16 if they are integers that do not all fit into 32 bits. A dump
for reading has `elided` in their place, which can't be read back. A module without `ring` is of 32 bits. Reading what
was printed gives the same module, floats bit for bit. An example:

)";

constexpr std::string_view kExample = R"(module "example" {
  %0 = nn.input {name = "record", shape = [1, 3], low = 0, high = 255}
  %1 = nn.constant {value = floats<scalar> [255]}
  %2 = nn.div %0, %1
  %3 = share.input %2 : share<1x3, 2^10>
  %4 = share.constant {weights = ints<3x2> [512, -256, 1024, 0, 3, 77]} : weight<3x2, 2^10> loc("Gemm_0")
  %5 = share.constant {weights = ints<2> [1048576, -524288]} : weight<2, 2^20> loc("Gemm_0")
  %6 = share.matmul %3, %4, %5 loc("Gemm_0")
  %7 = share.relu %6 {bits = 10, bound = 30, round = 1, schedule = [2, 6, 3, 3, 3]} loc("Relu_1")
  %8 = share.output %7
  %9 = nn.softmax %8 {axis = 1} loc("Softmax_2")
  nn.return %9 {names = ["diagnosis"]}
})";

// The example as the printer writes it; it is parsed and verified on the way.
bool printExample() {
  Diagnostics diagnostics;
  const auto module = parse(kExample, "example", diagnostics);
  if (!module) return fmt::print(stderr, "{}", diagnostics.render()), false;
  std::string_view rest = kExample;
  const std::string text = print(*module);
  for (rest = text; !rest.empty();) {
    const std::size_t end = rest.find('\n');
    fmt::print("    {}\n", rest.substr(0, end));
    rest.remove_prefix(end + 1);
  }
  return true;
}

std::string inTable(std::string_view text) {
  std::string escaped;
  for (char c : text)
    escaped += c == '|' ? "\\|" : std::string(1, c);
  return escaped;
}

std::string_view name(AttrKind kind) {
  constexpr std::string_view kNames[] = {"integer", "integers", "float", "string", "strings", "floats<..>", "ints<..>"};
  return kNames[static_cast<std::size_t>(kind)];
}

void printAttributes() {
  fmt::print("\n## Attributes\n\n| name | kind | id in the bytecode | meaning |\n|---|---|---|---|\n");
  for (auto &attr : allAttrs())
    fmt::print("| `{}` | {} | {} | {} |\n", attr.text, name(attr.kind), static_cast<int>(attr.attr), inTable(attr.doc));
}

void printGeneral() {
  fmt::print(
      "\n## What holds for every module and op\n\nErrors name what they find broken: V for the module, G for any "
      "op, C for the op in question. The builder, the parser and the bytecode loader ask the same rules.\n\n");
  int number = 0;
  for (auto text : moduleConstraints())
    fmt::print("- V{}: {}\n", ++number, text);
  number = 0;
  for (auto text : generalConstraints())
    fmt::print("- G{}: {}\n", ++number, text);
}

std::string list(std::span<const Attr> attrs) {
  std::string text;
  for (auto attr : attrs)
    text += fmt::format("{}`{}`", text.empty() ? "" : ", ", findAttr(attr)->text);
  return text;
}

void printOp(const OpInfo &op) {
  fmt::print("\n### `{}`\n\n{}.\n\n", op.mnemonic, op.summary);
  if (op.minOperands == op.maxOperands)
    fmt::print("Operands: {}.", op.minOperands);
  else
    fmt::print("Operands: {} to {}.", op.minOperands, op.maxOperands);
  if (!op.required.empty()) fmt::print(" Attributes: {}.", list(op.required));
  if (!op.optional.empty()) fmt::print(" Optional: {}.", list(op.optional));
  if (op.opcode == 0)
    fmt::print(" Never in the bytecode.");
  else
    fmt::print(" Opcode {}.", op.opcode);
  if (op.isInteractive()) fmt::print(" Interactive: it sends messages online.");
  fmt::print("\n");
  bool first = true;
  for (auto &constraint : allConstraints()) {
    if (constraint.kind != op.kind) continue;
    fmt::print("{}- C{}: {}\n", first ? "\n" : "", constraint.number, constraint.text);
    first = false;
  }
}

} // namespace

int main() {
  fmt::print("{}", kIntroduction);
  if (!printExample()) return 1;
  printAttributes();
  printGeneral();
  for (auto level : {Level::Nn, Level::Share}) {
    fmt::print("\n## {} ops\n", level == Level::Nn ? "nn" : "share");
    for (auto &op : allOps())
      if (op.level == level) printOp(op);
  }
  return 0;
}
