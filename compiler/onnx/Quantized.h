// Quantised tensors of ONNX nodes as the real numbers that they mean.
#pragma once

#include "compiler/onnx/Emitter.h"
#include "compiler/onnx/Node.h"

namespace sd {

// Which of a node's inputs hold a scale and a zero point; the latter may be left out: 0.
struct Places {
  std::size_t scale, zero;
};

// The type that a node quantises to.
struct TargetType {
  int type;
  double least, most;
};
// That of its zero point, or without one `otherwise`.
Expected<TargetType> integersOf(const Node &node, std::size_t zero, std::int64_t otherwise);

// What a dequantisation starts from, integers or floats of 8 and 4 bits, as real numbers.
Expected<Value> realsOf(Emitter &emitter, const Value &x);

// A node's scale or zero point as floats, 0 if left out, laid along `axis` of a tensor of that rank.
Expected<Value> parameter(const Node &node, Emitter &emitter, std::size_t at, std::int64_t rank, std::int64_t axis);
// The same with one for each block of elements along `axis` of the first input: for each element.
Expected<Value> ofBlocks(const Node &node, Emitter &emitter, std::size_t at, std::int64_t axis, std::int64_t block);

Expected<Value> clippedTo(Emitter &emitter, const Value &x, double low, double high); // min(max(x, low), high)

// The integers of a constant, halves to even; scale and zero point broadcast to it.
Expected<Value> rounded(Emitter &emitter, const Value &x, const Value &scale, const Value &zero,
                        const TargetType &integers);

// (x - zero) * scale of input `at`: constants, integers that the hospital gives, or quantised values. Scales of several
// elements are laid along `axis`.
Expected<Value> dequantised(const Node &node, Emitter &emitter, std::size_t at, Places places, std::int64_t axis = -1);

// x clipped to what the integers of that scale and zero point can say, as their quantised value; of a constant the
// integers.
Expected<Value> quantised(const Node &node, Emitter &emitter, const Value &x, Places places);
Expected<Value> quantised(const Node &node, Emitter &emitter, const Value &x, Places places,
                          const TargetType &integers);

// The integers of an output that is quantised, as the hospital rounds them after opening what they stand for.
Expected<Value> roundedByHospital(Emitter &emitter, const Value &x);

// Integers in units of the product of two scales: the bias of a quantised product.
Expected<Value> dequantisedBias(const Node &node, Emitter &emitter, std::size_t at, std::size_t xScale,
                                std::size_t wScale);

} // namespace sd
