#include "ir/bytecode/ProgramIo.h"

namespace sd {

ProgramIo ioOf(const Program &program) {
  ProgramIo io;
  const auto count = static_cast<std::uint32_t>(program.instructions.size());
  io.bodyBegin = io.bodyEnd = count - 1;
  bool inBody = false;
  for (std::uint32_t i = 0; i < count; ++i) {
    const Instruction &instruction = program.instructions[i];
    if (instruction.op == OpKind::Input) io.inputs.push_back({instruction.attrs.str(Attr::Name), instruction.result});
    if (info(instruction.op).level == Level::Nn || instruction.op == OpKind::ShareConstant) continue;
    if (!inBody) io.bodyBegin = i;
    inBody = true;
    io.bodyEnd = i + 1;
  }
  const Instruction &last = program.instructions.back();
  const auto &names = last.attrs.strings(Attr::Names);
  for (std::size_t i = 0; i < names.size(); ++i)
    io.outputs.push_back({names[i], last.operands[i]});
  return io;
}

} // namespace sd
