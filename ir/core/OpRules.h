// What each op demands, in one place: called by the builder, the text verifier and the bytecode loader alike.
#pragma once

#include <span>

#include "ir/core/OpKind.h"
#include "ir/core/Ring.h"
#include "ir/core/Type.h"

namespace sd {

// The type of the op's result from its operands' types and its attributes, or what is wrong with them, naming the
// violated constraint ("nn.conv: C2: ..."; G for those of all ops; docs/ir.md lists them). For ops whose result type is
// not determined (share.constant, share.input: the scale is free) `declared` supplies it and is checked; for others it
// must be null or equal. Ops without a result give Type{}. Limits of bounds and integers are those of the ring of
// `ringBits` bits. Never reads outside `operands`, never overflows, whatever the attributes hold.
Expected<Type> resultType(OpKind kind, std::span<const Type> operands, const Attrs &attrs,
                          const Type *declared = nullptr, int ringBits = kBitsOf<Ring32>);

// Dimensions of at least 1, limits of rank, size and scale.
Expected<void> checkType(const Type &type);

// The rows of Constraints.def.
struct Constraint {
  OpKind kind;
  int number;
  std::string_view text;
};
std::span<const Constraint> allConstraints();
std::span<const std::string_view> generalConstraints(); // G1, G2, ...

// Size of an output axis of a convolution or pool; error if it is not positive. `padBegin`, `padEnd` >= 0.
struct WindowAxis {
  std::int64_t size, kernel, stride, padBegin, padEnd, dilation;
  bool ceilMode = false;
};
Expected<std::int64_t> windowOutputs(const WindowAxis &axis);

// Numpy broadcasting of two shapes.
Expected<Shape> broadcastShapes(const Shape &a, const Shape &b);

} // namespace sd
