// Normalisations that exporters write out, with means, squares, roots and quotients: layer normalisation before opset
// 17, RMSNorm, x / max(|x|, epsilon). Their parts have no protocol of their own; together they are a function of rows.
#pragma once

#include <optional>

#include "compiler/onnx/Emitter.h"

namespace sd {

// A product or quotient of a secret value c and the root of c's own mean square, either way, times constants. None: it
// is no such thing.
Expected<std::optional<Value>> writtenNorm(Emitter &emitter, OpKind op, const Value &a, const Value &b);

// x g - (mean g - bias), as batch normalisation's formula has it, where g is a constant over x's deviation. Its parts
// are products of secret and opened values, which no program computes: Emitter::postponed(). None: it is no such thing.
Expected<std::optional<Value>> writtenShift(Emitter &emitter, OpKind op, const Value &a, const Value &b);

// What the hospital would compute in the clear, x by its norm or that norm, as a secret value for ops that need one.
// None: it is something else.
Expected<std::optional<Value>> secretForm(Emitter &emitter, const Value &opened);

} // namespace sd
