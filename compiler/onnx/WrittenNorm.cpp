#include "compiler/onnx/WrittenNorm.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "compiler/onnx/Norm.h"

namespace sd {
namespace {

// In the place of an epsilon that is added to a deviation, or is its least value: below it, rounding hides what
// differs.
constexpr double kMostBeside = 1e-5;

const Op &makerOf(const Emitter &emitter, ValueId value) { return emitter.maker(value); }

bool isFunction(const Op &op, std::string_view name) {
  return op.kind == OpKind::Function && op.attrs.str(Attr::Function) == name;
}

std::optional<double> numberOf(const Emitter &emitter, ValueId value) {
  const Op &op = makerOf(emitter, value);
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
  while (isSpread(makerOf(emitter, value)) || makerOf(emitter, value).kind == OpKind::Reshape)
    value = makerOf(emitter, value).operands[0];
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
  const Op &op = makerOf(emitter, unspread(emitter, value));
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
  if (makerOf(emitter, from).kind == OpKind::Reshape) from = makerOf(emitter, from).operands[0];
  const Shape ordered = emitter.shapeOf(from);
  pooled.perm.resize(ordered.size());
  std::iota(pooled.perm.begin(), pooled.perm.end(), 0);
  if (const Op &move = makerOf(emitter, from); move.kind == OpKind::Transpose) {
    pooled.perm = move.attrs.ints(Attr::Perm);
    from = move.operands[0];
  }
  std::size_t first = ordered.size();
  for (std::int64_t count = 1; count < pooled.rows[2]; count *= ordered[first])
    if (first-- == 0) return std::nullopt;
  pooled.axes.assign(pooled.perm.begin() + static_cast<std::ptrdiff_t>(first), pooled.perm.end());
  std::ranges::sort(pooled.axes);
  pooled.of = from;
  return pooled;
}

// What value has its mean over the axes taken off; none: no mean is.
std::optional<ValueId> centredFrom(const Emitter &emitter, ValueId value, const std::vector<std::int64_t> &axes) {
  const Op &op = makerOf(emitter, value);
  if (op.kind != OpKind::Sub) return std::nullopt;
  const auto mean = pooledBy(emitter, op.operands[1]);
  if (!mean || mean->sums || mean->of != op.operands[0] || mean->axes != axes) return std::nullopt;
  return mean->of;
}

// gain (mean over the axes of x^2) + epsilon; x less its own mean if centred.
struct Square {
  ValueId x = kNoValue;
  bool centred = false;
  double gain = 1, epsilon = 0;
  Pooled pooled;
};
std::optional<Square> squareIn(const Emitter &emitter, ValueId value) {
  const ValueId bare = unspread(emitter, value);
  const Op &op = makerOf(emitter, bare);
  if (op.kind == OpKind::Add || op.kind == OpKind::Mul || op.kind == OpKind::Div) {
    const auto number = withNumber(emitter, op);
    if (!number || (op.kind == OpKind::Div && number->other != op.operands[0])) return std::nullopt;
    auto square = squareIn(emitter, number->other);
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
    const Op &square = makerOf(emitter, unspread(emitter, op.operands[1]));
    if (!mean || mean->sums || square.kind != OpKind::Mul || square.operands[0] != square.operands[1])
      return std::nullopt;
    const Op &squares = makerOf(emitter, mean->of);
    const auto inner = pooledBy(emitter, square.operands[0]);
    if (!inner || inner->sums || squares.kind != OpKind::Mul || squares.operands[0] != squares.operands[1] ||
        inner->of != squares.operands[0] || inner->axes != mean->axes)
      return std::nullopt;
    return Square{inner->of, true, 1, 0, *mean};
  }
  const auto pooled = pooledBy(emitter, value);
  if (!pooled) return std::nullopt;
  const Op &squares = makerOf(emitter, pooled->of);
  if (squares.kind != OpKind::Mul || squares.operands[0] != squares.operands[1]) return std::nullopt;
  ValueId x = squares.operands[0];
  if (isFunction(makerOf(emitter, x), "identity")) x = makerOf(emitter, x).operands[0];
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
  const Op &relu = makerOf(emitter, sum->other);
  if (!isFunction(relu, "relu")) return std::nullopt;
  const Op &moved = makerOf(emitter, relu.operands[0]);
  if (moved.kind != OpKind::Sub) return std::nullopt;
  const auto least = numberOf(emitter, moved.operands[1]);
  if (!least || *least != sum->number) return std::nullopt;
  return WithNumber{*least, moved.operands[0]};
}

std::optional<Root> rootIn(const Emitter &emitter, ValueId value) {
  const ValueId bare = unspread(emitter, value);
  const Op &op = makerOf(emitter, bare);
  if (isFunction(op, "sqrt")) {
    const auto square = squareIn(emitter, op.operands[0]);
    if (!square) return std::nullopt;
    return Root{*square, false, 1, {}};
  }
  if (isFunction(op, "reciprocal") || op.kind == OpKind::Div) {
    const bool isQuotient = op.kind == OpKind::Div;
    const auto number = isQuotient ? numberOf(emitter, op.operands[0]) : 1.0;
    auto root = number ? rootIn(emitter, op.operands.back()) : std::nullopt;
    if (!root || !root->constants.empty()) return std::nullopt;
    root->inverse = !root->inverse;
    root->factor = *number / root->factor;
    return root;
  }
  if (op.kind == OpKind::Mul)
    for (std::size_t i = 0; i < 2; ++i)
      if (makerOf(emitter, op.operands[i]).kind == OpKind::Constant) {
        auto root = rootIn(emitter, op.operands[1 - i]);
        if (root) root->constants.push_back(op.operands[i]);
        return root;
      }
  auto beside = atLeast(emitter, op);
  if (!beside && op.kind == OpKind::Add) beside = withNumber(emitter, op);
  if (!beside || !(beside->number >= 0 && beside->number <= kMostBeside)) return std::nullopt;
  auto root = rootIn(emitter, beside->other);
  if (!root || root->inverse || root->factor != 1 || !root->constants.empty()) return std::nullopt;
  root->square.epsilon += beside->number * beside->number;
  return root;
}

// Whether value is what the root's mean square is of, or that is value less its mean.
bool isOwn(const Emitter &emitter, const Square &square, ValueId value) {
  if (!square.centred) return value == square.x;
  const auto from = centredFrom(emitter, value, square.pooled.axes);
  return from && *from == square.x;
}

bool isMean(const Emitter &emitter, const Square &square, ValueId value) {
  const auto mean = pooledBy(emitter, value);
  return mean && !mean->sums && mean->of == square.x && mean->axes == square.pooled.axes;
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

bool collect(const Emitter &emitter, ValueId value, bool isNegative, Terms &terms) {
  const Op &op = makerOf(emitter, value);
  if (op.kind == OpKind::Constant) {
    terms.constants.emplace_back(value, isNegative);
    return true;
  }
  if (!emitter.isPostponed(value)) {
    if (!isSpread(op) && op.kind != OpKind::Reshape) return false;
    return collect(emitter, op.operands[0], isNegative, terms);
  }
  if (op.kind == OpKind::Add || op.kind == OpKind::Sub)
    return collect(emitter, op.operands[0], isNegative, terms) &&
           collect(emitter, op.operands[1], isNegative != (op.kind == OpKind::Sub), terms);
  for (std::size_t i = 0; i < 2; ++i) {
    const auto root = rootIn(emitter, op.operands[i]);
    if (!root) continue;
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
    if (!atEnd && isOwn(emitter, root->square, x.id()) && x.shape() == emitter.shapeOf(x.id())) {
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

Expected<std::optional<Value>> secretForm(Emitter &emitter, const Value &opened) {
  if (opened.isConstant() || !opened.isOpened() || opened.isInteger()) return std::nullopt;
  const Op op = makerOf(emitter, opened.id());
  if (op.kind == OpKind::Reshape || op.kind == OpKind::Transpose || op.kind == OpKind::Gather) {
    const Value inner = emitter.opened(op.operands[0]);
    SD_ASSIGN(const std::optional<Value> secret, secretForm(emitter, inner));
    if (!secret) return std::nullopt;
    SD_ASSIGN(Value moved, op.kind == OpKind::Reshape ? emitter.reshape(*secret, op.attrs.ints(Attr::Dims))
                           : op.kind == OpKind::Transpose
                               ? emitter.transpose(*secret, op.attrs.ints(Attr::Perm))
                               : emitter.gather(*secret, op.attrs.i(Attr::Axis), op.attrs.ints(Attr::Indices)));
    return std::optional(std::move(moved));
  }
  if (op.kind == OpKind::Div && isFunction(makerOf(emitter, op.operands[0]), "identity")) {
    auto root = rootIn(emitter, op.operands[1]);
    const ValueId x = makerOf(emitter, op.operands[0]).operands[0];
    if (!root || root->inverse || !root->constants.empty() || !isOwn(emitter, root->square, x)) return std::nullopt;
    root->factor = 1 / root->factor;
    SD_ASSIGN(Value y, normalised(emitter, *root));
    return std::optional(std::move(y));
  }
  // The norm is the sum of x times what x is over it.
  if (isFunction(op, "sqrt")) {
    const auto root = rootIn(emitter, opened.id());
    if (!root || root->square.centred || root->square.epsilon > kMostBeside || root->square.pooled.perm.empty())
      return std::nullopt;
    const Square &square = root->square;
    const Value x = emitter.secret(square.x);
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
  return std::nullopt;
}

} // namespace sd
