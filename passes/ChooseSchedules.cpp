// Digit and radix of each comparison by the cost model: fewest round trips first, then least estimated time.
#include "passes/Pass.h"
#include "passes/Rewrite.h"

namespace sd {

Expected<Module> chooseSchedules(const Module &module, PassContext &context) {
  Rewriter rewriter(module);
  for (auto &op : module.ops) {
    if (op.kind != OpKind::ShareRelu && op.kind != OpKind::ShareMax) {
      rewriter.clone(op);
      continue;
    }
    const auto elements = static_cast<std::uint64_t>(elementCount(module.type(op.result).shape));
    const CompareSchedule schedule =
        bestSchedule(module.ringBits, static_cast<int>(op.attrs.i(Attr::Bits, 0)),
                     static_cast<int>(op.attrs.i(Attr::Bound)), elements, context.options.network);
    Attrs attrs = op.attrs;
    attrs.set(Attr::Digit, std::int64_t{schedule.digit});
    attrs.set(Attr::Radix, std::int64_t{schedule.radix});
    rewriter.clone(op, std::move(attrs));
  }
  return rewriter.finish();
}

} // namespace sd
