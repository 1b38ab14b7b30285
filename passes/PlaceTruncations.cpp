// As few truncations as possible. Each share.truncate is carried along, pending, through ops that commute with a
// division by 2^t, and lands
//   in the ReLU behind it (free: the comparison gets narrower);
//   behind a residual sum, once, the other side brought to the same scale by a public power of two;
//   before the next product, where it must;
//   before a concatenation whose operands are used elsewhere too, or each user would truncate them again;
//   before a sum with a public number, which comes from a piecewise linear function: its many comparisons get narrower;
//   before a gather that repeats elements for products alone: the factors of channels, and not of all their places;
//   before a difference from the maximum, which has its own range, and the maximum: once for both;
//   before a max-pool, if its narrower comparisons then save more than the truncation of all its input costs;
//   nowhere, before an output: the hospital divides after opening; unless outputs are to be rounded.
// Where it leaves nothing but a sign it is a comparison, and stays where it is.
// (Dropping one between two linear layers because the weights happen to leave room would tell the room: never done.)
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdlib>
#include <map>
#include <set>

#include "ir/core/OpFamilies.h"
#include "ir/core/ScheduleChoice.h"
#include "passes/Pass.h"
#include "passes/Rewrite.h"

namespace sd {

namespace {

class TruncationPlacer {
public:
  TruncationPlacer(const Module &module, const PassOptions &options)
      : module_(module), schedules_(module.ringBits, options.network), k_(boundBitsOf(module, options)),
        mostBits_(maxTruncationOf(module, options)), scaleBits_(options.scaleBits),
        roundsOutputs_(options.roundOutputs && !options.revealClass), rewriter_(module),
        pending_(module.types.size(), 0), landed_(module.types.size(), kNoValue) {}

  Expected<Module> run() {
    for (auto &op : module_.ops)
      place(op);
    if (!complaints_.empty()) return complaints_.error();
    return rewriter_.finish();
  }

private:
  // The new value of an old one, truncated; once for all its users.
  ValueId landed(const Op &user, ValueId value) {
    if (!pending_[value]) return rewriter_[value];
    if (landed_[value] == kNoValue)
      landed_[value] = rewriter_.builder.create(
          OpKind::ShareTruncate, {rewriter_[value]},
          {{Attr::Bits, std::int64_t{pending_[value]}}, {Attr::Bound, std::int64_t{k_}}}, user.source);
    return landed_[value];
  }

  void append(const Op &op, std::vector<ValueId> operands, Attrs attrs, int pending) {
    rewriter_.replace(op, op.kind, std::move(operands), std::move(attrs));
    pending_[op.result] = pending;
  }

  // The op on operands that carry the same pending truncation.
  void carry(const Op &op, int pending, Attrs attrs) {
    std::vector<ValueId> operands;
    for (auto operand : op.operands)
      operands.push_back(raised(op, operand, pending));
    append(op, std::move(operands), std::move(attrs), pending);
  }

  // A value as it would be before a truncation by `pending` bits, at least its own.
  ValueId raised(const Op &op, ValueId value, int pending) {
    const int bits = pending - pending_[value];
    ValueId result = rewriter_[value];
    if (bits == 0) return result;
    result =
        rewriter_.builder.create(OpKind::ShareMulC, {result}, {{Attr::Factor, std::int64_t{1} << bits}}, op.source);
    return rewriter_.builder.create(OpKind::ShareRescale, {result}, {{Attr::Shift, std::int64_t{bits}}}, op.source);
  }

  void land(const Op &op) {
    if (op.operands.empty() || std::ranges::none_of(op.operands, [&](ValueId v) { return pending_[v] != 0; })) {
      rewriter_.clone(op);
      return;
    }
    Op copy = op;
    for (auto &operand : copy.operands)
      operand = landed(op, operand);
    auto result = rewriter_.builder.add(std::move(copy)); // no op of a free type has a share operand
    assert(result);
    if (op.result != kNoValue) rewriter_.map(op.result, *result);
  }

  void truncate(const Op &op) {
    if (isDecision(op)) return land(op);
    const ValueId x = op.operands[0];
    const int bits = static_cast<int>(op.attrs.i(Attr::Bits)) + pending_[x];
    if (bits > mostBits_) {
      rewriter_.map(op.result, landed(op, x));
      pending_[op.result] = bits - pending_[x];
      return;
    }
    rewriter_.map(op.result, rewriter_[x]);
    pending_[op.result] = bits;
  }

  void relu(const Op &op) {
    const ValueId x = op.operands[0];
    const int bits = static_cast<int>(op.attrs.i(Attr::Bits)) + pending_[x];
    if (bits > mostBits_) return land(op);
    Attrs attrs = op.attrs;
    attrs.set(Attr::Bits, std::int64_t{bits});
    std::vector<ValueId> operands = op.operands;
    for (auto &operand : operands)
      operand = rewriter_[operand];
    append(op, std::move(operands), std::move(attrs), 0);
  }

