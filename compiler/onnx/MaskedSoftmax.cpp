#include "compiler/onnx/MaskedSoftmax.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <span>

#include "compiler/onnx/LinearMap.h"
#include "ir/core/OpFamilies.h"

namespace sd {
namespace {

constexpr float kOff = 1e4f; // exp(-1e4) is 0 in floats: a score so far below the others takes no part

// The positions of a row of scores that take part, with what is added to them.
using Part = std::vector<std::pair<std::int64_t, float>>;

Expected<Part> partOf(std::span<const float> mask) {
  const float most = std::ranges::max(mask);
  const bool none = most <= -kOff && std::ranges::find(mask, kLeftOut) != mask.end();
  if (!std::isfinite(most) || none) return fail("its mask leaves a query no position");
  Part part;
  for (std::size_t i = 0; i < mask.size(); ++i)
    if (mask[i] > most - kOff) part.emplace_back(static_cast<std::int64_t>(i), mask[i] - most); // softmax shifts freely
  return part;
}

// What moves elements, and puts zeros beside them.
bool isMove(OpKind op) {
  return op == OpKind::Reshape || op == OpKind::Gather || op == OpKind::Transpose || op == OpKind::Pad;
}

constexpr int kMostSteps = 16; // from a softmax back to its mask: a chain of any length is searched but once

// Which operand of a sum is constant.
std::optional<std::size_t> constantOf(const Emitter &emitter, const Op &op) {
  if (emitter.maker(op.operands[1]).kind == OpKind::Constant) return 1;
  if (op.kind == OpKind::Add && emitter.maker(op.operands[0]).kind == OpKind::Constant) return 0;
  return std::nullopt;
}

const Tensor<float> &constantAt(const Emitter &emitter, ValueId id) {
  return emitter.maker(id).attrs.floats(Attr::Value);
}

// Ops from x back to the furthest one that brings in a mask; 0: none does.
int stepsToMask(const Emitter &emitter, ValueId x) {
  int found = 0;
  for (int step = 1; step <= kMostSteps; ++step) {
    const Op &op = emitter.maker(x);
    if (isMove(op.kind)) {
      x = op.operands[0];
      continue;
    }
    if (op.kind != OpKind::Add && op.kind != OpKind::Sub) break;
    const auto constant = constantOf(emitter, op);
    if (!constant) break;
    const float sign = op.kind == OpKind::Sub ? -1 : 1;
    if (std::ranges::any_of(constantAt(emitter, op.operands[*constant]).data,
                            [=](float v) { return sign * v <= -kOff; }))
      found = step;
    x = op.operands[1 - *constant];
  }
  return found;
}

// Follows elements back to where they come from, through moves and sums with constants.
struct Trace {
  const Emitter &emitter;
  ValueId at;
  Shape shape;                       // of the value `at`
  std::vector<std::int64_t> sources; // by element: its position in that value
  std::vector<float> added;          // by element: what was added since

  explicit Trace(const Emitter &made, const Value &x)
      : emitter(made), at(x.id()), shape(x.shape()), added(static_cast<std::size_t>(x.size()), 0.0f) {
    sources.resize(added.size());
    std::iota(sources.begin(), sources.end(), 0);
  }

  void moveTo(ValueId operand) {
    at = operand;
    shape = emitter.secret(operand).shape();
  }

  void followGather(const Op &op) {
    const auto axis = static_cast<std::size_t>(op.attrs.i(Attr::Axis));
    const std::vector<std::int64_t> &indices = op.attrs.ints(Attr::Indices);
    const std::int64_t to = shape[axis], inner = rowMajorStrides(shape)[axis];
    moveTo(op.operands[0]);
    const std::int64_t from = shape[axis];
    for (std::int64_t &source : sources) {
      const std::int64_t outer = source / (to * inner), index = indices[static_cast<std::size_t>(source / inner % to)];
      source = (outer * from + index) * inner + source % inner;
    }
  }

  // A constant that broadcasts to the sum's shape. False where it is not the constant alone that broadcasts.
  bool followSum(const Op &op, std::size_t constant, float sign) {
    const ValueId other = op.operands[1 - constant];
    if (emitter.secret(other).shape() != shape) return false;
    const Tensor<float> &values = constantAt(emitter, op.operands[constant]);
    Shape aligned(shape.size() - values.shape.size(), 1);
    aligned.insert(aligned.end(), values.shape.begin(), values.shape.end());
    const Shape strides = rowMajorStrides(shape), own = rowMajorStrides(aligned);
    for (std::size_t i = 0; i < sources.size(); ++i) {
      std::int64_t place = 0;
      for (std::size_t axis = 0; axis < shape.size(); ++axis)
        place += aligned[axis] == 1 ? 0 : sources[i] / strides[axis] % shape[axis] * own[axis];
      added[i] += sign * values.data[static_cast<std::size_t>(place)];
    }
    moveTo(other);
    return true;
  }

  // Zeros that a Where by constants put there, to add its own constant. False where one is no part of a mask.
  bool followPad(const Op &op) {
    if (shape.size() != 1) return false;
    moveTo(op.operands[0]);
    const std::int64_t before = op.attrs.ints(Attr::Pads)[0];
    for (std::size_t i = 0; i < sources.size(); ++i) {
      sources[i] -= before;
      if (sources[i] >= 0 && sources[i] < shape[0]) continue;
      if (added[i] > -kOff) return false;
      added[i] = kLeftOut;
      sources[i] = 0;
    }
    return true;
  }

