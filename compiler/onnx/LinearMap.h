// Linear maps and selections by constants, composed of what the IR has.
#pragma once

#include "compiler/onnx/Emitter.h"
#include "compiler/onnx/Node.h"

namespace sd {

// `matrix` [from, to] applied to the elements along one axis of x.
Expected<Value> mapAlong(Emitter &emitter, const Value &x, std::int64_t axis, Tensor<float> matrix);

// A Conv node's convolution, of operands that need not be its own; `bias` may be none.
Expected<Value> convolution(Node &node, Emitter &emitter, const Value &x, const Value &w, const Value &bias);

// A MatMul.
Expected<Value> product(Emitter &emitter, const Value &a, const Value &b);

// Of a row-major tensor.
std::vector<std::int64_t> stridesOf(const Shape &shape);
// An index from the end if it is negative; an error outside of the axis.
Expected<std::int64_t> position(std::int64_t index, std::int64_t size);

inline constexpr std::int64_t kZero = -1; // an index that stands for a zero

// Positions along an axis, or zeros.
Expected<Value> gatherOrZero(Emitter &emitter, const Value &x, std::int64_t axis, std::vector<std::int64_t> indices);

// Elements by their positions in x's row-major order, or zeros, put into `shape`.
Expected<Value> gatherElements(Emitter &emitter, const Value &x, std::vector<std::int64_t> indices, Shape shape);

} // namespace sd
