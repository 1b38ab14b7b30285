#include "passes/Rewrite.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace sd {

std::string describe(const Op &op) {
  const std::string_view mnemonic = info(op.kind).mnemonic;
  return op.source.empty() ? std::string(mnemonic) : fmt::format("{} ({})", op.source, mnemonic);
}

void Complaints::append(std::string message) {
  if (!text_.empty()) text_ += '\n';
  text_ += message;
}

const Tensor<float> *Graph::constant(ValueId value) const {
  const Op &op = definition(value);
  return op.kind == OpKind::Constant ? &op.attrs.floats(Attr::Value) : nullptr;
}

const Op &Rewriter::made(ValueId newValue) {
  const auto &ops = builder.module().ops;
  for (; seen_ < ops.size(); ++seen_)
    if (ops[seen_].result != kNoValue) made_.push_back(seen_); // the builder numbers values in order
  return ops[made_[newValue]];
}

ValueId Rewriter::clone(const Op &op, Attrs attrs) {
  Op copy{op.kind, {}, kNoValue, std::move(attrs), op.source};
  for (auto operand : op.operands)
    copy.operands.push_back((*this)[operand]);
  const bool free = op.kind == OpKind::ShareConstant || op.kind == OpKind::ShareInput;
  auto result = builder.add(std::move(copy), free ? &old_.type(op.result) : nullptr);
  if (!result) { // an assert in every build: the op obeyed its rule before
    std::fprintf(stderr, "internal error: %s: %s\n", describe(op).c_str(), result.error().message.c_str());
    std::abort();
  }
  if (op.result != kNoValue) map_[op.result] = *result;
  return *result;
}

ValueId Rewriter::replace(const Op &op, OpKind kind, std::vector<ValueId> operands, Attrs attrs) {
  const ValueId result = builder.create(kind, std::move(operands), std::move(attrs), op.source);
  map_[op.result] = result;
  return result;
}

Module Rewriter::finish() { return withoutDeadOps(builder.take()); }

Module withoutDeadOps(Module module) {
  std::vector<bool> live(module.types.size(), false);
  auto isLive = [&](const Op &op) { return op.result == kNoValue || op.kind == OpKind::Input || live[op.result]; };
  for (std::size_t i = module.ops.size(); i-- > 0;)
    if (const Op &op = module.ops[i]; isLive(op))
      for (auto operand : op.operands)
        live[operand] = true;

  Module result;
  result.name = std::move(module.name);
  result.ringBits = module.ringBits;
  std::vector<ValueId> renamed(module.types.size(), kNoValue);
  for (auto &op : module.ops) {
    if (!isLive(op)) continue;
    for (auto &operand : op.operands)
      operand = renamed[operand];
    if (op.result != kNoValue) {
      const ValueId old = op.result;
      op.result = renamed[old] = static_cast<ValueId>(result.types.size());
      result.types.push_back(std::move(module.types[old]));
    }
    result.ops.push_back(std::move(op));
  }
  return result;
}

namespace {

// Strides with which a tensor of shape `from`, broadcast to `to`, is read: 0 along repeated axes.
Shape broadcastStrides(const Shape &from, const Shape &to) {
  const Shape own = rowMajorStrides(from);
  Shape strides(to.size(), 0);
  for (std::size_t i = 1; i <= from.size() && i <= to.size(); ++i)
    if (from[from.size() - i] != 1) strides[to.size() - i] = own[from.size() - i];
  return strides;
}

} // namespace

Tensor<float> broadcastTo(const Tensor<float> &tensor, const Shape &shape) {
  const Shape strides = broadcastStrides(tensor.shape, shape);
  Tensor<float> result(shape);
  Shape index(shape.size(), 0);
  std::int64_t from = 0;
  for (auto &element : result.data) {
    element = tensor.data[from];
    for (std::size_t axis = shape.size(); axis-- > 0;) {
      from += strides[axis];
      if (++index[axis] < shape[axis]) break;
      from -= strides[axis] * shape[axis];
      index[axis] = 0;
    }
  }
  return result;
}

std::optional<std::vector<float>> valuesAlong(const Tensor<float> &tensor, const Shape &shape, std::size_t axis) {
  if (tensor.shape.size() > shape.size()) return std::nullopt;
  std::vector<float> values(shape[axis]);
  const Shape strides = broadcastStrides(tensor.shape, shape);
  for (std::int64_t i = 0; i < shape[axis]; ++i)
    values[i] = tensor.data[strides[axis] * i];
  Shape alongAxis(shape.size(), 1);
  alongAxis[axis] = shape[axis];
  // Constants of full shape are common (exporters expand them): compare by content.
  Shape target = shape;
  auto own = [&](std::size_t i) {
    return i < shape.size() - tensor.shape.size() ? 1 : tensor.shape[i - (shape.size() - tensor.shape.size())];
  };
  for (std::size_t i = 0; i < target.size(); ++i)
    target[i] = own(i);
  target[axis] = shape[axis];
  const Tensor<float> full = broadcastTo(tensor, target), line = broadcastTo(Tensor<float>(alongAxis, values), target);
  if (full.data != line.data) return std::nullopt;
  return values;
}

} // namespace sd
