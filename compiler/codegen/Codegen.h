// A lowered, scheduled module to a program and its weights.
#pragma once

#include "ir/Module.h"
#include "ir/bytecode/Program.h"

namespace sd {

struct Compiled {
  Program program;
  AnyWeightSet weights; // of the program's ring, with the digest of its .sdb
};

// Orders the ops into groups: weights and clear ops; share.inputs; then, turn by turn, every local op that can run and
// the interactive ops of one round; share.outputs; clear ops. Rounds are the `round` attributes, taken in the module's
// order; an op without one is a round of its own. Fails, with what to do, if the schedule of a comparison is not
// chosen, if ops of one round depend on each other, or if the result breaks verifyProgram(). The schema goes into the
// program. A module that is moved here gives its weights away one by one.
Expected<Compiled> generate(Module lowered, Schema schema = {});

// Writes both files, weights first and readable by their owner alone. Prints nothing.
Expected<void> writeCompiled(const Compiled &compiled, const std::string &programPath, const std::string &weightsPath);

} // namespace sd
