// Normalisations inside a network.
#pragma once

#include "compiler/onnx/Emitter.h"
#include "ir/core/Functions.h"

namespace sd {

// A function of rows over all of `axes` together.
Expected<Value> normalisedAlong(Emitter &emitter, const RowFunction &function, const Value &x,
                                const std::vector<std::int64_t> &axes);

} // namespace sd
