// Products c r, where r is a function of T, a sum of squares of c: an interval for each would forget that r is small
// where c is large. |c| is at most about sqrt(T), so what counts is the largest sqrt(T) r(T).
#include <algorithm>
#include <cmath>

#include "ir/core/OpFamilies.h"
#include "passes/IntervalRules.h"

namespace sd::intervals {

namespace {

constexpr double kStep = 1 + 0x1p-4; // between the arguments that are looked at
constexpr double kMostSum = 0x1p52;  // beyond, doubles are not exact

double halfUp(double v, std::int64_t bits) {
  return bits == 0 ? v : std::floor(std::ldexp(v, -static_cast<int>(bits)) + 0.5);
}

// Of [1, rows, n] along the last axis, each element in one window.
bool sumsRows(const Case &c) {
  const Attrs &attrs = c.op.attrs;
  const Shape &shape = c.module.type(c.op.operands[0]).shape;
  const auto all = [&](Attr attr, std::int64_t value) {
    return std::ranges::all_of(attrs.ints(attr), [&](std::int64_t v) { return v == value; });
  };
  return shape.size() == 3 && attrs.ints(Attr::Kernel) == attrs.ints(Attr::Strides) && all(Attr::Pads, 0) &&
         all(Attr::Dilations, 1) && attrs.i(Attr::CeilMode) == 1;
}

// A row's number, for each element of the row.
bool repeatsInRow(const Case &c) {
  const Shape &shape = c.module.type(c.op.operands[0]).shape;
  return c.op.kind == OpKind::ShareGather && shape.size() == 3 && shape[2] == 1 && c.op.attrs.i(Attr::Axis) == 2;
}

} // namespace

// What a value is: c rounded, squares of it, their sum T, or a function of that sum.
enum class Norms::Stage : std::uint8_t { Rounded, Squares, Sum, Function };
struct Norms::Part {
  Stage stage = Stage::Rounded;
  ValueId base = kNoValue;    // c
  ValueId rounded = kNoValue; // what was squared: c, or c without `coarse` bits
  int coarse = 0;
  int bits = 0;           // dropped from c, or from the sum
  double error = 0;       // of the sum, from rounding, in its own units
  ValueId sum = kNoValue; // T, of a function
};

Norms::Norms(const Module &module) : module_(module), parts_(module.types.size()), makers_(definitionsOf(module)) {}
Norms::~Norms() = default;

// Of a function of T, in integers.
double Norms::evaluate(ValueId value, ValueId sum, double t, std::map<ValueId, double> &known) const {
  if (value == sum) return t;
  if (const auto found = known.find(value); found != known.end()) return found->second;
  const Op &op = module_.ops[makers_[value]];
  const auto x = [&](std::size_t i) { return evaluate(op.operands[i], sum, t, known); };
  double y = 0;
  switch (op.kind) {
  case OpKind::ShareAdd:
    y = x(0) + x(1);
    break;
  case OpKind::ShareSub:
    y = x(0) - x(1);
    break;
  case OpKind::ShareAddC:
    y = x(0) + static_cast<double>(op.attrs.i(Attr::Addend));
    break;
  case OpKind::ShareMulC:
    y = x(0) * static_cast<double>(op.attrs.i(Attr::Factor));
    break;
  case OpKind::ShareTruncate:
    y = halfUp(x(0), op.attrs.i(Attr::Bits));
    break;
  case OpKind::ShareRelu:
    y = std::max(halfUp(x(0), op.attrs.i(Attr::Bits)), 0.0);
    break;
  case OpKind::ShareRescale: // another scale
  case SD_SHARE_LAYOUT:
    y = x(0);
    break;
  case OpKind::ShareConstant: // functionOf() follows none of them
  case OpKind::ShareInput:
  case SD_SHARE_PACKED:
  case OpKind::ShareAddW:
  case OpKind::ShareSumPool:
  case OpKind::ShareMax:
  case SD_SHARE_PRODUCTS:
  case OpKind::ShareOutput:
#include "ir/core/NnCases.def"
    assert(false && "no function of the sum");
  }
  known[value] = y;
  return y;
}

std::unique_ptr<Norms::Part> Norms::squaresOf(const Case &c) const {
  const ValueId x = c.op.operands[0];
  auto part = std::make_unique<Part>();
  part->stage = Stage::Squares;
  part->base = part->rounded = x;
  if (const Part *rounded = parts_[x].get(); rounded && rounded->stage == Stage::Rounded) {
    part->base = rounded->base;
    part->coarse = rounded->bits;
  }
  return part;
}

// Behind squares: their sums, rounded; none if that ends here.
std::unique_ptr<Norms::Part> Norms::sumOf(const Case &c, const Part &x) const {
  auto part = std::make_unique<Part>(x);
  if (c.op.kind == OpKind::ShareRescale) return part;
  if (c.op.kind == OpKind::ShareSumPool && sumsRows(c)) {
    part->error *= static_cast<double>(c.op.attrs.ints(Attr::Kernel)[0]);
    part->stage = Stage::Sum;
    return part;
  }
  if (c.op.kind != OpKind::ShareTruncate || c.module.type(c.op.result).shape.back() == 1) return nullptr;
  const int bits = static_cast<int>(c.op.attrs.i(Attr::Bits));
  part->bits += bits;
  part->error = std::ldexp(part->error, -bits) + 0.5;
  return part;
}

std::unique_ptr<Norms::Part> Norms::functionOf(const Case &c, const Part &x) {
  const OpKind kind = c.op.kind;
  const bool known = kind == OpKind::ShareAdd || kind == OpKind::ShareSub || kind == OpKind::ShareAddC ||
                     kind == OpKind::ShareMulC || kind == OpKind::ShareTruncate || kind == OpKind::ShareRescale ||
                     kind == OpKind::ShareRelu || repeatsInRow(c);
  if (!known || c.in.size() != c.op.operands.size()) return nullptr;
  const auto sumOf = [&](ValueId value) {
    const Part *part = parts_[value].get();
    return !part ? kNoValue : part->stage == Stage::Sum ? value : part->sum;
  };
  auto part = std::make_unique<Part>(x);
  part->stage = Stage::Function;
  part->sum = sumOf(c.op.operands[0]);
  if (part->sum == kNoValue || c.module.type(part->sum).shape.back() != 1) return nullptr;
  for (const ValueId operand : c.op.operands)
    if (sumOf(operand) != part->sum) return nullptr;
  if (x.stage == Stage::Sum) sums_.try_emplace(part->sum, c.in[0]->most());
  return part;
}

std::unique_ptr<Norms::Part> Norms::partOf(const Case &c) {
  const Op &op = c.op;
  if (op.operands.empty() || c.in.empty()) return nullptr;
  if (op.kind == OpKind::ShareMul) return op.operands[0] == op.operands[1] ? squaresOf(c) : nullptr;
  const Part *x = parts_[op.operands[0]].get();
  if (!x || x->stage == Stage::Rounded) {
    if (op.kind != OpKind::ShareTruncate) return nullptr;
    auto part = std::make_unique<Part>();
    part->base = op.operands[0];
    part->bits = static_cast<int>(op.attrs.i(Attr::Bits));
    return part;
  }
  if (x->stage != Stage::Function)
    if (auto sum = sumOf(c, *x)) return sum;
  return x->stage == Stage::Squares ? nullptr : functionOf(c, *x);
}

std::optional<Interval> Norms::follow(const Case &c) {
  if (c.op.result != kNoValue) parts_[c.op.result] = partOf(c);
  if (c.op.kind != OpKind::ShareMul || c.op.operands[0] == c.op.operands[1]) return std::nullopt;
  for (const std::size_t i : {0, 1}) {
    const Part *r = parts_[c.op.operands[i]].get();
    const ValueId other = c.op.operands[1 - i];
    if (!r || r->stage != Stage::Function || (r->base != other && r->rounded != other)) continue;
    const int coarse = r->base == other ? r->coarse : 0;
    const double most = std::max(sums_.at(r->sum), 1.0);
    if (!(most < kMostSum)) continue;
    // r falls, but for the rounding of its parts.
    constexpr double kRounding = 16;
    double worst = 0;
    for (double t = 0; t <= most;) {
      const double next = std::floor(std::max(t + 1, t * kStep));
      std::map<ValueId, double> known;
      const double value = std::abs(evaluate(c.op.operands[i], r->sum, t, known)) + kRounding;
      const double largest = std::sqrt(std::ldexp(next + r->error + 1, r->bits));
      worst = std::max(worst, value * std::ldexp(largest + 0.5, coarse));
      t = next;
    }
    return Interval::uniform(-std::ceil(worst), std::ceil(worst));
  }
  return std::nullopt;
}

} // namespace sd::intervals
