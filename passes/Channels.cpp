#include "passes/Channels.h"

#include <algorithm>
#include <cmath>

#include "ir/core/OpFamilies.h"
#include "passes/Linear.h"

namespace sd {

bool isHomogeneous(const Op &op) {
  if (op.kind == OpKind::Relu) return true;
  return op.kind == OpKind::Piecewise && op.attrs.floats(Attr::Knots).size() == 1 &&
         op.attrs.floats(Attr::Knots).data[0] == 0 && op.attrs.f(Attr::Offset) == 0;
}

bool isFactor(const Graph &graph, const Op &op) {
  if (op.kind != OpKind::Mul && op.kind != OpKind::Div) return false;
  const auto affine = affineOf(graph, op);
  return affine && !graph.module.type(op.result).shape.empty();
}

Channels::Channels(const Graph &graph, const std::vector<Place> &places)
    : graph_(graph), ids_(graph.module.types.size()) {
  for (std::size_t i = 0; i < places.size(); ++i) {
    const Op &op = graph.module.ops[i];
    if (places[i] == Place::Private) {
      for (auto operand : op.operands) // what the hospital enters is as it is
        if (!ids_[operand] && !graph.constant(operand))
          ids_[operand] = uniform(graph.module.type(operand).shape, kReal);
      if (op.kind == OpKind::Conv || op.kind == OpKind::MatMul || op.kind == OpKind::BatchNorm)
        linearOutputs_ += elementCount(graph.module.type(op.result).shape);
      visit(op);
    } else if (places[i] == Place::Tail) {
      for (auto operand : op.operands)
        pin(operand);
    }
  }
}

ChannelId Channels::find(ChannelId id) const {
  while (parent_[id] != id)
    id = parent_[id] = parent_[parent_[id]];
  return id;
}

void Channels::unite(ChannelId a, ChannelId b) {
  a = find(a), b = find(b);
  parent_[std::max(a, b)] = std::min(a, b); // kReal is the least
}

void Channels::pin(ValueId value) {
  if (!ids_[value]) return;
  for (double id : ids_[value]->data)
    unite(static_cast<ChannelId>(id), kReal);
  ids_[value] = uniform(graph_.module.type(value).shape, kReal);
}

bool Channels::varies(ValueId value, std::size_t onlyAxis) const {
  const Shape &shape = ids_[value]->shape;
  for (std::size_t axis = 0; axis < shape.size(); ++axis)
    if (axis != onlyAxis && shape[axis] != 1) return true;
  return false;
}

void Channels::fresh(const Op &op, std::size_t axis) {
  const Shape &shape = graph_.module.type(op.result).shape;
  if (shape.empty()) {
    ids_[op.result] = uniform(shape, kReal);
    return;
  }
  std::vector<double> ids;
  for (std::int64_t i = 0; i < shape[axis]; ++i) {
    ids.push_back(static_cast<double>(parent_.size()));
    parent_.push_back(parent_.size());
  }
  ids_[op.result] = acrossAxis(ids, shape.size(), axis);
}

// Weights that several ops share, as the steps of a recurrent layer do, stay shared.
void Channels::visitLinear(const Op &op) {
  const ValueId x = op.operands[0];
  const bool shared = graph_.users[op.operands[1]].size() > 1;
  if (shared || varies(x, inputAxis(op, graph_.module.type(x).shape))) pin(x);
  fresh(op, outputAxis(op, graph_.module.type(op.result).shape));
  if (shared) pin(op.result);
}

void Channels::visitSum(const Op &op) {
  const ValueId a = op.operands[0], b = op.operands[1];
  if (!ids_[a] || !ids_[b]) {
    const ValueId x = ids_[a] ? a : b;
    if (graph_.module.type(x).shape != graph_.module.type(op.result).shape) return pinAll(op); // quantize refuses it
    ids_[op.result] = ids_[x];
    return;
  }
  ids_[op.result] = combined(*ids_[a], *ids_[b], [&](double x, double y) {
    unite(static_cast<ChannelId>(x), static_cast<ChannelId>(y));
    return x;
  });
}

void Channels::visitProduct(const Op &op) {
  const ValueId a = op.operands[0], b = op.operands[1];
  if (!ids_[a] || !ids_[b])
    return isFactor(graph_, op) ? fresh(op, channelAxis(graph_.module.type(op.result).shape)) : pinAll(op);
  const ValueId real = isReal(a) ? a : b, other = real == a ? b : a;
  if (!isReal(real)) {
    pin(a);
    pin(b);
  } else {
    pin(real); // and so it must stay
  }
  ids_[op.result] = combined(*ids_[other], *ids_[real], [](double x, double) { return x; });
}

void Channels::visitMove(const Op &op) {
  std::vector<const Compact *> operands;
  for (auto operand : op.operands) {
    if (!ids_[operand]) ids_[operand] = uniform(graph_.module.type(operand).shape, kReal); // a constant
    operands.push_back(&*ids_[operand]);
  }
  if (op.kind != OpKind::Pad) {
    ids_[op.result] = moved(graph_.module, op, operands);
    return;
  }
  const auto &pads = op.attrs.ints(Attr::Pads);
  const Shape &own = operands[0]->shape;
  bool keeps = op.attrs.f(Attr::Fill) == 0;
  for (std::size_t axis = 0; axis < own.size(); ++axis)
    keeps &= own[axis] == 1 || (pads[axis] == 0 && pads[axis + own.size()] == 0);
  if (!keeps) pin(op.operands[0]);
  keep(op);
}

void Channels::visit(const Op &op) {
  switch (op.kind) {
  case OpKind::Conv:
  case OpKind::MatMul:
    if (hasConstantWeights(graph_, op)) return visitLinear(op);
    break;
  case OpKind::BatchNorm:
    if (std::any_of(op.operands.begin() + 1, op.operands.end(), [&](ValueId v) { return !graph_.constant(v); })) break;
    if (varies(op.operands[0], 1)) pin(op.operands[0]);
    return fresh(op, 1);
  case OpKind::Add:
  case OpKind::Sub:
    return visitSum(op);
  case OpKind::Mul:
  case OpKind::Div:
    return visitProduct(op);
  case SD_NN_POOLS:
    if (varies(op.operands[0], 1)) pin(op.operands[0]);
    return keep(op);
  case OpKind::Relu:
  case OpKind::Piecewise:
    if (!isHomogeneous(op)) pin(op.operands[0]);
    return keep(op);
  case OpKind::Identity:
  case SD_NN_LAYOUT:
    return visitMove(op);
  case SD_NN_ENDS: // channels end here
  case OpKind::VecDot:
  case SD_NN_SMOOTH:
  case OpKind::AtMost:
  case SD_NN_FINAL:
  case OpKind::Function:
#include "ir/core/ShareCases.def"
    break;
  }
  pinAll(op);
}

void Channels::pinAll(const Op &op) {
  for (auto operand : op.operands)
    pin(operand);
  ids_[op.result] = uniform(graph_.module.type(op.result).shape, kReal);
}

Compact Channels::of(ValueId value) const {
  Compact ids = *ids_[value];
  for (auto &id : ids.data)
    id = static_cast<double>(find(static_cast<ChannelId>(id)));
  return ids;
}

std::vector<ChannelId> Channels::along(ValueId value, std::size_t axis) const {
  const auto ids = sd::along(of(value), graph_.module.type(value).shape, axis);
  assert(ids);
  return {ids->begin(), ids->end()};
}

bool Channels::isFree(ValueId value) const {
  return std::ranges::none_of(ids_[value]->data, [&](double id) { return find(static_cast<ChannelId>(id)) == kReal; });
}

bool Channels::isReal(ValueId value) const {
  return std::ranges::all_of(ids_[value]->data, [&](double id) { return find(static_cast<ChannelId>(id)) == kReal; });
}

} // namespace sd