  // At the scale that was asked for, as every hidden value is.
  void output(const Op &op) {
    ValueId value = rewriter_[op.operands[0]];
    for (int excess; (excess = rewriter_.builder.type(value).scale - scaleBits_) > 0;)
      value = rewriter_.builder.create(
          OpKind::ShareTruncate, {value},
          {{Attr::Bits, std::int64_t{std::min(excess, mostBits_)}}, {Attr::Bound, std::int64_t{k_}}}, op.source);
    rewriter_.replace(op, op.kind, {value}, op.attrs);
  }

  void addWeight(const Op &op) {
    const ValueId x = op.operands[0];
    const Op &definition = module_.ops[definitions_[op.operands[1]]];
    auto shifted = definition.attrs.integers(Attr::Weights).visit([](const auto &tensor) {
      return Tensor<std::int64_t>(tensor.shape, {tensor.data.begin(), tensor.data.end()});
    });
    const std::int64_t most = std::int64_t{1} << (module_.ringBits - 1 - pending_[x]);
    for (auto &w : shifted.data) {
      if (w >= most || w < -most) { // landing here instead would tell of the weights
        complaints_.add(op, "adds {:g}, which {} bits can't hold at the scale of the product that it joins",
                        std::ldexp(static_cast<double>(w), -module_.type(op.operands[1]).scale), module_.ringBits);
        return land(op);
      }
      w *= std::int64_t{1} << pending_[x];
    }
    const int scale = module_.type(op.operands[1]).scale + pending_[x];
    const ValueId constant = rewriter_.builder.weights(std::move(shifted), scale, definition.source);
    Attrs attrs = op.attrs;
    if (attrs.has(Attr::Bound)) attrs.set(Attr::Bound, std::min<std::int64_t>(attrs.i(Attr::Bound) + pending_[x], k_));
    append(op, {rewriter_[x], constant}, std::move(attrs), pending_[x]);
  }

  void place(const Op &op) {
    int most = 0;
    for (auto operand : op.operands)
      most = std::max(most, pending_[operand]);
    switch (op.kind) {
    case OpKind::ShareTruncate:
      return truncate(op);
    case OpKind::ShareRelu:
      return relu(op);
    case OpKind::ShareAddW:
      return most ? addWeight(op) : land(op);
    case OpKind::ShareOutput:
      return roundsOutputs_ ? output(op) : void(rewriter_.clone(op));
    case OpKind::ShareConcat:
      return joinsSharedValues(op) ? land(op) : carry(op, most, op.attrs);
    case OpKind::ShareGather:
      return landsBeforePool(op.operands[0]) || repeatsForProducts(op) ? land(op) : carry(op, most, op.attrs);
    case OpKind::ShareAdd:
    case OpKind::ShareSub:
      return isBelowMaximum(op) || raisingOverflows(op, most) ? land(op) : carry(op, most, op.attrs);
    case OpKind::ShareReshape:
    case OpKind::ShareTranspose:
    case OpKind::ShareRescale:
      return carry(op, most, op.attrs);
    case OpKind::ShareMax:
      return equalPending(op) ? carry(op, most, op.attrs) : land(op);
    case OpKind::SharePad: {
      const std::int64_t fill = op.attrs.i(Attr::IntFill);
      if (std::abs(fill) >= std::int64_t{1} << (module_.ringBits - 1 - most)) return land(op);
      Attrs attrs = op.attrs;
      attrs.set(Attr::IntFill, fill * (std::int64_t{1} << most));
      return carry(op, most, std::move(attrs));
    }
    case OpKind::ShareSumPool: {
      std::int64_t taps = 1;
      for (auto k : op.attrs.ints(Attr::Kernel))
        taps *= k;
      const ValueId x = op.operands[0];
      const int bits = std::bit_width(static_cast<std::uint64_t>(taps) - 1);
      const bool fits = rewriter_.builder.type(rewriter_[x]).scale + bits <= k_ - kRoomBits;
      return bits <= kSpareBits && fits ? carry(op, most, op.attrs) : land(op);
    }
    case OpKind::ShareConstant:
    case OpKind::ShareInput:
    case SD_SHARE_PACKED:
    case OpKind::ShareMulC:
    case OpKind::ShareAddC:
    case SD_SHARE_PRODUCTS:
#include "ir/core/NnCases.def"
      return land(op);
    }
  }

  // x - max x, as a softmax takes it.
  bool isBelowMaximum(const Op &op) const { return op.kind == OpKind::ShareSub && isMaximum_[op.operands[1]]; }

  // Whether a summand is to be brought to a scale at which not even |y| < 2 fits.
  bool raisingOverflows(const Op &sum, int pending) const {
    return !equalPending(sum) && module_.type(sum.result).scale + pending >= k_;
  }

  bool repeatsForProducts(const Op &gather) const {
    const auto count = [&](ValueId v) { return elementCount(module_.type(v).shape); };
    return count(gather.result) > count(gather.operands[0]) && reachesProductsAlone_[gather.result];
  }

  static bool moves(const Op &op) { return op.kind == OpKind::ShareGather || op.kind == OpKind::ShareReshape; }

