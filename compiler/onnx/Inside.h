// Functions inside a network. Import takes a function such as exp for the network's end, which the hospital computes in
// the clear; where its result enters the network again, the formula around it is computed on shares.
#pragma once

#include <optional>
#include <string_view>

#include "compiler/onnx/Emitter.h"

namespace sd {

// An opened value that is a formula of one secret value, element by element, or one divided by such a formula: the same
// as a secret value, for which nothing is opened. None: it is neither.
Expected<std::optional<Value>> insideForm(Emitter &emitter, const Value &opened);

// Whether a function's values are whole numbers, between which it jumps.
bool isStepFunction(std::string_view name);

// 1 / x of a secret value, element by element.
Expected<Value> reciprocalInside(Emitter &emitter, const Value &x);

} // namespace sd
