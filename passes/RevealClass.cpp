// The hospital learns which classes have the largest scores, and no score. Everything is exact, on integers.
//
// One class: scores x become relu(1 - (max - x)), which is 1 where x is the maximum and 0 elsewhere, since max - x is a
// non-negative integer. Equal maxima all give 1. The maximum comes from a tournament along the class axis.
//
// The k best of n: all pairs are compared at once, b = [x_high > x_low] = relu(1 - relu(x_low - x_high + 1)) for
// low < high. How many classes come before class i, where the lower of equal scores comes first, is the sum of b over
// the pairs that it is low in, and of 1 - b over those that it is high in. relu(k - that) is k, k - 1, ..., 1 for the
// best k in order, and 0 for all others.
//
// A finding: its score x is above the threshold if it is at least T, the next integer above that; relu(1 - relu(T - x))
// is 1 then, and else 0.
#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>
#include <set>

#include "passes/Pass.h"
#include "passes/Rewrite.h"

namespace sd {

namespace {

constexpr std::int64_t kMostRanked = 1024; // classes; they take half their square of comparisons

bool isRanker(OpKind kind) { return kind == OpKind::ArgMax || kind == OpKind::ArgTopK; }
bool isNormalizer(OpKind kind) { return kind == OpKind::Softmax || kind == OpKind::LogSoftmax; }
// What keeps the order of scores. (A sigmoid of findings is decided before.)
bool keepsOrder(OpKind kind) { return isNormalizer(kind) || kind == OpKind::Sigmoid; }

// What is asked of an opened value.
struct Ranking {
  std::int64_t axis = -1; // the class axis: that of the ops behind the value, else its last one
  std::int64_t count = 1; // best classes
};

class Ranker {
public:
  Ranker(Builder &builder, const Op &origin, Ranking ranking, int boundBits)
      : builder_(builder), origin_(origin), axis_(ranking.axis), count_(ranking.count), bound_(boundBits) {}

  // At scale 0: 1 at the largest scores, or count .. 1 at the best ones; 0 elsewhere.
  ValueId marks(ValueId scores) const {
    if (const int scale = builder_.type(scores).scale)
      scores = create(OpKind::ShareRescale, {scores}, {{Attr::Shift, std::int64_t{-scale}}});
    return count_ == 1 ? atMaximum(scores) : ranked(scores);
  }

private:
  ValueId create(OpKind kind, std::vector<ValueId> operands, Attrs attrs = {}) const {
    return builder_.create(kind, std::move(operands), std::move(attrs), origin_.source);
  }
  std::int64_t classes(ValueId x) const { return builder_.type(x).shape[static_cast<std::size_t>(axis_)]; }
  ValueId gather(ValueId x, std::vector<std::int64_t> indices) const {
    return create(OpKind::ShareGather, {x}, {{Attr::Axis, axis_}, {Attr::Indices, std::move(indices)}});
  }
  ValueId plus(ValueId x, std::int64_t c) const { return create(OpKind::ShareAddC, {x}, {{Attr::Addend, c}}); }
  // c - x.
  ValueId from(std::int64_t c, ValueId x) const {
    return plus(create(OpKind::ShareMulC, {x}, {{Attr::Factor, std::int64_t{-1}}}), c);
  }
  ValueId relu(ValueId x, std::int64_t bound) const {
    return create(OpKind::ShareRelu, {x}, {{Attr::Bits, std::int64_t{0}}, {Attr::Bound, bound}});
  }
  ValueId reshape(ValueId x, Shape shape) const {
    return create(OpKind::ShareReshape, {x}, {{Attr::Dims, std::move(shape)}});
  }

  static std::vector<std::int64_t> range(std::int64_t first, std::int64_t count) {
    std::vector<std::int64_t> v(static_cast<std::size_t>(count));
    std::iota(v.begin(), v.end(), first);
    return v;
  }

