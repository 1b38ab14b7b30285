// What every program obeys, whether a code generator made it or a file holds it.
#pragma once

#include "ir/bytecode/Program.h"

namespace sd {

// Checks, and names the instruction, slot or group at fault:
// B1 slots: well-formed types, each slot written by one instruction;
// B2 instructions: an op with an opcode, operands written before, no weights and no round among the attributes, the
//    schedule of a comparison chosen, a truncation by one bit at least;
// B3 resultType() gives the result slot's type (its own constraints G1 to G7 and C1 ... are named);
// B4 order: inputs, clear ops and share.constant; then the secure part; then clear ops; one nn.return, last;
// B5 groups: not empty, a partition of the instructions in order; an interactive one holds interactive ops alone, no
//    one an operand of another, share.input and share.output only with their like; the others hold no interactive op;
// B6 names of inputs, and of outputs, differ; texts are plain (ByteIo.h) and at most 4096 bytes;
// B7 the limits of Format.h;
// B8 the ring is one of Ring.h;
// B9 the schema obeys checkSchema(), with the names and shapes of the inputs and outputs; it says nothing of an input's
//    range, which nn.input does, columns' ranges lie within that, and format version 1 has none.
Expected<void> verifyProgram(const Program &program);

} // namespace sd
