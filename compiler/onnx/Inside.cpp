#include "compiler/onnx/Inside.h"

#include <algorithm>

#include "ir/core/Functions.h"

namespace sd {
namespace {

constexpr int kMostOps = 32; // of a formula

bool isElementwise(const Op &op) {
  const OpKind kind = op.kind;
  if (kind == OpKind::Relu) return op.operands.size() == 1;
  return kind == OpKind::Add || kind == OpKind::Sub || kind == OpKind::Mul || kind == OpKind::Piecewise ||
         kind == OpKind::Tanh || kind == OpKind::Erf || kind == OpKind::Elu || kind == OpKind::Softplus ||
         kind == OpKind::Softsign || kind == OpKind::Sigmoid;
}

// The ops of a formula behind one secret value. Passes look at it again, and refuse what they can't approximate.
class Formula {
public:
  explicit Formula(Emitter &emitter) : emitter_(emitter) {}

  bool take(ValueId value) {
    if (std::ranges::find(ops_, value) != ops_.end()) return true;
    if (std::ssize(ops_) == kMostOps) return false;
    const Op &op = emitter_.maker(value);
    if (op.kind == OpKind::Constant) return op.attrs.floats(Attr::Value).size() == 1;
    if (!emitter_.isOpenedValue(value)) {
      leaves_.insert(value);
      return true;
    }
    ops_.push_back(value);
    if (op.kind == OpKind::Function) {
      if (isStepFunction(op.attrs.str(Attr::Function))) return false; // nothing continuous is close to it
      if (!emitter_.isOpenedValue(op.operands[0])) openers_[op.operands[0]].insert(value);
    } else if (op.kind != OpKind::Add && op.kind != OpKind::Sub && op.kind != OpKind::Mul && op.kind != OpKind::Div) {
      return false;
    }
    return emitter_.shapeOf(value) == emitter_.shapeOf(ops_.front()) &&
           std::ranges::all_of(op.operands, [&](ValueId v) { return take(v); });
  }

  // Whether all that is secret comes from one value, element by element; nothing is opened for the formula then.
  bool close() {
    std::set<ValueId> left = leaves_;
    for (int i = 0; i < kMostOps && left.size() > 1; ++i) {
      const Op &latest = emitter_.maker(*left.rbegin());
      if (!isElementwise(latest)) return false;
      left.erase(latest.result);
      for (const ValueId operand : latest.operands)
        if (emitter_.maker(operand).kind != OpKind::Constant) left.insert(operand);
    }
    return left.size() == 1 && emitter_.shapeOf(*left.begin()) == emitter_.shapeOf(ops_.front()) &&
           std::ranges::all_of(openers_, [&](const auto &of) { return emitter_.keepClosed(of.first, of.second); });
  }

private:
  Emitter &emitter_;
  std::vector<ValueId> ops_;
  std::set<ValueId> leaves_;                     // secret
  std::map<ValueId, std::set<ValueId>> openers_; // functions of leaves
};

std::optional<Value> formulaInside(Emitter &emitter, ValueId value) {
  Formula formula(emitter);
  if (!formula.take(value) || !formula.close()) return std::nullopt;
  return emitter.secret(value);
}

} // namespace

bool isStepFunction(std::string_view name) {
  return name == "ceil" || name == "floor" || name == "round" || name == "sign" || name == "step";
}

Expected<Value> reciprocalInside(Emitter &emitter, const Value &x) {
  return emitter.compute(OpKind::Function, {x}, {{Attr::Function, std::string("reciprocal")}});
}

Expected<std::optional<Value>> insideForm(Emitter &emitter, const Value &opened) {
  if (opened.isConstant() || !opened.isOpened() || opened.isInteger() || opened.quantisation()) return std::nullopt;
  if (auto formula = formulaInside(emitter, opened.id())) return formula;
  // Opened because it is divided by what was taken for opened.
  const Op op = emitter.maker(opened.id());
  if (op.kind != OpKind::Div) return std::nullopt;
  const Op numerator = emitter.maker(op.operands[0]);
  if (numerator.kind != OpKind::Function || numerator.attrs.str(Attr::Function) != "identity" ||
      emitter.isOpenedValue(numerator.operands[0]))
    return std::nullopt;
  const auto divisor = formulaInside(emitter, op.operands[1]);
  if (!divisor || !emitter.keepClosed(numerator.operands[0], {numerator.result})) return std::nullopt;
  SD_ASSIGN(const Value inverse, reciprocalInside(emitter, *divisor));
  SD_ASSIGN(Value quotient, emitter.arithmetic(OpKind::Mul, emitter.secret(numerator.operands[0]), inverse));
  return std::optional(std::move(quotient));
}

} // namespace sd
