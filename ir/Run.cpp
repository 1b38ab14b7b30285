#include "ir/Run.h"

namespace sd {

ProgramView viewOf(const Module &module) {
  ProgramView view;
  view.types = module.types;
  for (auto &op : module.ops)
    view.ops.push_back({op.kind, op.operands, op.result, &op.attrs,
                        op.kind == OpKind::ShareConstant ? &op.attrs.int32s(Attr::Weights) : nullptr, op.source});
  return view;
}

} // namespace sd
