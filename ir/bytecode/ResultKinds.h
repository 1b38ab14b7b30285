// What a result is, by the ops that make it: where neither the model nor a schema says more.
#pragma once

#include "ir/bytecode/Schema.h"
#include "ir/core/Interpreter.h"

namespace sd {

// An output behind a softmax, argmax or argtopk tells classes apart; behind sigmoids each element is a finding of its
// own, with the threshold 1/2; anything else is values, since scores may as well be measurements.
struct DerivedOutput {
  OutputMeaning meaning;          // without names
  std::int64_t classes = 0;       // how many are told apart; 0 if the output does not say
  OpKind tail = OpKind::Identity; // the op that decides it, behind moves and labels of classes
};

// By output, in the order of nn.return.
std::vector<DerivedOutput> deriveOutputs(const ProgramView &program);

} // namespace sd
