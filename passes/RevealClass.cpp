// The hospital learns which class has the largest score, and no score. Scores x at integers of any scale become
// relu(1 - (max - x)): 1 where x is the maximum, 0 elsewhere, exactly, since max - x is a non-negative integer. Equal
// maxima all give 1, and the first is the class. The maximum comes from a tournament along the class axis.
#include <algorithm>
#include <numeric>
#include <set>

#include "passes/Fixed.h"
#include "passes/Pass.h"

namespace sd {

namespace {

bool isNormalizer(OpKind kind) { return kind == OpKind::Softmax || kind == OpKind::LogSoftmax; }

// The class axis of an opened value: that of the softmax or argmax behind it, else the last one.
std::int64_t classAxis(const Graph &graph, const Op &output) {
  for (std::size_t user : graph.users[output.result]) {
    const Op &op = graph.module.ops[user];
    if (isNormalizer(op.kind) || op.kind == OpKind::ArgMax) return op.attrs.i(Attr::Axis);
  }
  return static_cast<std::int64_t>(graph.module.type(output.result).shape.size()) - 1;
}

ValueId gather(Builder &builder, ValueId x, std::int64_t axis, std::vector<std::int64_t> indices, const Op &origin) {
  return builder.create(OpKind::ShareGather, {x}, {{Attr::Axis, axis}, {Attr::Indices, std::move(indices)}},
                        origin.source);
}

std::vector<std::int64_t> range(std::int64_t first, std::int64_t count) {
  std::vector<std::int64_t> v(static_cast<std::size_t>(count));
  std::iota(v.begin(), v.end(), first);
  return v;
}

ValueId maximumAlong(Builder &builder, ValueId x, std::int64_t axis, int boundBits, const Op &origin) {
  // Halves overlap by one where their number is odd: a maximum does not mind.
  for (std::int64_t size; (size = builder.type(x).shape[static_cast<std::size_t>(axis)]) > 1;) {
    const std::int64_t half = (size + 1) / 2;
    const ValueId left = gather(builder, x, axis, range(0, half), origin);
    const ValueId right = gather(builder, x, axis, range(size - half, half), origin);
    x = builder.create(OpKind::ShareMax, {left, right}, {{Attr::Bound, std::int64_t{boundBits}}}, origin.source);
  }
  return x;
}

// 1 at the largest scores along `axis`, 0 elsewhere, at scale 0.
ValueId indicator(Builder &builder, ValueId scores, std::int64_t axis, int boundBits, const Op &origin) {
  const Type type = builder.type(scores);
  const std::int64_t classes = type.shape[static_cast<std::size_t>(axis)];
  ValueId largest = maximumAlong(builder, scores, axis, boundBits, origin);
  largest = gather(builder, largest, axis, std::vector<std::int64_t>(static_cast<std::size_t>(classes), 0), origin);
  const ValueId below = builder.create(OpKind::ShareSub, {scores, largest}, {}, origin.source);
  const ValueId one =
      builder.weights(Tensor<std::int64_t>({1}, std::vector<std::int64_t>{1}), type.scale, origin.source);
  const ValueId shifted = builder.create(OpKind::ShareAddW, {below, one}, {}, origin.source);
  const ValueId mark =
      builder.create(OpKind::ShareRelu, {shifted},
                     {{Attr::Bits, std::int64_t{0}}, {Attr::Bound, std::int64_t{boundBits}}}, origin.source);
  if (type.scale == 0) return mark;
  return builder.create(OpKind::ShareRescale, {mark}, {{Attr::Shift, std::int64_t{-type.scale}}}, origin.source);
}

} // namespace

Expected<Module> revealClass(const Module &module, PassContext &context) {
  if (!context.options.revealClass) return module;
  const int boundBits = boundBitsOf(module, context.options);
  const Graph graph(module);
  Rewriter rewriter(module);
  Complaints complaints;
  std::set<ValueId> marks; // opened indicators, in the old module
  for (auto &op : module.ops) {
    if (op.kind == OpKind::ShareOutput) {
      const Shape &shape = module.type(op.result).shape;
      const std::int64_t axis = classAxis(graph, op);
      if (axis < 0 || shape[static_cast<std::size_t>(axis)] < 2) {
        complaints.add(op,
                       "--reveal class needs at least two scores along an axis, not {}; export the model with one "
                       "score for each class",
                       toString(shape));
        rewriter.clone(op);
        continue;
      }
      rewriter.replace(op, OpKind::ShareOutput,
                       {indicator(rewriter.builder, rewriter[op.operands[0]], axis, boundBits, op)});
      marks.insert(op.result);
    } else if (!op.operands.empty() && marks.contains(op.operands[0]) && isNormalizer(op.kind)) {
      rewriter.map(op.result, rewriter[op.operands[0]]); // the class stays the class
      marks.insert(op.result);
    } else if (!op.operands.empty() && marks.contains(op.operands[0]) && op.kind == OpKind::Sigmoid) {
      complaints.add(op, "--reveal class does not apply to scores that end in a sigmoid: each is a result of its own");
      rewriter.clone(op);
    } else {
      rewriter.clone(op);
    }
  }
  if (!complaints.empty()) return complaints.error();
  return rewriter.finish();
}

} // namespace sd
