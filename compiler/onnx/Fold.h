// Data movement and arithmetic on constants: what of the graph is known at once never becomes an op.
#pragma once

#include <map>

#include "compiler/onnx/Value.h"

namespace sd {

// Large constants once turned or reshaped, for another import of the same model.
class FoldMemo {
public:
  // The value that `make` gives, made once for each source, kind and list of numbers.
  template <class Make>
  Value once(const Value &source, bool turns, const std::vector<std::int64_t> &numbers, Make make) {
    const void *tensor = source.isInteger() ? static_cast<const void *>(source.ints().get()) : source.floats().get();
    const auto [entry, isNew] = made_.try_emplace({tensor, turns, numbers});
    if (isNew) entry->second = {source, make()};
    return entry->second.second.named(source.name());
  }

private:
  std::map<std::tuple<const void *, bool, std::vector<std::int64_t>>, std::pair<Value, Value>> made_;
};

} // namespace sd

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
Value map(const Value &x, double (*function)(double));

} // namespace sd::fold
