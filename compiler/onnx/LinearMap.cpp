#include "compiler/onnx/LinearMap.h"

#include <algorithm>
#include <numeric>

namespace sd {

Expected<Value> mapAlong(Emitter &emitter, const Value &x, std::int64_t axis, Tensor<float> matrix) {
  std::vector<std::int64_t> perm(static_cast<std::size_t>(x.rank()));
  std::iota(perm.begin(), perm.end(), 0);
  std::swap(perm[static_cast<std::size_t>(axis)], perm.back()); // its own inverse
  SD_ASSIGN(const Value last, emitter.transpose(x, perm));
  SD_ASSIGN(const Value mapped, emitter.compute(OpKind::MatMul, {last, Value::of(std::move(matrix))}));
  return emitter.transpose(mapped, std::move(perm));
}

std::vector<std::int64_t> stridesOf(const Shape &shape) {
  std::vector<std::int64_t> strides(shape.size(), 1);
  for (std::size_t i = shape.size(); i-- > 1;)
    strides[i - 1] = strides[i] * shape[i];
  return strides;
}

Expected<std::int64_t> position(std::int64_t index, std::int64_t size) {
  if (index < -size || index >= size) return fail("index {} of an axis of {} elements", index, size);
  return index < 0 ? index + size : index;
}

Expected<Value> gatherOrZero(Emitter &emitter, const Value &x, std::int64_t axis, std::vector<std::int64_t> indices) {
  if (std::ranges::find(indices, kZero) == indices.end()) return emitter.gather(x, axis, std::move(indices));
  const std::int64_t size = x.shape()[static_cast<std::size_t>(axis)];
  std::vector<std::int64_t> pads(2 * static_cast<std::size_t>(x.rank()), 0);
  pads[static_cast<std::size_t>(x.rank() + axis)] = 1;
  SD_ASSIGN(const Value padded, emitter.pad(x, std::move(pads), 0));
  std::ranges::replace(indices, kZero, size);
  return emitter.gather(padded, axis, std::move(indices));
}

Expected<Value> gatherElements(Emitter &emitter, const Value &x, std::vector<std::int64_t> indices, Shape shape) {
  SD_ASSIGN(const Value flat, emitter.reshape(x, {x.size()}));
  SD_ASSIGN(const Value picked, gatherOrZero(emitter, flat, 0, std::move(indices)));
  return emitter.reshape(picked, std::move(shape));
}

} // namespace sd
