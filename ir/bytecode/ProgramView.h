// A compiled program with its weights as the interpreter sees it.
#pragma once

#include "ir/bytecode/Program.h"
#include "ir/core/Interpreter.h"

namespace sd {

// Points into both. Weights that are missing make Interpreter::create fail.
template <RingWord R>
ProgramView viewOf(const Program &program, const WeightSet<R> &weights) {
  ProgramView view;
  view.types = program.slots;
  view.ringBits = program.ringBits;
  std::size_t next = 0;
  for (auto &op : program.instructions) {
    const bool takesWeights = op.op == OpKind::ShareConstant && next < weights.tensors.size();
    view.ops.push_back({op.op, op.operands, op.result, &op.attrs,
                        takesWeights ? WeightsView(&weights.tensors[next++]) : WeightsView(), op.source});
  }
  return view;
}

} // namespace sd
