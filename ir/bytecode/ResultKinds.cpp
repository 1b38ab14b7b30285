#include "ir/bytecode/ResultKinds.h"

#include "ir/core/OpFamilies.h"

namespace sd {

namespace {

class Deriver {
public:
  explicit Deriver(const ProgramView &program) : program_(program), makers_(program.types.size(), nullptr) {
    for (const OpView &op : program.ops)
      if (info(op.kind).hasResult()) makers_[op.result] = &op;
  }

  DerivedOutput derive(std::uint32_t value) const {
    const OpView *last = behindMoves(value);
    ClassNumbers numbers;
    if (const OpView *ranker = behindLabels(last, numbers)) {
      DerivedOutput out{{}, lengthAlong(*ranker), ranker->kind};
      out.meaning.kind = ResultKind::Classes;
      out.meaning.numbers = numbers;
      return out;
    }
    DerivedOutput out{{}, 0, last->kind};
    switch (last->kind) {
    case OpKind::Softmax:
    case OpKind::LogSoftmax:
      out.classes = lengthAlong(*last);
      if (out.classes > 1) out.meaning.kind = ResultKind::Classes;
      break;
    case OpKind::Sigmoid:
      out.meaning.kind = ResultKind::Findings;
      break;
    case OpKind::Function: // of a threshold
      if (last->attrs->str(Attr::Function) != "step") break;
      out.meaning.kind = ResultKind::Findings;
      out.meaning.decided = true;
      break;
    case OpKind::ShareOutput:
      if (!last->attrs->has(Attr::Count)) break;
      out.meaning.kind = ResultKind::Classes; // marks, of --reveal class
      out.meaning.decided = true;
      break;
    case SD_NN_ENDS: // numbers
    case OpKind::Identity:
    case SD_NN_PRODUCTS:
    case OpKind::BatchNorm:
    case SD_NN_ARITHMETIC:
    case OpKind::VecDot:
    case OpKind::Relu:
    case SD_NN_SMOOTH:
    case OpKind::Piecewise:
    case OpKind::AtMost:
    case SD_NN_POOLS:
    case SD_NN_LAYOUT:
    case SD_NN_RANKING:
    case OpKind::ReduceSum:
    case OpKind::ShareConstant:
    case OpKind::ShareInput:
    case SD_SHARE_PACKED:
    case OpKind::ShareAddW:
    case SD_SHARE_SUMS:
    case SD_SHARE_CONSTANTS:
    case SD_SHARE_LAYOUT:
    case SD_SHARE_COMPARISONS:
    case SD_SHARE_PRODUCTS:
      break;
    }
    return out;
  }

private:
  const OpView *behindMoves(std::uint32_t value) const {
    const OpView *op = makers_[value];
    while (op->kind == OpKind::Reshape || op->kind == OpKind::Identity)
      op = makers_[op->operands[0]];
    return op;
  }

  // The number of an op's operand that is one constant.
  const Tensor<float> *factor(const OpView &op) const {
    const OpView *operand = makers_[op.operands[1]];
    if (operand->kind != OpKind::Constant) return nullptr;
    const Tensor<float> &value = operand->attrs->floats(Attr::Value);
    return value.size() == 1 ? &value : nullptr;
  }

  // An argmax or argtopk, and what its positions became by sums with and products by one number.
  const OpView *behindLabels(const OpView *op, ClassNumbers &numbers) const {
    while (op->kind == OpKind::Add || op->kind == OpKind::Mul) {
      const Tensor<float> *constant = factor(*op);
      if (!constant) return nullptr;
      if (op->kind == OpKind::Add)
        numbers.first += numbers.step * constant->data[0];
      else
        numbers.step *= constant->data[0];
      op = behindMoves(op->operands[0]);
    }
    const bool ranks = op->kind == OpKind::ArgMax || op->kind == OpKind::ArgTopK;
    return ranks && numbers.step != 0 ? op : nullptr;
  }

  std::int64_t lengthAlong(const OpView &op) const {
    return program_.types[op.operands[0]].shape[static_cast<std::size_t>(op.attrs->i(Attr::Axis))];
  }

  const ProgramView &program_;
  std::vector<const OpView *> makers_; // by value
};

} // namespace

std::vector<DerivedOutput> deriveOutputs(const ProgramView &program) {
  const Deriver deriver(program);
  const OpView &last = program.ops.back();
  const auto &names = last.attrs->strings(Attr::Names);
  std::vector<DerivedOutput> outputs;
  for (std::size_t i = 0; i < last.operands.size(); ++i) {
    outputs.push_back(deriver.derive(last.operands[i]));
    outputs.back().meaning.name = names[i];
  }
  return outputs;
}

} // namespace sd
