// What programs of format version 1 say otherwise.
#pragma once

#include "ir/bytecode/Program.h"

namespace sd {

// Version 1 gives a comparison the width of its digits and the radix of its tree, for a circuit that is no longer run:
// it left out the carry of the low bits. What such a program computes is the same, its bounds too, so it keeps running,
// each comparison with the standard schedule. What is malformed is left to the verifier.
void giveSchedules(Program &program);

} // namespace sd