  void followTranspose(const Op &op) {
    const std::vector<std::int64_t> &perm = op.attrs.ints(Attr::Perm);
    const Shape to = shape, strides = rowMajorStrides(to);
    moveTo(op.operands[0]);
    const Shape from = rowMajorStrides(shape);
    for (std::int64_t &source : sources) {
      std::int64_t place = 0;
      for (std::size_t axis = 0; axis < to.size(); ++axis)
        place += source / strides[axis] % to[axis] * from[static_cast<std::size_t>(perm[axis])];
      source = place;
    }
  }

  bool step() {
    const Op &op = emitter.maker(at);
    switch (op.kind) {
    case OpKind::Reshape:
      moveTo(op.operands[0]);
      return true;
    case OpKind::Gather:
      followGather(op);
      return true;
    case OpKind::Add:
    case OpKind::Sub:
      if (const auto constant = constantOf(emitter, op))
        return followSum(op, *constant, op.kind == OpKind::Add ? 1 : -1);
      return false;
    case OpKind::Pad:
      return followPad(op);
    case OpKind::Transpose:
      followTranspose(op);
      return true;
    case SD_NN_ENDS: // no part of a mask
    case OpKind::Identity:
    case SD_NN_PRODUCTS:
    case OpKind::BatchNorm:
    case OpKind::Mul:
    case OpKind::Div:
    case OpKind::VecDot:
    case OpKind::Relu:
    case SD_NN_SMOOTH:
    case OpKind::Piecewise:
    case OpKind::AtMost:
    case SD_NN_POOLS:
    case OpKind::Concat:
    case SD_NN_FINAL:
    case OpKind::Function:
#include "ir/core/ShareCases.def"
      break;
    }
    return false;
  }
};

} // namespace

// Rows with the same mask are one op over the positions that take part.
Expected<Value> maskedSoftmax(Emitter &emitter, const Value &scores, const Tensor<float> &mask) {
  const std::int64_t length = scores.shape().back(), rows = scores.size() / length;
  std::map<Part, std::vector<std::int64_t>> groups;
  for (std::int64_t row = 0; row < rows; ++row) {
    SD_ASSIGN(Part part, partOf(std::span(mask.data).subspan(static_cast<std::size_t>(row * length),
                                                             static_cast<std::size_t>(length))));
    groups[std::move(part)].push_back(row);
  }
  std::vector<Value> results;
  std::vector<std::int64_t> places(static_cast<std::size_t>(scores.size()), kZero);
  std::int64_t next = 0;
  for (const auto &[part, members] : groups) {
    const auto width = static_cast<std::int64_t>(part.size()), count = static_cast<std::int64_t>(members.size());
    std::vector<std::int64_t> indices;
    for (const std::int64_t row : members)
      for (const auto &[position, added] : part) {
        indices.push_back(row * length + position);
        places[static_cast<std::size_t>(row * length + position)] = next++;
      }
    SD_ASSIGN(Value picked, gatherElements(emitter, scores, std::move(indices), {count, width}));
    Tensor<float> added({1, width});
    std::ranges::transform(part, added.data.begin(), [](const auto &entry) { return entry.second; });
    if (std::ranges::any_of(added.data, [](float v) { return v != 0; })) {
      SD_ASSIGN(picked, emitter.arithmetic(OpKind::Add, picked, Value::of(std::move(added))));
    }
    SD_ASSIGN(const Value soft, emitter.openAnd(OpKind::Softmax, picked, {{Attr::Axis, std::int64_t{1}}}));
    SD_ASSIGN(Value flat, emitter.reshape(soft, {count * width}));
    results.push_back(std::move(flat));
  }
  SD_ASSIGN(const Value all, emitter.concat(std::move(results), 0));
  return gatherElements(emitter, all, std::move(places), scores.shape());
}

std::optional<Value> maskFor(const Value &x, const Value &constant) {
  if (x.isConstant() || x.stage() != Value::Stage::Secret) return std::nullopt;
  constexpr float kNone = -std::numeric_limits<float>::infinity();
  if (!constant.isConstant() || constant.isInteger() ||
      std::ranges::find(constant.floats()->data, kNone) == constant.floats()->data.end())
    return std::nullopt;
  Tensor<float> mask = *constant.floats();
  std::ranges::replace(mask.data, kNone, kLeftOut);
  return Value::of(std::move(mask)).named(constant.name());
}

Expected<std::optional<Value>> softmaxBehindMask(Emitter &emitter, const Value &x, std::int64_t axis) {
  if (x.isConstant() || x.stage() != Value::Stage::Secret) return std::optional<Value>{};
  const int steps = stepsToMask(emitter, x.id());
  if (steps == 0) return std::optional<Value>{};
  if (axis != x.rank() - 1) {
    std::vector<std::int64_t> perm(static_cast<std::size_t>(x.rank()));
    std::iota(perm.begin(), perm.end(), 0);
    std::swap(perm[static_cast<std::size_t>(axis)], perm.back());
    SD_ASSIGN(const Value turned, emitter.transpose(x, perm));
    SD_ASSIGN(const std::optional<Value> masked, softmaxBehindMask(emitter, turned, x.rank() - 1));
    if (!masked) return masked;
    SD_ASSIGN(Value back, emitter.transpose(*masked, std::move(perm)));
    return std::optional<Value>(std::move(back));
  }
  SD_TRY(emitter.takeBudget(x.shape()));
  Trace trace(emitter, x);
  for (int i = 0; i < steps; ++i)
    if (!trace.step()) return std::optional<Value>{};
  SD_ASSIGN(const Value scores, gatherElements(emitter, emitter.secret(trace.at), std::move(trace.sources), x.shape()));
  SD_ASSIGN(Value result, maskedSoftmax(emitter, scores, Tensor<float>(x.shape(), std::move(trace.added))));
  return std::optional<Value>(std::move(result));
}

} // namespace sd