  ValueId atMaximum(ValueId scores) const {
    ValueId x = scores;
    // Halves overlap by one where their number is odd: a maximum does not mind.
    for (std::int64_t size; (size = classes(x)) > 1;) {
      const std::int64_t half = (size + 1) / 2;
      const ValueId left = gather(x, range(0, half)), right = gather(x, range(size - half, half));
      x = create(OpKind::ShareMax, {left, right}, {{Attr::Bound, bound_}});
    }
    x = gather(x, std::vector<std::int64_t>(static_cast<std::size_t>(classes(scores)), 0));
    return relu(plus(create(OpKind::ShareSub, {scores, x}), 1), bound_);
  }

  ValueId ranked(ValueId scores) const {
    const Shape shape = builder_.type(scores).shape;
    const std::int64_t n = classes(scores), pairs = n * (n - 1) / 2;
    std::vector<std::int64_t> low, high, before(static_cast<std::size_t>(n * (n - 1)));
    for (std::int64_t i = 0; i < n; ++i)
      for (std::int64_t j = i + 1; j < n; ++j) {
        const auto pair = static_cast<std::int64_t>(low.size());
        before[i * (n - 1) + j - 1] = pair;     // does j come before i?
        before[j * (n - 1) + i] = pairs + pair; // does i come before j?
        low.push_back(i), high.push_back(j);
      }
    const ValueId difference =
        create(OpKind::ShareSub, {gather(scores, std::move(low)), gather(scores, std::move(high))});
    const ValueId greater = relu(from(1, relu(plus(difference, 1), bound_)), bound_);
    const ValueId both = create(OpKind::ShareConcat, {greater, from(1, greater)}, {{Attr::Axis, axis_}});

    Shape rows = {1, n, n - 1, 1}; // of each class, what stands before and behind the axis around it
    for (std::size_t i = 0; i < shape.size(); ++i)
      if (static_cast<std::int64_t>(i) != axis_) rows[static_cast<std::int64_t>(i) < axis_ ? 0 : 3] *= shape[i];
    const ValueId compared = reshape(gather(both, std::move(before)), rows);
    const ValueId sum = create(OpKind::ShareSumPool, {compared},
                               {{Attr::Kernel, std::vector<std::int64_t>{n - 1, 1}},
                                {Attr::Strides, std::vector<std::int64_t>{1, 1}},
                                {Attr::Pads, std::vector<std::int64_t>{0, 0, 0, 0}},
                                {Attr::Dilations, std::vector<std::int64_t>{1, 1}},
                                {Attr::CeilMode, std::int64_t{0}}});
    const auto bound = static_cast<std::int64_t>(std::bit_width(static_cast<std::uint64_t>(n)));
    return relu(from(count_, reshape(sum, shape)), bound);
  }

  Builder &builder_;
  const Op &origin_;
  std::int64_t axis_, count_, bound_; // bound_: k of the scores
};

// An opened value of which each element is decided by a threshold: findings, or a single score of two classes.
struct Decision {
  const std::vector<double> *thresholds = nullptr; // of the output's values, one for each element or one for all
  const Op *sigmoid = nullptr;                     // that makes the output's values of the opened ones, or none
};

class Decisions {
public:
  Decisions(const Graph &graph, const PassOptions &options) : graph_(graph), options_(options) {}

  // Of what an output op opens; nothing if no output of findings comes from it.
  std::optional<Decision> of(const Op &output) const {
    Decision found;
    visit(output.result, nullptr, found);
    return found.thresholds ? std::optional(found) : std::nullopt;
  }

private:
  void visit(ValueId value, const Op *sigmoid, Decision &found) const {
    for (std::size_t user : graph_.users[value]) {
      const Op &op = graph_.module.ops[user];
      if (op.kind == OpKind::Return) {
        const auto &names = op.attrs.strings(Attr::Names);
        for (std::size_t i = 0; i < names.size(); ++i)
          if (const auto known = options_.thresholds.find(names[i]);
              op.operands[i] == value && known != options_.thresholds.end() && !found.thresholds)
            found = {&known->second, sigmoid};
      } else if (op.kind == OpKind::Sigmoid) {
        visit(op.result, &op, found);
      } else if (op.kind == OpKind::Reshape || op.kind == OpKind::Identity) {
        visit(op.result, sigmoid, found);
      }
    }
  }

