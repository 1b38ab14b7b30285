#include "compiler/onnx/WrittenNorm.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "compiler/onnx/Inside.h"
#include "compiler/onnx/Norm.h"

namespace sd {
namespace {

// In the place of an epsilon that is added to a deviation, or is its least value: below it, rounding hides what
// differs.
constexpr double kMostBeside = 1e-5;
// Of what a length's square has added to it: the root of zero is then less than a unit of any scale up to 2^10.
constexpr double kMostUnderRoot = 1e-7;
constexpr int kDeepest = 32; // ops that are looked back at: no formula has more, and a model may have any number

bool isFunction(const Op &op, std::string_view name) {
  return op.kind == OpKind::Function && op.attrs.str(Attr::Function) == name;
}

std::optional<double> numberOf(const Emitter &emitter, ValueId value) {
  const Op &op = emitter.maker(value);
  if (op.kind != OpKind::Constant || op.attrs.floats(Attr::Value).size() != 1) return std::nullopt;
  return static_cast<double>(op.attrs.floats(Attr::Value).data[0]);
}

// An op on a number and something else: that number, and the other operand.
struct WithNumber {
  double number;
  ValueId other;
};
std::optional<WithNumber> withNumber(const Emitter &emitter, const Op &op) {
  for (std::size_t i = 0; i < 2; ++i)
    if (const auto number = numberOf(emitter, op.operands[i])) return WithNumber{*number, op.operands[1 - i]};
  return std::nullopt;
}

bool isSpread(const Op &op) { // one element along an axis, repeated
  return op.kind == OpKind::Gather && std::ranges::all_of(op.attrs.ints(Attr::Indices), [](auto i) { return i == 0; });
}

// Without what repeats it or gives it axes of size 1.
ValueId unspread(const Emitter &emitter, ValueId value) {
  for (int i = 0; i < kDeepest; ++i) {
    const Op &op = emitter.maker(value);
    if (!isSpread(op) && op.kind != OpKind::Reshape) break;
    value = op.operands[0];
  }
  return value;
}

// Means or sums over some axes of a value, as importReduce makes them.
struct Pooled {
  ValueId of = kNoValue;
  std::vector<std::int64_t> axes, perm; // perm: none where it changes nothing
  Shape rows;                           // [1, kept, reduced]
  Attrs attrs;
  bool sums = false;
};
std::optional<Pooled> pooledBy(const Emitter &emitter, ValueId value) {
  const Op &op = emitter.maker(unspread(emitter, value));
  Pooled pooled;
  if (op.kind == OpKind::ReduceSum) { // of opened values
    pooled.of = op.operands[0];
    pooled.axes = {op.attrs.i(Attr::Axis)};
    pooled.rows = {1, 1, emitter.shapeOf(pooled.of)[static_cast<std::size_t>(pooled.axes[0])]};
    pooled.sums = true;
    return pooled;
  }
  if (op.kind != OpKind::AvgPool || op.attrs.ints(Attr::Kernel).size() != 1) return std::nullopt;
  pooled.rows = emitter.shapeOf(op.operands[0]);
  if (pooled.rows.size() != 3 || pooled.rows[0] != 1 || op.attrs.ints(Attr::Kernel)[0] != pooled.rows[2])
    return std::nullopt;
  pooled.sums = op.attrs.has(Attr::Shift);
  if (pooled.sums && op.attrs.i(Attr::Shift) != 0) return std::nullopt;
  pooled.attrs = op.attrs;
  ValueId from = op.operands[0];
  if (emitter.maker(from).kind == OpKind::Reshape) from = emitter.maker(from).operands[0];
  const Shape ordered = emitter.shapeOf(from);
  pooled.perm.resize(ordered.size());
  std::iota(pooled.perm.begin(), pooled.perm.end(), 0);
  if (const Op &move = emitter.maker(from); move.kind == OpKind::Transpose) {
    pooled.perm = move.attrs.ints(Attr::Perm);
    from = move.operands[0];
  }
  std::size_t first = ordered.size();
  for (std::int64_t count = 1; count < pooled.rows[2]; count *= ordered[first])
    if (first-- == 0) return std::nullopt;
  const auto reduced = pooled.perm.begin() + static_cast<std::ptrdiff_t>(first);
  if (!std::is_sorted(pooled.perm.begin(), reduced)) return std::nullopt; // rows in another order than x's
  pooled.axes.assign(reduced, pooled.perm.end());
  std::ranges::sort(pooled.axes);
  pooled.of = from;
  return pooled;
}

// Whether what `value` makes of pooled rows meets these rows again where it is broadcast to the shape that was pooled
// over `axes`. It need not: means without their axes are broadcast along others.
class Alignment {
public:
  Alignment(const Emitter &emitter, const Shape &shape, const std::vector<std::int64_t> &axes)
      : emitter_(emitter), kept_(shape) {
    for (const std::int64_t axis : axes)
      kept_[static_cast<std::size_t>(axis)] = 1;
  }
  bool holds(ValueId value) const { return holds(value, emitter_.shapeOf(value), false, kDeepest); }

private:
  // `seen` is the shape at the top without what repeats elements; once axes were renamed, what repeats them is lost.
  bool holds(ValueId value, Shape seen, bool reshaped, int depth) const {
    const Op &op = emitter_.maker(value);
    if (depth == 0 || op.operands.empty()) return false;
    if (op.kind == OpKind::AvgPool || op.kind == OpKind::ReduceSum) return fits(seen);
    if (isSpread(op)) {
      if (reshaped) return false;
      seen[static_cast<std::size_t>(op.attrs.i(Attr::Axis))] = 1;
    }
    for (const ValueId operand : op.operands) {
      const Op &inner = emitter_.maker(operand);
      if (inner.kind == OpKind::Constant) {
        if (reshaped && inner.attrs.floats(Attr::Value).size() != 1) return false;
      } else if (!holds(operand, seen, reshaped || op.kind == OpKind::Reshape, depth - 1)) {
        return false;
      }
    }
    return true;
  }

