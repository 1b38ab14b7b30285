// What goes in and out of a program, gathered from its instructions; .sdb holds it as a table.
#pragma once

#include "ir/bytecode/Program.h"

namespace sd {

struct Port {
  std::string name;
  SlotId slot = 0;
  bool operator==(const Port &) const = default;
};

// Instructions [0, bodyBegin) prepare the record (and name weights), [bodyBegin, bodyEnd) are the secure part,
// [bodyEnd, end) post-process the opened result. A program without a secure part has bodyBegin = bodyEnd = the
// nn.return.
struct ProgramIo {
  std::vector<Port> inputs;  // the nn.input instructions, in order
  std::vector<Port> outputs; // the operands of nn.return
  std::uint32_t bodyBegin = 0, bodyEnd = 0;
  bool operator==(const ProgramIo &) const = default;
};

// `program` must obey verifyProgram().
ProgramIo ioOf(const Program &program);

} // namespace sd