  const Graph &graph_;
  const PassOptions &options_;
};

// Marks of the scores x above their thresholds: 1, else 0; at scale 0.
Expected<ValueId> decide(Builder &builder, const Op &output, ValueId x, const Decision &decision, int boundBits) {
  const Type type = builder.type(x);
  Tensor<std::int64_t> least(type.shape); // T
  for (std::int64_t i = 0; i < least.size(); ++i) {
    const auto &all = *decision.thresholds;
    const double p = all[static_cast<std::size_t>(i) % all.size()];
    const double threshold = decision.sigmoid ? std::log(p) - std::log1p(-p) : p;
    const double scaled = std::floor(std::ldexp(threshold, type.scale)) + 1;
    if (!(std::abs(scaled) < std::ldexp(1.0, boundBits - 1)))
      return fail("--reveal class: a threshold of {:g} is beyond what the scores can reach at scale 2^{}", p,
                  type.scale);
    least.data[static_cast<std::size_t>(i)] = static_cast<std::int64_t>(scaled);
  }
  const auto create = [&](OpKind kind, std::vector<ValueId> operands, Attrs attrs) {
    return builder.create(kind, std::move(operands), std::move(attrs), output.source);
  };
  const auto relu = [&](ValueId value) {
    return create(OpKind::ShareRelu, {value}, {{Attr::Bits, std::int64_t{0}}, {Attr::Bound, std::int64_t{boundBits}}});
  };
  const auto negated = [&](ValueId value) {
    return create(OpKind::ShareMulC, {value}, {{Attr::Factor, std::int64_t{-1}}});
  };
  if (type.scale) x = create(OpKind::ShareRescale, {x}, {{Attr::Shift, std::int64_t{-type.scale}}});
  const bool uniform = std::ranges::count(least.data, least.data[0]) == least.size();
  const ValueId below = uniform ? create(OpKind::ShareAddC, {negated(x)}, {{Attr::Addend, least.data[0]}})
                                : create(OpKind::ShareAddW, {negated(x), builder.weights(least, 0, output.source)}, {});
  return relu(create(OpKind::ShareAddC, {negated(relu(below))}, {{Attr::Addend, std::int64_t{1}}}));
}

// Reads the ops behind an opened value, through those that keep the order of scores.
class Asked {
public:
  Asked(const Graph &graph, Complaints &complaints, const Op &output) : graph_(graph), complaints_(complaints) {
    visit(output.result);
    if (ranking_.axis < 0) ranking_.axis = static_cast<std::int64_t>(graph.module.type(output.result).shape.size()) - 1;
    if (last_ && ranking_.count > 1)
      complaints.add(*last_,
                     "--reveal class breaks ties of the classes that TopK finds by the lowest index, so the last "
                     "of equal maxima is not known beside them; clear select_last_index");
  }
  Ranking ranking() const { return ranking_; }

private:
  void visit(ValueId value) {
    for (std::size_t user : graph_.users[value]) {
      const Op &op = graph_.module.ops[user];
      if (op.kind == OpKind::TopK)
        complaints_.add(op,
                        "--reveal class reveals no score, and the values of TopK are scores; return its indices alone");
      if (op.kind == OpKind::Sigmoid) visit(op.result);
      if (!isRanker(op.kind) && !isNormalizer(op.kind)) continue;
      const std::int64_t axis = op.attrs.i(Attr::Axis);
      if (ranking_.axis >= 0 && axis != ranking_.axis)
        complaints_.add(op,
                        "--reveal class finds the largest scores along axis {}, and this op those along axis {}; "
                        "return one of them alone",
                        ranking_.axis, axis);
      ranking_.axis = axis;
      ranking_.count = std::max(ranking_.count, op.attrs.i(Attr::Count, 1));
      if (op.attrs.i(Attr::SelectLast, 0)) last_ = &op;
      if (isNormalizer(op.kind)) visit(op.result);
    }
  }

