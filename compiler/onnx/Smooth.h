// Activations with parameters, composed of what the IR has.
#pragma once

#include "compiler/onnx/Emitter.h"

namespace sd {

Expected<Value> leakyRelu(Emitter &emitter, const Value &x, double alpha); // x for x >= 0, else alpha x
Expected<Value> elu(Emitter &emitter, const Value &x, double alpha);       // x for x >= 0, else alpha (exp(x) - 1)
Expected<Value> gelu(Emitter &emitter, const Value &x, bool isExact);      // by the error function, else by tanh
Expected<Value> swish(Emitter &emitter, const Value &x, double alpha);     // x sigmoid(alpha x)
Expected<Value> magnitude(Emitter &emitter, const Value &x);               // |x|

// factor x + summand of public numbers, which products and sums with constants would hide.
Expected<Value> scaledBy(Emitter &emitter, const Value &x, double factor, double summand);

// min(max(x, low), high); a bound of half the largest float or more is none.
Expected<Value> clip(Emitter &emitter, const Value &x, double low, double high);

// alpha x + beta, held between 0 and 1.
Expected<Value> hardSigmoid(Emitter &emitter, const Value &x, double alpha, double beta);

} // namespace sd
