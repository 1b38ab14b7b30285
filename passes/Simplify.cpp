// Folds what depends on constants alone, drops ops that change nothing, joins those that follow each other.
#include <algorithm>
#include <numeric>

#include "ir/core/OpFamilies.h"
#include "ir/core/Reference.h"
#include "passes/Pass.h"
#include "passes/Rewrite.h"

namespace sd {

namespace {

// One walk: ops look at the simplified ones that they depend on, so that a chain takes its length, not its square.
class Simplifier {
public:
  explicit Simplifier(const Module &module) : module_(module), rewriter_(module) {}

  Expected<Module> run() {
    for (auto &op : module_.ops) {
      SD_ASSIGN(const bool done, simplifyOp(op));
      if (!done) rewriter_.clone(op);
    }
    return rewriter_.finish();
  }

private:
  const Type &type(ValueId value) const { return rewriter_.builder.type(value); }
  ValueId operand(const Op &op, std::size_t i) const { return rewriter_[op.operands[i]]; }

  // The simplified op that defines the first operand; not to be held while ops are appended.
  const Op &inner(const Op &op) { return rewriter_.made(operand(op, 0)); }
  const Tensor<float> *constant(ValueId value) {
    const Op &op = rewriter_.made(value);
    return op.kind == OpKind::Constant ? &op.attrs.floats(Attr::Value) : nullptr;
  }

  bool forward(const Op &op, ValueId simplified) {
    rewriter_.map(op.result, simplified);
    return true;
  }

  // Appends `op` with these attributes on the operand of the op before, or nothing if that has the result already.
  bool join(const Op &op, Attrs attrs, bool changesNothing) {
    const ValueId x = inner(op).operands[0];
    if (changesNothing) return forward(op, x);
    rewriter_.replace(op, op.kind, {x}, std::move(attrs));
    return true;
  }

  bool isAll(ValueId value, float number) {
    const auto *tensor = constant(value);
    return tensor && std::ranges::all_of(tensor->data, [&](float v) { return v == number; });
  }

  Expected<bool> foldConstant(const Op &op) {
    std::vector<const Tensor<float> *> operands;
    for (std::size_t i = 0; i < op.operands.size(); ++i) {
      operands.push_back(constant(operand(op, i)));
      if (!operands.back()) return false;
    }
    auto value = evaluateClear(op.kind, operands, op.attrs);
    if (!value) return fail("{}: {}", describe(op), value.error().message);
    rewriter_.map(op.result, rewriter_.builder.constant(*std::move(value), op.source));
    return true;
  }

  bool neutral(const Op &op, int constantSide, float number) {
    const ValueId other = operand(op, 1 - constantSide);
    return type(other) == module_.type(op.result) && isAll(operand(op, constantSide), number) && forward(op, other);
  }

  bool reshape(const Op &op) {
    const Type &result = module_.type(op.result);
    if (type(operand(op, 0)) == result) return forward(op, operand(op, 0));
    if (inner(op).kind != OpKind::Reshape) return false;
    return join(op, op.attrs, type(inner(op).operands[0]) == result);
  }

  bool transpose(const Op &op) {
    const auto &perm = op.attrs.ints(Attr::Perm);
    if (std::ranges::is_sorted(perm)) return forward(op, operand(op, 0));
    if (inner(op).kind != OpKind::Transpose) return false;
    const auto &before = inner(op).attrs.ints(Attr::Perm);
    std::vector<std::int64_t> both;
    for (auto axis : perm)
      both.push_back(before[axis]);
    const bool changesNothing = std::ranges::is_sorted(both);
    return join(op, {{Attr::Perm, std::move(both)}}, changesNothing);
  }

  bool gather(const Op &op) {
    const auto &indices = op.attrs.ints(Attr::Indices);
    std::vector<std::int64_t> all(type(operand(op, 0)).shape[op.attrs.i(Attr::Axis)]);
    std::iota(all.begin(), all.end(), 0);
    return indices == all && forward(op, operand(op, 0));
  }

  bool pad(const Op &op) {
    return std::ranges::all_of(op.attrs.ints(Attr::Pads), [](auto p) { return p == 0; }) && forward(op, operand(op, 0));
  }

  // Zero paddings of the spatial axes before a convolution become the convolution's own.
  bool conv(const Op &op) {
    auto pads = op.attrs.ints(Attr::Pads);
    ValueId x = operand(op, 0);
    while (true) {
      const Op &before = rewriter_.made(x);
      if (before.kind != OpKind::Pad || before.attrs.f(Attr::Fill) != 0) break;
      const auto &outer = before.attrs.ints(Attr::Pads);
      const std::size_t rank = outer.size() / 2;
      if (outer[0] || outer[1] || outer[rank] || outer[rank + 1]) break;
      for (std::size_t i = 0; i + 2 < rank; ++i) {
        pads[i] += outer[i + 2];
        pads[i + rank - 2] += outer[i + 2 + rank];
      }
      x = before.operands[0];
    }
    if (x == operand(op, 0)) return false;
    Attrs attrs = op.attrs;
    attrs.set(Attr::Pads, std::move(pads));
    std::vector<ValueId> operands{x};
    for (std::size_t i = 1; i < op.operands.size(); ++i)
      operands.push_back(operand(op, i));
    rewriter_.replace(op, op.kind, std::move(operands), std::move(attrs));
    return true;
  }

  Expected<bool> simplifyOp(const Op &op) {
    if (op.operands.empty() || !info(op.kind).hasResult() || info(op.kind).level != Level::Nn) return false;
    SD_ASSIGN(const bool folded, foldConstant(op));
    if (folded) return true;
    switch (op.kind) {
    case OpKind::Identity:
      return forward(op, operand(op, 0));
    case OpKind::Add:
      return neutral(op, 0, 0) || neutral(op, 1, 0);
    case OpKind::Sub:
      return neutral(op, 1, 0);
    case OpKind::Mul:
      return neutral(op, 0, 1) || neutral(op, 1, 1);
    case OpKind::Div:
      return neutral(op, 1, 1);
    case OpKind::Relu:
      return isPlainRelu(op) && isPlainRelu(inner(op)) && forward(op, operand(op, 0));
    case OpKind::Reshape:
      return reshape(op);
    case OpKind::Transpose:
      return transpose(op);
    case OpKind::Gather:
      return gather(op);
    case OpKind::Pad:
      return pad(op);
    case OpKind::Conv:
      return conv(op);
    case OpKind::Concat:
      return op.operands.size() == 1 && forward(op, operand(op, 0));
    case SD_NN_ENDS: // as simple as they are
    case OpKind::MatMul:
    case OpKind::BatchNorm:
    case OpKind::VecDot:
    case SD_NN_SMOOTH:
    case OpKind::Piecewise:
    case OpKind::AtMost:
    case SD_NN_POOLS:
    case SD_NN_FINAL:
    case OpKind::Function:
#include "ir/core/ShareCases.def"
      break;
    }
    return false;
  }

  const Module &module_;
  Rewriter rewriter_;
};

} // namespace

Expected<Module> simplify(const Module &module, PassContext &) {
  const Module live = withoutDeadOps(module);
  return Simplifier(live).run();
}

} // namespace sd