  const Graph &graph_;
  Complaints &complaints_;
  Ranking ranking_;
  const Op *last_ = nullptr;
};

} // namespace

Expected<Module> revealClass(const Module &module, PassContext &context) {
  if (!context.options.revealClass) return module;
  const Graph graph(module);
  const int boundBits = boundBitsOf(module, context.options);
  Rewriter rewriter(module);
  Complaints complaints;
  const Decisions decisions(graph, context.options);
  std::set<ValueId> marks, moved; // opened ones, in the old module; the same after a reshape or transposition
  std::set<ValueId> decided;      // the same of findings
  for (auto &op : module.ops) {
    if (const auto decision = op.kind == OpKind::ShareOutput ? decisions.of(op) : std::nullopt) {
      auto value = decide(rewriter.builder, op, rewriter[op.operands[0]], *decision, boundBits);
      if (!value) return tl::unexpected(std::move(value).error());
      rewriter.replace(op, OpKind::ShareOutput, {*value});
      decided.insert(op.result);
    } else if (op.kind == OpKind::ShareOutput) {
      const Shape &shape = module.type(op.result).shape;
      const Ranking ranking = Asked(graph, complaints, op).ranking();
      const std::int64_t classes = ranking.axis < 0 ? 0 : shape[static_cast<std::size_t>(ranking.axis)];
      const bool ranks = classes >= 2 && (ranking.count == 1 || classes <= kMostRanked);
      if (classes < 2)
        complaints.add(op,
                       "--reveal class needs at least two scores along an axis, not {}; say in a --schema what the "
                       "single score decides, and its threshold",
                       toString(shape));
      else if (!ranks)
        complaints.add(op,
                       "--reveal class ranks {} classes at most, not {}; return their scores without it, or the one "
                       "best class",
                       kMostRanked, classes);
      if (!ranks) {
        rewriter.clone(op);
        continue;
      }
      const Ranker ranker(rewriter.builder, op, ranking, boundBits);
      rewriter.replace(op, OpKind::ShareOutput, {ranker.marks(rewriter[op.operands[0]])},
                       {{Attr::Count, ranking.count}});
      marks.insert(op.result);
    } else if (!op.operands.empty() && decided.contains(op.operands[0]) && op.kind != OpKind::Return) {
      const bool moves = op.kind == OpKind::Reshape || op.kind == OpKind::Identity;
      if (op.kind == OpKind::Sigmoid) {
        rewriter.map(op.result, rewriter[op.operands[0]]);
      } else {
        if (!moves) complaints.add(op, "--reveal class opens decisions alone, and this op computes with the scores");
        rewriter.clone(op);
      }
      decided.insert(op.result);
    } else if (!op.operands.empty() && marks.contains(op.operands[0]) && keepsOrder(op.kind)) {
      rewriter.map(op.result, rewriter[op.operands[0]]); // the order stays
      marks.insert(op.result);
    } else {
      const auto isMark = [&](ValueId v) { return marks.contains(v); };
      const auto wasMoved = [&](ValueId v) { return moved.contains(v); };
      const bool takesMarks = std::ranges::any_of(op.operands, isMark);
      const bool takesMoved = std::ranges::any_of(op.operands, wasMoved);
      const bool moves = op.kind == OpKind::Reshape || op.kind == OpKind::Transpose;
      if ((takesMarks || takesMoved) && moves)
        moved.insert(op.result);
      else if ((takesMoved || (takesMarks && !isRanker(op.kind))) && op.kind != OpKind::Return)
        complaints.add(op, "--reveal class opens no scores, and this op computes with them; return the scores, their "
                           "softmax, or the ArgMax or TopK of either");
      rewriter.clone(op);
    }
  }
  if (!complaints.empty()) return complaints.error();
  return rewriter.finish();
}

} // namespace sd
