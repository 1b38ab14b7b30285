// Linear maps and selections by constants, composed of what the IR has.
#pragma once

#include "compiler/onnx/Emitter.h"

namespace sd {

// `matrix` [from, to] applied to the elements along one axis of x.
Expected<Value> mapAlong(Emitter &emitter, const Value &x, std::int64_t axis, Tensor<float> matrix);

inline constexpr std::int64_t kZero = -1; // an index that stands for a zero

// Positions along an axis, or zeros.
Expected<Value> gatherOrZero(Emitter &emitter, const Value &x, std::int64_t axis, std::vector<std::int64_t> indices);

// Elements by their positions in x's row-major order, or zeros, put into `shape`.
Expected<Value> gatherElements(Emitter &emitter, const Value &x, std::vector<std::int64_t> indices, Shape shape);

} // namespace sd
