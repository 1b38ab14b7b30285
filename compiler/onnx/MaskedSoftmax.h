// Softmax of scores to which a constant mask is added: the positions that it leaves out are no part of the program.
#pragma once

#include "compiler/onnx/Emitter.h"

namespace sd {

// Stands for -infinity where that is added to a secret value. Fixed point has no such number: unless a softmax follows,
// the sum is refused.
inline constexpr float kLeftOut = -0x1p127f;

// `constant` with kLeftOut in place of -infinity. None where x is not secret or there is no constant with -infinity.
std::optional<Value> maskFor(const Value &x, const Value &constant);

// Along the last axis of scores + mask, which have one shape; -infinity takes a position out, and so does all that is
// 10^4 below a row's largest. An error where a row has no finite entry.
Expected<Value> maskedSoftmax(Emitter &emitter, const Value &scores, const Tensor<float> &mask);

// Constants too low for fixed point were added to a secret x, by Add, Sub or Where: the softmax of x along `axis`, made
// of what was there before. None where there is no such constant.
Expected<std::optional<Value>> softmaxBehindMask(Emitter &emitter, const Value &x, std::int64_t axis);

} // namespace sd
