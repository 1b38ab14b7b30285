// The end of a network, which the hospital computes in the clear on what is opened: functions of one number,
// comparisons, and formulas written out that are recognised as what they compute.
#pragma once

#include <optional>

#include "compiler/onnx/Emitter.h"

namespace sd {

// x as an opened value; the program opens it if it was secret.
Expected<Value> openedValue(Emitter &emitter, const Value &x);

// A quotient that is a softmax or a sigmoid written out: exp(z) / sum exp(z), 1 / (1 + exp(-x)). Unlike their parts
// these are known inside networks, too. None: it is neither.
Expected<std::optional<Value>> writtenOut(Emitter &emitter, const Value &a, const Value &b);

// a OP b where one of them is opened and the other secret: which one may be opened for it. It may if it is opened for
// another op already, or is divided by an opened value, as where results are normalised.
Expected<std::pair<Value, Value>> openedPair(Emitter &emitter, OpKind op, const Value &a, const Value &b);

} // namespace sd
