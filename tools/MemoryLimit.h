// Whether a run fits into the memory that there is, asked before it takes any.
#pragma once

#include "ir/bytecode/Program.h"
#include "tools/RunOptions.h"

namespace sd {

// Bytes that this process may have: the machine's memory, or less where a control group or ulimit -v says so.
std::uint64_t memoryOfMachine();

// How many sessions at once fit into options.memory: options.sessions, or fewer, or with --serve left out one. Error if
// none does.
Expected<unsigned> sessionsThatFit(const RunOptions &options, const Program &program);

} // namespace sd
