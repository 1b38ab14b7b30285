#include "ir/Run.h"

namespace sd {

ProgramView viewOf(const Module &module) {
  ProgramView view;
  view.types = module.types;
  view.ringBits = module.ringBits;
  for (auto &op : module.ops)
    view.ops.push_back({op.kind, op.operands, op.result, &op.attrs,
                        op.kind == OpKind::ShareConstant ? WeightsView(&op.attrs.int64s(Attr::Weights)) : WeightsView(),
                        op.source});
  return view;
}

} // namespace sd
