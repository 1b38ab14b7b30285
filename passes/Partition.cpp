#include "passes/Partition.h"

#include <algorithm>

#include "passes/Linear.h"
#include "passes/Pass.h"

namespace sd {

namespace {

// Whether the op is of a kind that a normalisation is made of. (Constants may be larger than the record's tensor: the
// hospital doesn't mind.)
bool isNormalization(const Graph &graph, const Op &op) {
  if (op.kind != OpKind::Add && op.kind != OpKind::Sub && op.kind != OpKind::Mul && op.kind != OpKind::Div)
    return false;
  return (graph.constant(op.operands[0]) && op.kind != OpKind::Div) != (graph.constant(op.operands[1]) != nullptr);
}

Place placeOf(const Graph &graph, const Op &op, const std::vector<Place> &places, bool privateNormalization) {
  bool constant = op.kind != OpKind::Input, prefix = true, tail = false;
  for (auto operand : op.operands) {
    const Place place = places[graph.definitions[operand]];
    constant &= place == Place::Constant;
    prefix &= place == Place::Constant || place == Place::Prefix;
    tail |= place == Place::Tail;
  }
  if (op.kind == OpKind::Return || tail) return Place::Tail;
  if (constant) return Place::Constant;
  if (isFinal(op)) return Place::Tail;
  if (op.kind == OpKind::Input) return Place::Prefix;
  const bool normalizes = isNormalization(graph, op) && (!privateNormalization || isRangeScaling(graph, op));
  if (prefix && (isMove(op.kind) || normalizes)) return Place::Prefix;
  return Place::Private;
}

} // namespace

bool isRangeScaling(const Graph &graph, const Op &op) {
  return (op.kind == OpKind::Sub || op.kind == OpKind::Mul) && graph.constant(op.operands[1]) &&
         graph.definition(op.operands[1]).source == kDeclaredRanges;
}

std::vector<Place> partition(const Graph &graph, bool privateNormalization) {
  const Module &module = graph.module;
  std::vector<Place> places;
  for (auto &op : module.ops)
    places.push_back(placeOf(graph, op, places, privateNormalization));

  // Chains that reach the result, backwards.
  std::vector<bool> reaches(module.ops.size(), false);
  for (std::size_t i = module.ops.size(); i-- > 0;) {
    const Op &op = module.ops[i];
    if (places[i] == Place::Tail) reaches[i] = true;
    if (places[i] != Place::Prefix || op.kind == OpKind::Input) continue;
    reaches[i] = std::ranges::any_of(graph.users[op.result], [&](std::size_t user) { return reaches[user]; });
    if (reaches[i]) places[i] = Place::Private;
  }
  // What else takes a value from such a chain takes it from the shares: opening it is not the hospital's to do.
  for (std::size_t i = 0; i < places.size(); ++i)
    if (places[i] == Place::Prefix)
      for (auto operand : module.ops[i].operands)
        if (places[graph.definitions[operand]] == Place::Private) places[i] = Place::Private;
  return places;
}

} // namespace sd
