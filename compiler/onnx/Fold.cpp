#include "compiler/onnx/Fold.h"

#include <algorithm>
#include <numeric>

namespace sd::fold {
namespace {

// Calls `f` with the tensor and wraps its result.
template <class F>
Value onEither(const Value &x, F f) {
  return (x.isInteger() ? Value::of(f(*x.ints())) : Value::of(f(*x.floats()))).named(x.name());
}

std::int64_t productOf(const Shape &shape, std::size_t from, std::size_t to) {
  return std::accumulate(shape.begin() + static_cast<std::ptrdiff_t>(from),
                         shape.begin() + static_cast<std::ptrdiff_t>(to), std::int64_t{1}, std::multiplies<>());
}

// out[i] = x[sum of index_k(i) * strides[k]] for i over `shape` in row-major order.
template <class T>
Tensor<T> strided(const Tensor<T> &x, const Shape &shape, const std::vector<std::int64_t> &strides) {
  Tensor<T> out(shape);
  if (out.data.empty()) return out;
  const std::size_t rank = shape.size();
  std::vector<std::int64_t> index(rank, 0);
  const std::int64_t inner = rank ? shape[rank - 1] : 1, innerStride = rank ? strides[rank - 1] : 0;
  std::int64_t base = 0;
  for (T *to = out.data.data(), *end = to + out.data.size(); to != end;) {
    for (std::int64_t i = 0; i < inner; ++i)
      *to++ = x.data[static_cast<std::size_t>(base + i * innerStride)];
    for (std::size_t axis = rank < 2 ? 0 : rank - 1; axis-- > 0;) {
      base += strides[axis];
      if (++index[axis] < shape[axis]) break;
      base -= strides[axis] * shape[axis];
      index[axis] = 0;
    }
  }
  return out;
}

std::vector<std::int64_t> broadcastStrides(const Shape &from, const Shape &to) {
  const Shape own = rowMajorStrides(from);
  std::vector<std::int64_t> strides(to.size(), 0);
  const std::size_t lead = to.size() - from.size();
  for (std::size_t i = 0; i < from.size(); ++i)
    strides[lead + i] = from[i] == 1 ? 0 : own[i];
  return strides;
}

bool combine(OpKind op, float a, float b, float &out) {
  out = op == OpKind::Add ? a + b : op == OpKind::Sub ? a - b : op == OpKind::Mul ? a * b : a / b;
  return true;
}

bool combine(OpKind op, std::int64_t a, std::int64_t b, std::int64_t &out) {
  if (op == OpKind::Add) return !__builtin_add_overflow(a, b, &out);
  if (op == OpKind::Sub) return !__builtin_sub_overflow(a, b, &out);
  if (op == OpKind::Mul) return !__builtin_mul_overflow(a, b, &out);
  assert(op == OpKind::Div);
  if (b == 0 || b == -1) return b != 0 && !__builtin_sub_overflow(std::int64_t{0}, a, &out);
  out = a / b;
  return true;
}

template <class T>
Expected<Value> combineAll(OpKind op, const Tensor<T> &a, const Tensor<T> &b, const Shape &shape) {
  Tensor<T> left = strided(a, shape, broadcastStrides(a.shape, shape));
  const Tensor<T> right = strided(b, shape, broadcastStrides(b.shape, shape));
  for (std::size_t i = 0; i < left.data.size(); ++i)
    if (!combine(op, left.data[i], right.data[i], left.data[i]))
      return fail("integer overflow or division by zero among constants");
  return Value::of(std::move(left));
}

template <class T>
Tensor<T> concatAll(const std::vector<const Tensor<T> *> &parts, std::size_t axis) {
  Shape shape = parts[0]->shape;
  for (std::size_t i = 1; i < parts.size(); ++i)
    shape[axis] += parts[i]->shape[axis];
  Tensor<T> out(shape);
  auto to = out.data.begin();
  for (std::int64_t block = 0, blocks = productOf(shape, 0, axis); block < blocks; ++block)
    for (const Tensor<T> *part : parts) {
      const std::int64_t length = productOf(part->shape, axis, shape.size());
      to = std::copy_n(part->data.begin() + block * length, length, to);
    }
  return out;
}

} // namespace

Value reshape(const Value &x, Shape shape) {
  if (shape == x.shape()) return x;
  return onEither(x, [&](auto tensor) {
    tensor.shape = std::move(shape);
    return tensor;
  });
}

Value transpose(const Value &x, const std::vector<std::int64_t> &perm) {
  const Shape own = rowMajorStrides(x.shape());
  Shape shape, strides;
  for (std::int64_t axis : perm) {
    shape.push_back(x.shape()[static_cast<std::size_t>(axis)]);
    strides.push_back(own[static_cast<std::size_t>(axis)]);
  }
  return onEither(x, [&](const auto &tensor) { return strided(tensor, shape, strides); });
}

Value gather(const Value &x, std::int64_t axis, const std::vector<std::int64_t> &indices) {
  const auto at = static_cast<std::size_t>(axis);
  Shape shape = x.shape();
  shape[at] = static_cast<std::int64_t>(indices.size());
  return onEither(x, [&](const auto &tensor) {
    auto out = tensor;
    out.shape = shape;
    out.data.clear();
    out.data.reserve(static_cast<std::size_t>(elementCount(shape)));
    const std::int64_t inner = productOf(x.shape(), at + 1, shape.size());
    for (std::int64_t block = 0, blocks = productOf(shape, 0, at); block < blocks; ++block)
      for (std::int64_t index : indices) {
        const auto from = tensor.data.begin() + (block * x.shape()[at] + index) * inner;
        out.data.insert(out.data.end(), from, from + inner);
      }
    return out;
  });
}

Value concat(const std::vector<Value> &xs, std::int64_t axis) {
  const auto at = static_cast<std::size_t>(axis);
  if (xs[0].isInteger()) {
    std::vector<const Tensor<std::int64_t> *> parts;
    for (const Value &x : xs)
      parts.push_back(x.ints().get());
    return Value::of(concatAll(parts, at));
  }
  std::vector<const Tensor<float> *> parts;
  for (const Value &x : xs)
    parts.push_back(x.floats().get());
  return Value::of(concatAll(parts, at));
}

Value pad(const Value &x, const std::vector<std::int64_t> &pads, double fill) {
  const std::size_t rank = x.shape().size();
  Shape shape = x.shape();
  for (std::size_t i = 0; i < rank; ++i)
    shape[i] += pads[i] + pads[rank + i];
  const Shape strides = rowMajorStrides(shape);
  return onEither(x, [&]<class T>(const Tensor<T> &tensor) {
    Tensor<T> out(shape, static_cast<T>(fill));
    std::vector<std::int64_t> index(rank, 0);
    for (const T &element : tensor.data) {
      std::int64_t to = 0;
      for (std::size_t i = 0; i < rank; ++i)
        to += (index[i] + pads[i]) * strides[i];
      out.data[static_cast<std::size_t>(to)] = element;
      for (std::size_t i = rank; i-- > 0;) {
        if (++index[i] < tensor.shape[i]) break;
        index[i] = 0;
      }
    }
    return out;
  });
}

Expected<Value> arithmetic(OpKind op, const Value &a, const Value &b, const Shape &shape) {
  return a.isInteger() ? combineAll(op, *a.ints(), *b.ints(), shape) : combineAll(op, *a.floats(), *b.floats(), shape);
}

Value map(const Value &x, float (*function)(float)) {
  Tensor<float> out = *x.floats();
  std::ranges::transform(out.data, out.data.begin(), function);
  return Value::of(std::move(out)).named(x.name());
}

Value map(const Value &x, double (*function)(double)) {
  Tensor<float> out = *x.floats();
  for (float &v : out.data)
    v = static_cast<float>(function(static_cast<double>(v)));
  return Value::of(std::move(out)).named(x.name());
}

} // namespace sd::fold