  // By value: whether it is a maximum, perhaps moved.
  std::vector<bool> maxima() const {
    std::vector<bool> is(module_.types.size());
    for (const Op &op : module_.ops)
      if (op.kind == OpKind::ShareMax || moves(op)) is[op.result] = op.kind == OpKind::ShareMax || is[op.operands[0]];
    return is;
  }

  // By value: whether all that uses it, perhaps moved, are products.
  std::vector<bool> valuesOfProductsAlone() const {
    std::vector<bool> alone(module_.types.size());
    for (std::size_t i = module_.ops.size(); i-- > 0;)
      if (const ValueId value = module_.ops[i].result; value != kNoValue)
        alone[value] = std::ranges::all_of(users_[value], [&](std::size_t user) {
          const Op &op = module_.ops[user];
          return moves(op)
                     ? alone[op.result]
                     : op.kind == OpKind::ShareMul || op.kind == OpKind::ShareDot || op.kind == OpKind::ShareScale ||
                           op.kind == OpKind::ShareConv || op.kind == OpKind::ShareMatMul;
        });
    return alone;
  }

  bool joinsSharedValues(const Op &concat) const {
    return std::ranges::any_of(concat.operands, [&](ValueId v) { return pending_[v] != 0 && users_[v].size() > 1; });
  }

  double compareSeconds(int truncation, int bound, ValueId result, bool selects = true) {
    return schedules_.seconds({truncation, bound, {}, selects},
                              static_cast<std::uint64_t>(elementCount(module_.type(result).shape)));
  }
  double truncateSeconds(int bits, ValueId result) { return compareSeconds(bits, k_, result, false); }

  // Whether the maxima and ReLUs that `value` reaches through gathers cost less behind a truncation of all of it.
  bool landsBeforePool(ValueId value) {
    const int bits = pending_[value];
    if (bits == 0) return false;
    if (const auto known = pools_.find(value); known != pools_.end()) return known->second;
    if (std::ranges::any_of(users_[value], [&](std::size_t user) { return isBelowMaximum(module_.ops[user]); }))
      return pools_[value] = true;
    bool ends = false; // without a ReLU that would truncate for nothing
    const std::set<std::size_t> reached = collectPool(value, ends);
    double carried = 0, landedSeconds = truncateSeconds(bits, value), lastTruncation = 0;
    bool compares = false;
    for (auto i : reached) {
      const Op &op = module_.ops[i];
      if (op.kind == OpKind::ShareMax) {
        compares = true;
        carried += compareSeconds(0, k_, op.result);
        landedSeconds += compareSeconds(0, k_ + 1 - bits, op.result);
        lastTruncation = truncateSeconds(bits, op.result);
      } else if (op.kind == OpKind::ShareRelu && op.attrs.i(Attr::Bits) + bits <= mostBits_) {
        const int own = static_cast<int>(op.attrs.i(Attr::Bits));
        carried += compareSeconds(own + bits, k_, op.result);
        landedSeconds += compareSeconds(own, std::max(k_ - bits, own + 1), op.result);
      }
    }
    if (ends) carried += lastTruncation;
    return pools_[value] = compares && landedSeconds < carried;
  }

  // The nearest, up to kMostReached: a chain of pools would otherwise be walked anew from each.
  std::set<std::size_t> collectPool(ValueId value, bool &ends) const {
    constexpr std::size_t kMostReached = 128;
    std::set<std::size_t> reached;
    std::vector<ValueId> values{value};
    for (std::size_t at = 0; at < values.size(); ++at)
      for (auto user : users_[values[at]]) {
        if (reached.size() == kMostReached) return reached;
        const Op &op = module_.ops[user];
        const bool passes = op.kind == OpKind::ShareMax || op.kind == OpKind::ShareGather;
        ends |= !passes && op.kind != OpKind::ShareRelu;
        if ((passes || op.kind == OpKind::ShareRelu) && reached.insert(user).second && passes)
          values.push_back(op.result);
      }
    return reached;
  }

  bool equalPending(const Op &op) const { return pending_[op.operands[0]] == pending_[op.operands[1]]; }

  const Module &module_;
  ScheduleChooser schedules_;
  const int k_, mostBits_; // the bound of what nothing is known of; of a truncation
  const int scaleBits_;
  const bool roundsOutputs_; // a class has no scale
  std::vector<std::size_t> definitions_ = definitionsOf(module_);
  std::vector<std::vector<std::size_t>> users_ = usersOf(module_);
  std::vector<bool> isMaximum_ = maxima(), reachesProductsAlone_ = valuesOfProductsAlone();
  std::map<ValueId, bool> pools_; // landsBeforePool, once asked
  Rewriter rewriter_;
  Complaints complaints_;
  std::vector<int> pending_;    // by value of the old module: bits still to be dropped from the new one
  std::vector<ValueId> landed_; // likewise: the truncated new value, if there is one
};

} // namespace

Expected<Module> placeTruncations(const Module &module, PassContext &context) {
  return TruncationPlacer(module, context.options).run();
}

} // namespace sd
