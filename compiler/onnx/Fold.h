// Data movement and arithmetic on constants: what of the graph is known at once never becomes an op.
#pragma once

#include "compiler/onnx/Value.h"

namespace sd::fold {

// Operands are constants, arguments already checked against their shapes.
Value reshape(const Value &x, Shape shape);
Value transpose(const Value &x, const std::vector<std::int64_t> &perm);
Value gather(const Value &x, std::int64_t axis, const std::vector<std::int64_t> &indices);
Value concat(const std::vector<Value> &xs, std::int64_t axis);
Value pad(const Value &x, const std::vector<std::int64_t> &pads, double fill); // pads >= 0

// a OP b with broadcasting to `shape`, the broadcast of both shapes; OP one of Add, Sub, Mul, Div. Both floats, or both
// integers, where division truncates; error for a zero divisor or overflow among those.
Expected<Value> arithmetic(OpKind op, const Value &a, const Value &b, const Shape &shape);

// Elements one by one, of one kind.
Value map(const Value &x, float (*function)(float));

} // namespace sd::fold
