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

} // namespace

// One walk: a pool or concatenation looks at the functions as they have moved already.
Expected<Module> commutePoolRelu(const Module &module, PassContext &) {
  const std::vector<std::vector<std::size_t>> users = usersOf(module);
  Rewriter rewriter(module);
  auto isLone = [&](ValueId value, bool (*is)(const Op &)) {
    return users[value].size() == 1 && is(rewriter.made(rewriter[value]));
  };
  // Its place is taken by the function of the moved op.
  auto move = [&](const Op &op, std::vector<ValueId> operands) {
    for (auto &operand : operands)
      operand = rewriter.made(operand).operands[0];
    const Op function = rewriter.made(rewriter[op.operands[0]]);
    const ValueId moved = rewriter.builder.create(op.kind, std::move(operands), op.attrs, op.source);
    rewriter.map(op.result, rewriter.builder.create(function.kind, {moved}, function.attrs, function.source));
  };
  for (auto &op : module.ops) {
    const bool isPool = op.kind == OpKind::MaxPool, joins = op.kind == OpKind::Concat && op.operands.size() > 1;
    const auto isLoneRelu = [&](ValueId value) { return isLone(value, isPlainRelu); };
    if ((isPool && isLone(op.operands[0], isRising)) ||
        ((isPool || joins) && std::ranges::all_of(op.operands, isLoneRelu))) {
      std::vector<ValueId> operands;
      for (auto operand : op.operands)
        operands.push_back(rewriter[operand]);
      move(op, std::move(operands));
    } else {
      rewriter.clone(op);
    }
  }
  return rewriter.finish();
}

} // namespace sd
