// Activations with parameters, composed of what the IR has.
#pragma once

#include "compiler/onnx/Emitter.h"

namespace sd {

// x for x >= 0, else alpha x.
Expected<Value> leakyRelu(Emitter &emitter, const Value &x, double alpha);

// x for x >= 0, else alpha (exp(x) - 1).
Expected<Value> elu(Emitter &emitter, const Value &x, double alpha);

// alpha x + beta, held between 0 and 1.
Expected<Value> hardSigmoid(Emitter &emitter, const Value &x, double alpha, double beta);

} // namespace sd
