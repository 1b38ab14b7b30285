// Sums with and products by constants beside a linear op go into its weights and bias.
#include <algorithm>
#include <cmath>

#include "passes/FoldBackward.h"
#include "passes/Intervals.h"
#include "passes/Linear.h"
#include "passes/Partition.h"
#include "passes/Pass.h"

namespace sd {

namespace {

// What an op does to each output of the linear op before it.
std::optional<OutputAffine> outputAffineOf(const Graph &graph, const Op &op, const LinearBehind &behind) {
  const auto affine = affineOf(graph, op);
  const Op *linear = affine ? behind(affine->x) : nullptr;
  if (!linear) return std::nullopt;
  const Shape &shape = graph.module.type(affine->x).shape;
  const std::size_t axis = outputAxis(*linear, shape);
  const auto factors = valuesAlong(affine->factor, shape, axis), summands = valuesAlong(affine->summand, shape, axis);
  if (!factors || !summands) return std::nullopt;
  OutputAffine along{affine->x, {}, std::vector<double>(summands->begin(), summands->end())};
  if (affine->scales) along.factor.assign(factors->begin(), factors->end());
  return along;
}

// moves(affine(x)) -> affine(moves(x)), so that it stands beside the linear op.
bool sinkAffine(const Graph &graph, Rewriter &rewriter, const Op &op) {
  if (op.kind != OpKind::Reshape && op.kind != OpKind::Transpose) return false;
  const Op &inner = graph.definition(op.operands[0]);
  const auto affine = affineOf(graph, inner);
  if (!affine || !graph.hasOneUser(inner.result)) return false;
  const Shape &shape = graph.module.type(affine->x).shape;
  ValueId operands[2];
  for (int i : {0, 1}) {
    if (const auto *constant = graph.constant(inner.operands[i])) {
      const bool uniform = std::ranges::count(constant->data, constant->data[0]) == constant->size();
      operands[i] = uniform ? rewriter.builder.constant(Tensor<float>(Shape{}, {constant->data[0]}), inner.source)
                            : rewriter.builder.create(
                                  op.kind, {rewriter.builder.constant(broadcastTo(*constant, shape), inner.source)},
                                  op.attrs, inner.source);
    } else {
      operands[i] = rewriter.builder.create(op.kind, {rewriter[inner.operands[i]]}, op.attrs, op.source);
    }
  }
  rewriter.map(op.result, rewriter.builder.create(inner.kind, {operands[0], operands[1]}, {}, inner.source));
  return true;
}

enum class Which : std::uint8_t { NotNormalization, NormalizationOnly };

// By op: whether it is affine and all that uses its result is linear, perhaps after such ops: only then folding it
// forward spares something.
std::vector<bool> opsThatFoldForward(const Graph &graph, const std::vector<Place> &places) {
  constexpr std::uint8_t kSecond = 1, kLast = 2; // input axes of the linear ops that a value reaches, a set
  const auto &ops = graph.module.ops;
  std::vector<std::uint8_t> axes(graph.module.types.size());
  std::vector<bool> folds(ops.size());
  for (std::size_t i = ops.size(); i-- > 0;) {
    const ValueId value = ops[i].result;
    if (value == kNoValue) continue;
    bool alone = true;
    for (std::size_t user : graph.users[value]) {
      const Op &op = ops[user];
      const bool takes = hasConstantWeights(graph, op) && op.operands[0] == value;
      alone &= takes || folds[user];
      if (takes)
        axes[value] |= op.kind == OpKind::Conv ? kSecond : kLast;
      else if (folds[user])
        axes[value] |= axes[op.result];
    }
    if (!alone) axes[value] = 0;
    const auto affine = axes[value] && places[i] != Place::Prefix ? affineOf(graph, ops[i]) : std::nullopt;
    if (!affine) continue;
    const Shape &shape = graph.module.type(affine->x).shape;
    folds[i] = (!(axes[value] & kSecond) || valuesAlong(affine->factor, shape, 1)) &&
               (!(axes[value] & kLast) || valuesAlong(affine->factor, shape, shape.size() - 1));
  }
  return folds;
}

// Forward folding of affine ops in front of linear ones, until nothing changes.
Expected<Module> foldForward(Module module, Which which) {
  for (bool changed = true; changed;) {
    changed = false;
    const Graph graph(module);
    const auto places = partition(graph, false);
    std::vector<bool> folds;
    if (which == Which::NotNormalization)
      folds = opsThatFoldForward(graph, places);
    else
      for (std::size_t i = 0; i < places.size(); ++i)
        folds.push_back(places[i] == Place::Prefix && !isRangeScaling(graph, module.ops[i]));
    Rewriter rewriter(module);
    for (auto &op : module.ops) {
      bool done = false;
      if (!op.operands.empty() && folds[graph.definitions[op.operands[0]]]) {
        SD_ASSIGN(done, foldAffineInto(graph, rewriter, op, folds));
        if (!done && which == Which::NormalizationOnly) done = sinkAffine(graph, rewriter, op);
      }
      changed |= done;
      if (!done) rewriter.clone(op);
    }
    if (changed) {
      module = rewriter.finish();
      PassContext unused;
      SD_ASSIGN(module, simplify(module, unused)); // constants that sank
    }
  }
  return module;
}

// (x - m) / h with m and h by each column's declared range, which the hospital computes, and h y + m behind it, which
// is private and folds into what follows: so columns of any size enter with the precision that the scale has.
Module withColumnsScaled(const Module &module, const ColumnRanges &columns) {
  Rewriter rewriter(module);
  for (auto &op : module.ops) {
    rewriter.clone(op);
    const auto found = op.kind == OpKind::Input ? columns.find(op.attrs.str(Attr::Name)) : columns.end();
    if (found == columns.end()) continue;
    Shape shape = module.type(op.result).shape;
    if (shape.size() > 1) shape[0] = 1;
    Tensor<float> middle(shape), half(shape), inverse(shape);
    for (std::size_t i = 0; i < half.data.size(); ++i) {
      const auto &[low, high] = found->second[i];
      const double width = (high - low) / 2;
      middle.data[i] = static_cast<float>(low + width);
      half.data[i] = static_cast<float>(width > 0 ? std::exp2(std::ceil(std::log2(width))) : 1); // its inverse is exact
      inverse.data[i] = 1 / half.data[i];
    }
    const auto apply = [&](OpKind kind, ValueId x, Tensor<float> constant, std::string_view source) {
      const ValueId by = rewriter.builder.constant(std::move(constant), std::string(source));
      return rewriter.builder.create(kind, {x, by}, {}, op.source);
    };
    ValueId x = apply(OpKind::Sub, rewriter[op.result], middle, kDeclaredRanges);
    x = apply(OpKind::Mul, x, inverse, kDeclaredRanges);
    x = apply(OpKind::Mul, x, half, op.source);
    rewriter.map(op.result, apply(OpKind::Add, x, middle, op.source));
  }
  return rewriter.finish();
}

} // namespace

Expected<Module> fuseBias(const Module &module, PassContext &) {
  const Graph graph(module);
  const auto read = [&](const Op &op, const LinearBehind &behind) { return outputAffineOf(graph, op, behind); };
  Module folded = foldBackward(graph, read, [](Rewriter &rewriter, const Op &op) { rewriter.clone(op); });
  return foldForward(std::move(folded), Which::NotNormalization);
}

Expected<Module> foldNormalization(const Module &module, PassContext &context) {
  if (!context.options.privateNormalization) return module;
  return foldForward(withColumnsScaled(module, context.options.columnRanges), Which::NormalizationOnly);
}

} // namespace sd
