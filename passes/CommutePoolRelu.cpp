// relu (or another function that never falls) then maxpool -> maxpool then relu: a quarter of the comparisons for 2x2.
// A concatenation of ReLUs is one ReLU of the concatenation, which then meets a pool behind it. (A ReLU before an
// average must stay.)
#include <algorithm>

#include "passes/Pass.h"
#include "passes/Rewrite.h"

namespace sd {

namespace {

// A piecewise linear function that never falls: like a ReLU, it commutes with a maximum.
bool isRising(const Op &op) {
  return op.kind == OpKind::Piecewise &&
         std::ranges::none_of(op.attrs.floats(Attr::Slopes).data, [](float slope) { return slope < 0; });
}

// One walk; true if something moved.
bool commuteOnce(Module &module) {
  const Graph graph(module);
  auto isLoneRising = [&](ValueId value) { return isRising(graph.definition(value)) && graph.hasOneUser(value); };
  auto isLoneRelu = [&](ValueId value) { return isPlainRelu(graph.definition(value)) && graph.hasOneUser(value); };
  Rewriter rewriter(module);
  bool moved = false;
  for (auto &op : module.ops) {
    const bool movable = op.kind == OpKind::MaxPool || (op.kind == OpKind::Concat && op.operands.size() > 1);
    if (op.kind == OpKind::MaxPool && isLoneRising(op.operands[0])) {
      const Op &function = graph.definition(op.operands[0]);
      const ValueId pooled = rewriter.builder.create(op.kind, {rewriter[function.operands[0]]}, op.attrs, op.source);
      rewriter.map(op.result, rewriter.builder.create(function.kind, {pooled}, function.attrs, function.source));
      moved = true;
      continue;
    }
    if (!movable || !std::ranges::all_of(op.operands, isLoneRelu)) {
      rewriter.clone(op);
      continue;
    }
    std::vector<ValueId> operands;
    for (auto operand : op.operands)
      operands.push_back(rewriter[graph.definition(operand).operands[0]]);
    const ValueId result = rewriter.builder.create(op.kind, std::move(operands), op.attrs, op.source);
    rewriter.map(op.result,
                 rewriter.builder.create(OpKind::Relu, {result}, {}, graph.definition(op.operands[0]).source));
    moved = true;
  }
  if (moved) module = rewriter.finish();
  return moved;
}

} // namespace

Expected<Module> commutePoolRelu(const Module &module, PassContext &) {
  Module result = module;
  while (commuteOnce(result)) {
  }
  return result;
}

} // namespace sd
