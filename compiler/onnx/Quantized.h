// Quantised tensors of ONNX nodes as the real numbers that they mean.
#pragma once

#include "compiler/onnx/Emitter.h"
#include "compiler/onnx/Node.h"

namespace sd {

// Which of a node's inputs hold a scale and a zero point; the latter may be left out: 0.
struct Places {
  std::size_t scale, zero;
};

// (x - zero) * scale of input `at`: constants, integers that the hospital gives, or quantised values. Scales of several
// elements are laid along `axis`.
Expected<Value> dequantised(const Node &node, Emitter &emitter, std::size_t at, Places places, std::int64_t axis = -1);

// x clipped to what the integers of that scale and zero point can say, as their quantised value; of a constant the
// integers.
Expected<Value> quantised(const Node &node, Emitter &emitter, const Value &x, Places places);

// Integers in units of the product of two scales: the bias of a quantised product.
Expected<Value> dequantisedBias(const Node &node, Emitter &emitter, std::size_t at, std::size_t xScale,
                                std::size_t wScale);

} // namespace sd
