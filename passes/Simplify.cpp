// Folds what depends on constants alone, drops ops that change nothing, joins those that follow each other.
#include <algorithm>
#include <numeric>

#include "ir/core/Reference.h"
#include "passes/Pass.h"
#include "passes/Rewrite.h"

namespace sd {

namespace {

class Simplifier {
public:
  explicit Simplifier(const Module &module) : module_(module), graph_(module), rewriter_(module) {}

  Expected<bool> run() {
    for (auto &op : module_.ops) {
      SD_ASSIGN(const bool done, simplifyOp(op));
      changed_ |= done;
      if (!done) rewriter_.clone(op);
    }
    return changed_;
  }
  Module finish() { return rewriter_.finish(); }

private:
  const Type &type(ValueId value) const { return module_.type(value); }
  const Op &inner(const Op &op) const { return graph_.definition(op.operands[0]); }

  bool forward(const Op &op, ValueId operand) {
    rewriter_.map(op.result, rewriter_[operand]);
    return true;
  }

  // Appends `kind` on the operand of the op before.
  bool join(const Op &op, Attrs attrs) {
    rewriter_.replace(op, op.kind, {rewriter_[inner(op).operands[0]]}, std::move(attrs));
    return true;
  }

  bool isAll(ValueId value, float number) const {
    const auto *constant = graph_.constant(value);
    return constant && std::ranges::all_of(constant->data, [&](float v) { return v == number; });
  }

  Expected<bool> foldConstant(const Op &op) {
    std::vector<const Tensor<float> *> operands;
    for (auto operand : op.operands) {
      operands.push_back(graph_.constant(operand));
      if (!operands.back()) return false;
    }
    auto value = evaluateClear(op.kind, operands, op.attrs);
    if (!value) return fail("{}: {}", describe(op), value.error().message);
    rewriter_.map(op.result, rewriter_.builder.constant(*std::move(value), op.source));
    return true;
  }

  bool neutral(const Op &op, int constantSide, float number) {
    const ValueId other = op.operands[1 - constantSide];
    return isAll(op.operands[constantSide], number) && type(other) == type(op.result) && forward(op, other);
  }

  bool transpose(const Op &op) {
    const auto &perm = op.attrs.ints(Attr::Perm);
    if (std::ranges::is_sorted(perm)) return forward(op, op.operands[0]);
    if (inner(op).kind != OpKind::Transpose) return false;
    const auto &before = inner(op).attrs.ints(Attr::Perm);
    std::vector<std::int64_t> both;
    for (auto axis : perm)
      both.push_back(before[axis]);
    return join(op, {{Attr::Perm, both}});
  }

  bool gather(const Op &op) {
    const auto &indices = op.attrs.ints(Attr::Indices);
    std::vector<std::int64_t> all(type(op.operands[0]).shape[op.attrs.i(Attr::Axis)]);
    std::iota(all.begin(), all.end(), 0);
    return indices == all && forward(op, op.operands[0]);
  }

  bool pad(const Op &op) {
    return std::ranges::all_of(op.attrs.ints(Attr::Pads), [](auto p) { return p == 0; }) && forward(op, op.operands[0]);
  }

  // A zero padding of the spatial axes before a convolution becomes the convolution's own.
  bool conv(const Op &op) {
    const Op &before = inner(op);
    if (before.kind != OpKind::Pad || before.attrs.f(Attr::Fill) != 0) return false;
    const auto &outer = before.attrs.ints(Attr::Pads);
    const std::size_t rank = outer.size() / 2;
    if (outer[0] || outer[1] || outer[rank] || outer[rank + 1]) return false;
    auto pads = op.attrs.ints(Attr::Pads);
    for (std::size_t i = 0; i + 2 < rank; ++i) {
      pads[i] += outer[i + 2];
      pads[i + rank - 2] += outer[i + 2 + rank];
    }
    Attrs attrs = op.attrs;
    attrs.set(Attr::Pads, pads);
    std::vector<ValueId> operands{rewriter_[before.operands[0]]};
    for (std::size_t i = 1; i < op.operands.size(); ++i)
      operands.push_back(rewriter_[op.operands[i]]);
    rewriter_.replace(op, op.kind, std::move(operands), std::move(attrs));
    return true;
  }

  Expected<bool> simplifyOp(const Op &op) {
    if (op.operands.empty() || !info(op.kind).hasResult() || info(op.kind).level != Level::Nn) return false;
    SD_ASSIGN(const bool folded, foldConstant(op));
    if (folded) return true;
    switch (op.kind) {
    case OpKind::Identity:
      return forward(op, op.operands[0]);
    case OpKind::Add:
      return neutral(op, 0, 0) || neutral(op, 1, 0);
    case OpKind::Sub:
      return neutral(op, 1, 0);
    case OpKind::Mul:
      return neutral(op, 0, 1) || neutral(op, 1, 1);
    case OpKind::Div:
      return neutral(op, 1, 1);
    case OpKind::Relu:
      return isPlainRelu(op) && isPlainRelu(inner(op)) && forward(op, op.operands[0]);
    case OpKind::Reshape:
      if (type(op.operands[0]) == type(op.result)) return forward(op, op.operands[0]);
      return inner(op).kind == OpKind::Reshape && join(op, op.attrs);
    case OpKind::Transpose:
      return transpose(op);
    case OpKind::Gather:
      return gather(op);
    case OpKind::Pad:
      return pad(op);
    case OpKind::Conv:
      return conv(op);
    case OpKind::Concat:
      return op.operands.size() == 1 && forward(op, op.operands[0]);
    default:
      return false;
    }
  }

  const Module &module_;
  Graph graph_;
  Rewriter rewriter_;
  bool changed_ = false;
};

} // namespace

Expected<Module> simplify(const Module &module, PassContext &) {
  Module current = withoutDeadOps(module);
  while (true) {
    Simplifier simplifier(current);
    SD_ASSIGN(const bool changed, simplifier.run());
    if (!changed) return current;
    current = simplifier.finish();
  }
}

} // namespace sd
