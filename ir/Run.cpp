#include "ir/Run.h"

namespace sd {

ProgramView viewOf(const Module &module) {
  ProgramView view;
  view.types = module.types;
  view.ringBits = module.ringBits;
  for (auto &op : module.ops) {
    WeightsView weights;
    if (op.kind == OpKind::ShareConstant)
      op.attrs.integers(Attr::Weights).visit([&](const auto &tensor) { weights = &tensor; });
    view.ops.push_back({op.kind, op.operands, op.result, &op.attrs, weights, op.source});
  }
  return view;
}

} // namespace sd
