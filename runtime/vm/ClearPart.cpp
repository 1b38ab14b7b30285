#include "runtime/vm/ClearPart.h"

#include <algorithm>

#include "ir/core/Reference.h"

namespace sd {

Expected<ClearPart> ClearPart::prepare(const Program &program, const NamedTensors &record) {
  SD_TRY(checkRecord(program, record));
  ClearPart part(program);
  part.io_ = ioOf(program);
  SD_TRY(part.run(0, part.io_.bodyBegin, record));
  for (std::uint32_t i = part.io_.bodyBegin; i < part.io_.bodyEnd; ++i)
    if (program.instructions[i].op == OpKind::ShareInput) SD_TRY(part.quantized(program.instructions[i]));
  return part;
}

Expected<void> ClearPart::run(std::uint32_t begin, std::uint32_t end, const NamedTensors &record) {
  for (std::uint32_t i = begin; i < end; ++i) {
    const Instruction &instruction = program_->instructions[i];
    if (info(instruction.op).level != Level::Nn || instruction.op == OpKind::Return) continue;
    Tensor<float> &result = values_[instruction.result];
    if (instruction.op == OpKind::Input) {
      result = record.at(instruction.attrs.str(Attr::Name));
    } else if (instruction.op == OpKind::Constant) {
      result = instruction.attrs.floats(Attr::Value);
    } else {
      std::vector<const Tensor<float> *> operands;
      for (SlotId operand : instruction.operands)
        operands.push_back(&values_[operand]);
      SD_ASSIGN(result, evaluateClear(instruction.op, operands, instruction.attrs));
    }
  }
  return {};
}

Expected<SecretVector<Ring>> ClearPart::quantized(const Instruction &input) const {
  const auto bound = static_cast<int>(input.attrs.i(Attr::Bound, kBoundBits));
  SD_ASSIGN(Tensor<Ring> integers,
            quantize<Ring>(values_[input.operands[0]], program_->slots[input.result].scale, bound));
  SecretVector<Ring> secret(integers.data.size());
  std::ranges::copy(integers.data, secret.data());
  OPENSSL_cleanse(integers.data.data(), integers.data.size() * sizeof(Ring));
  return secret;
}

void ClearPart::setOpened(const Instruction &output, const SecretVector<Ring> &values) {
  const int scale = program_->slots[output.operands[0]].scale;
  const Shape &shape = program_->slots[output.result].shape;
  values_[output.result] = dequantize<Ring>(Tensor<Ring>(shape, {values.span().begin(), values.span().end()}), scale);
}

Expected<std::vector<Tensor<float>>> ClearPart::finish() {
  SD_TRY(run(io_.bodyEnd, static_cast<std::uint32_t>(program_->instructions.size()), {}));
  std::vector<Tensor<float>> outputs;
  for (const Port &port : io_.outputs)
    outputs.push_back(values_[port.slot]);
  return outputs;
}

} // namespace sd