  bool fits(const Shape &seen) const {
    const std::size_t missing = kept_.size() - std::min(kept_.size(), seen.size());
    return seen.size() <= kept_.size() &&
           std::equal(seen.begin(), seen.end(), kept_.begin() + std::ptrdiff_t(missing)) &&
           std::all_of(kept_.begin(), kept_.begin() + std::ptrdiff_t(missing), [](auto size) { return size == 1; });
  }

  const Emitter &emitter_;
  Shape kept_;
};

// What value has its mean over the axes taken off; none: no mean is.
std::optional<ValueId> centredFrom(const Emitter &emitter, ValueId value, const std::vector<std::int64_t> &axes) {
  const Op &op = emitter.maker(value);
  if (op.kind != OpKind::Sub) return std::nullopt;
  const auto mean = pooledBy(emitter, op.operands[1]);
  if (!mean || mean->sums || mean->of != op.operands[0] || mean->axes != axes ||
      !Alignment(emitter, emitter.shapeOf(mean->of), axes).holds(op.operands[1]))
    return std::nullopt;
  return mean->of;
}

// gain (mean over the axes of x^2) + epsilon; x less its own mean if centred.
struct Square {
  ValueId x = kNoValue;
  bool centred = false;
  double gain = 1, epsilon = 0;
  Pooled pooled;
};
std::optional<Square> squareIn(const Emitter &emitter, ValueId value, int depth) {
  if (depth == 0) return std::nullopt;
  const ValueId bare = unspread(emitter, value);
  const Op &op = emitter.maker(bare);
  if (op.kind == OpKind::Add || op.kind == OpKind::Mul || op.kind == OpKind::Div) {
    const auto number = withNumber(emitter, op);
    if (!number || (op.kind == OpKind::Div && number->other != op.operands[0])) return std::nullopt;
    auto square = squareIn(emitter, number->other, depth - 1);
    const double by = op.kind == OpKind::Div ? 1 / number->number : number->number;
    if (!square || !(number->number >= 0) || !std::isfinite(by)) return std::nullopt;
    if (op.kind == OpKind::Add) {
      square->epsilon += by;
    } else {
      square->gain *= by;
      square->epsilon *= by;
    }
    return square->gain > 0 ? square : std::nullopt;
  }
  if (op.kind == OpKind::Sub) { // the mean square less the mean's square
    const auto mean = pooledBy(emitter, op.operands[0]);
    const Op &square = emitter.maker(unspread(emitter, op.operands[1]));
    if (!mean || mean->sums || square.kind != OpKind::Mul || square.operands[0] != square.operands[1])
      return std::nullopt;
    const Op &squares = emitter.maker(mean->of);
    const auto inner = pooledBy(emitter, square.operands[0]);
    if (!inner || inner->sums || squares.kind != OpKind::Mul || squares.operands[0] != squares.operands[1] ||
        inner->of != squares.operands[0] || inner->axes != mean->axes)
      return std::nullopt;
    return Square{inner->of, true, 1, 0, *mean};
  }
  const auto pooled = pooledBy(emitter, value);
  if (!pooled) return std::nullopt;
  const Op &squares = emitter.maker(pooled->of);
  if (squares.kind != OpKind::Mul || squares.operands[0] != squares.operands[1]) return std::nullopt;
  ValueId x = squares.operands[0];
  if (isFunction(emitter.maker(x), "identity")) x = emitter.maker(x).operands[0];
  const auto centred = centredFrom(emitter, x, pooled->axes);
  return Square{centred.value_or(x), centred.has_value(), pooled->sums ? static_cast<double>(pooled->rows[2]) : 1, 0,
                *pooled};
}

// factor square^(1/2), or factor square^(-1/2) if inverse, with constants that broadcast for factors.
struct Root {
  Square square;
  bool inverse = false;
  double factor = 1;
  std::vector<ValueId> constants;
};

// max(v, least), as importClip and importExtremum make it: relu(v - least) + least.
std::optional<WithNumber> atLeast(const Emitter &emitter, const Op &op) {
  if (op.kind != OpKind::Add) return std::nullopt;
  const auto sum = withNumber(emitter, op);
  if (!sum) return std::nullopt;
  const Op &relu = emitter.maker(sum->other);
  if (!isFunction(relu, "relu")) return std::nullopt;
  const Op &moved = emitter.maker(relu.operands[0]);
  if (moved.kind != OpKind::Sub) return std::nullopt;
  const auto least = numberOf(emitter, moved.operands[1]);
  if (!least || *least != sum->number) return std::nullopt;
  return WithNumber{*least, moved.operands[0]};
}

std::optional<Root> rootIn(const Emitter &emitter, ValueId value, int depth = kDeepest) {
  if (depth == 0) return std::nullopt;
  const ValueId bare = unspread(emitter, value);
  const Op &op = emitter.maker(bare);
  if (isFunction(op, "sqrt")) {
    const auto square = squareIn(emitter, op.operands[0], depth);
    if (!square) return std::nullopt;
    return Root{*square, false, 1, {}};
  }
  if (isFunction(op, "reciprocal") || op.kind == OpKind::Div) {
    const bool isQuotient = op.kind == OpKind::Div;
    const auto number = isQuotient ? numberOf(emitter, op.operands[0]) : 1.0;
    auto root = number ? rootIn(emitter, op.operands.back(), depth - 1) : std::nullopt;
    if (!root || !root->constants.empty()) return std::nullopt;
    root->inverse = !root->inverse;
    root->factor = *number / root->factor;
    return root;
  }
  if (op.kind == OpKind::Mul)
    for (std::size_t i = 0; i < 2; ++i)
      if (emitter.maker(op.operands[i]).kind == OpKind::Constant) {
        auto root = rootIn(emitter, op.operands[1 - i], depth - 1);
        if (root) root->constants.push_back(op.operands[i]);
        return root;
      }
  auto beside = atLeast(emitter, op);
  if (!beside && op.kind == OpKind::Add) beside = withNumber(emitter, op);
  if (!beside || !(beside->number >= 0 && beside->number <= kMostBeside)) return std::nullopt;
  auto root = rootIn(emitter, beside->other, depth - 1);
  if (!root || root->inverse || root->factor != 1 || !root->constants.empty()) return std::nullopt;
  root->square.epsilon += beside->number * beside->number;
  return root;
}

bool isAligned(const Emitter &emitter, const Square &square, ValueId value) {
  return Alignment(emitter, emitter.shapeOf(square.x), square.pooled.axes).holds(value);
}

// Whether value is what the root's mean square is of, or that is value less its mean.
bool isOwn(const Emitter &emitter, const Square &square, ValueId value) {
  if (!square.centred) return value == square.x;
  const auto from = centredFrom(emitter, value, square.pooled.axes);
  return from && *from == square.x;
}

bool isMean(const Emitter &emitter, const Square &square, ValueId value) {
  const auto mean = pooledBy(emitter, value);
  return mean && !mean->sums && mean->of == square.x && mean->axes == square.pooled.axes &&
         isAligned(emitter, square, value);
}

Expected<Value> times(Emitter &emitter, Value y, const Root &root) {
  const double factor = root.factor / std::sqrt(root.square.gain);
  if (factor != 1) {
    SD_ASSIGN(y, emitter.arithmetic(OpKind::Mul, y, Value::scalar(static_cast<float>(factor))));
  }
  for (const ValueId constant : root.constants) {
    SD_ASSIGN(y, emitter.arithmetic(OpKind::Mul, y, emitter.constant(constant)));
  }
  return y;
}

// x, less its mean if the square is, over the root.
Expected<Value> normalised(Emitter &emitter, const Root &root) {
  const Square &square = root.square;
  const RowFunction function{square.centred, square.epsilon / square.gain};
  SD_ASSIGN(const Value y, normalisedAlong(emitter, function, emitter.secret(square.x), square.pooled.axes));
  return times(emitter, y, root);
}

bool isSecret(const Value &x) { return !x.isConstant() && !x.isOpened() && !x.isInteger(); }

// A sum of constants and of products of secret values with one inverse root.
struct Terms {
  std::optional<Root> root;
  ValueId inverse = kNoValue;                      // the root as it stands there, without what repeats it
  std::optional<bool> takesValue, takesMean;       // whether it is taken off; none: it does not stand there
  std::vector<std::pair<ValueId, bool>> constants; // and whether they are taken off
};

// As broadcasting does.
bool addsLeadingAxes(const Emitter &emitter, const Op &op) {
  if (op.kind != OpKind::Reshape) return false;
  const Shape &from = emitter.shapeOf(op.operands[0]), &to = op.attrs.ints(Attr::Dims);
  return to.size() >= from.size() && std::equal(from.rbegin(), from.rend(), to.rbegin());
}

bool collect(const Emitter &emitter, ValueId value, bool isNegative, Terms &terms, int depth = kDeepest) {
  if (depth == 0) return false;
  const Op &op = emitter.maker(value);
  if (op.kind == OpKind::Constant) {
    terms.constants.emplace_back(value, isNegative);
    return true;
  }
  if (!emitter.isPostponed(value)) {
    if (!isSpread(op) && !addsLeadingAxes(emitter, op)) return false;
    return collect(emitter, op.operands[0], isNegative, terms, depth - 1);
  }
  if (op.kind == OpKind::Add || op.kind == OpKind::Sub)
    return collect(emitter, op.operands[0], isNegative, terms, depth - 1) &&
           collect(emitter, op.operands[1], isNegative != (op.kind == OpKind::Sub), terms, depth - 1);
  for (std::size_t i = 0; i < 2; ++i) {
    const auto root = rootIn(emitter, op.operands[i]);
    if (!root || !isAligned(emitter, root->square, op.operands[i])) continue;
    const ValueId inverse = unspread(emitter, op.operands[i]), other = op.operands[1 - i];
    if (terms.root && terms.inverse != inverse) return false;
    terms.root = root;
    terms.inverse = inverse;
    const bool isOfMean = isMean(emitter, root->square, other);
    std::optional<bool> &seen = isOfMean ? terms.takesMean : terms.takesValue;
    if (seen || (!isOfMean && other != root->square.x)) return false;
    seen = isNegative;
    return true;
  }
  return false;
}

} // namespace

Expected<std::optional<Value>> writtenNorm(Emitter &emitter, OpKind op, const Value &a, const Value &b) {
  for (const bool swapped : {false, true}) {
    const Value &x = swapped ? b : a, &by = swapped ? a : b;
    if (op == OpKind::Div && swapped) break;
    if (by.isConstant() || !by.isOpened() || by.isInteger()) continue;
    auto root = rootIn(emitter, by.id());
    if (!root || root->inverse == (op == OpKind::Div) || (op == OpKind::Div && !root->constants.empty())) continue;
    if (op == OpKind::Div) root->factor = 1 / root->factor;
    if (x.isConstant() && x.size() != 1 && !x.isInteger()) {
      SD_ASSIGN(Value product, emitter.postponed(op, x, by));
      return std::optional(std::move(product));
    }
    if (!isSecret(x)) continue;
    // A sum of squares alone: what the hospital may do in the clear, exactly, if that is the network's end.
    const bool atEnd = op == OpKind::Div && root->square.pooled.sums && !root->square.centred;
    if (!isAligned(emitter, root->square, by.id())) continue;
    if (!atEnd && isOwn(emitter, root->square, x.id())) {
      SD_ASSIGN(Value y, normalised(emitter, *root));
      return std::optional(std::move(y));
    }
    if (op == OpKind::Mul && root->square.centred &&
        (x.id() == root->square.x || isMean(emitter, root->square, x.id()))) {
      SD_ASSIGN(Value product, emitter.postponed(op, x, by));
      return std::optional(std::move(product));
    }
  }
  return std::nullopt;
}

Expected<std::optional<Value>> writtenShift(Emitter &emitter, OpKind op, const Value &a, const Value &b) {
  const auto isOpen = [&](const Value &x) { return !x.isConstant() && emitter.isPostponed(unspread(emitter, x.id())); };
  if ((!isOpen(a) && !isOpen(b)) || (!isOpen(a) && !a.isConstant()) || (!isOpen(b) && !b.isConstant()))
    return std::nullopt;
  SD_ASSIGN(const Value sum, emitter.postponed(op, a, b));
  Terms terms;
  if (!collect(emitter, sum.id(), false, terms)) return std::nullopt;
  if (terms.takesValue != false || terms.takesMean != true) return std::optional(sum);
  SD_ASSIGN(Value y, normalised(emitter, *terms.root));
  for (const auto &[constant, isNegative] : terms.constants) {
    SD_ASSIGN(y, emitter.arithmetic(isNegative ? OpKind::Sub : OpKind::Add, y, emitter.constant(constant)));
  }
  if (y.shape() != sum.shape()) return std::nullopt;
  return std::optional(std::move(y));
}

namespace {

Expected<std::optional<Value>> secretForm(Emitter &emitter, const Value &opened, int depth) {
  if (depth == 0 || opened.isConstant() || !opened.isOpened() || opened.isInteger()) return std::nullopt;
  const Op op = emitter.maker(opened.id());
  if (op.kind == OpKind::Reshape || op.kind == OpKind::Transpose || op.kind == OpKind::Gather) {
    const Value inner = emitter.opened(op.operands[0]);
    SD_ASSIGN(const std::optional<Value> secret, secretForm(emitter, inner, depth - 1));
    if (!secret) return std::nullopt;
    SD_ASSIGN(Value moved, op.kind == OpKind::Reshape ? emitter.reshape(*secret, op.attrs.ints(Attr::Dims))
                           : op.kind == OpKind::Transpose
                               ? emitter.transpose(*secret, op.attrs.ints(Attr::Perm))
                               : emitter.gather(*secret, op.attrs.i(Attr::Axis), op.attrs.ints(Attr::Indices)));
    return std::optional(std::move(moved));
  }
  if (op.kind == OpKind::Div && isFunction(emitter.maker(op.operands[0]), "identity")) {
    auto root = rootIn(emitter, op.operands[1]);
    const ValueId x = emitter.maker(op.operands[0]).operands[0];
    if (!root || root->inverse || !root->constants.empty() || !isOwn(emitter, root->square, x) ||
        !isAligned(emitter, root->square, op.operands[1]))
      return insideForm(emitter, opened);
    root->factor = 1 / root->factor;
    SD_ASSIGN(Value y, normalised(emitter, *root));
    return std::optional(std::move(y));
  }
  // The norm is the sum of x times what x is over it.
  if (isFunction(op, "sqrt")) {
    const auto root = rootIn(emitter, opened.id());
    if (!root || root->square.centred || root->square.epsilon > kMostUnderRoot || root->square.pooled.perm.empty())
      return insideForm(emitter, opened);
    const Square &square = root->square;
    const Value x = emitter.secret(square.x);
    if (opened.size() != square.pooled.rows[1]) return insideForm(emitter, opened);
    SD_ASSIGN(const Value y, normalisedAlong(emitter, {false, square.epsilon / square.gain}, x, square.pooled.axes));
    SD_ASSIGN(Value rows, emitter.arithmetic(OpKind::Mul, x, y));
    SD_ASSIGN(rows, emitter.transpose(rows, square.pooled.perm));
    SD_ASSIGN(rows, emitter.reshape(rows, square.pooled.rows));
    SD_ASSIGN(Value sum, emitter.compute(OpKind::AvgPool, {rows}, square.pooled.attrs));
    const double count = square.pooled.sums ? static_cast<double>(square.pooled.rows[2]) : 1;
    SD_ASSIGN(sum,
              emitter.arithmetic(OpKind::Mul, sum, Value::scalar(static_cast<float>(std::sqrt(square.gain) / count))));
    SD_ASSIGN(Value norm, emitter.reshape(sum, opened.shape()));
    return std::optional(std::move(norm));
  }
  return insideForm(emitter, opened);
}

} // namespace

Expected<std::optional<Value>> secretForm(Emitter &emitter, const Value &opened) {
  return secretForm(emitter, opened, kDeepest);
}

} // namespace sd
