#include "runtime/vm/ClearPart.h"

#include <algorithm>
#include <limits>

#include "ir/core/Reference.h"

namespace sd {

namespace {

// Could a run without overflow have opened these?
template <RingWord R>
bool plausible(const Program &program, const Instruction &output, std::span<const R> values) {
  using Signed = SignedOf<R>;
  Signed most = 0;
  if (output.attrs.has(Attr::Count)) {
    most = static_cast<Signed>(output.attrs.i(Attr::Count));
    if (std::ranges::count(values, R{0}) == std::ssize(values)) return false;
  } else {
    const auto source = std::ranges::find(program.instructions, output.operands[0], &Instruction::result);
    if (source->op != OpKind::ShareRelu || source->operands.size() > 1) return true;
    most = static_cast<Signed>(Signed{1} << (source->attrs.i(Attr::Bound) - source->attrs.i(Attr::Bits)));
  }
  return std::ranges::all_of(values,
                             [&](R v) { return static_cast<Signed>(v) >= 0 && static_cast<Signed>(v) <= most; });
}

} // namespace

Expected<ClearPart> ClearPart::prepare(const Program &program, const NamedTensors &record) {
  SD_TRY(checkRecord(program, record));
  ClearPart part(program);
  part.io_ = ioOf(program);
  SD_TRY(part.run(0, part.io_.bodyBegin, record));
  SD_TRY(withRing(program.ringBits, [&]<class R>() -> Expected<void> {
    for (std::uint32_t i = part.io_.bodyBegin; i < part.io_.bodyEnd; ++i) {
      if (program.instructions[i].op != OpKind::ShareInput) continue;
      if (auto fits = part.quantized<R>(program.instructions[i]); !fits) return tl::unexpected(fits.error());
    }
    return {};
  }));
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

template <RingWord R>
Expected<SecretVector<R>> ClearPart::quantized(const Instruction &input) const {
  const auto bound = static_cast<int>(input.attrs.i(Attr::Bound, kBoundBitsOf<R>));
  SD_ASSIGN(Tensor<R> integers, quantize<R>(values_[input.operands[0]], program_->slots[input.result].scale, bound));
  SecretVector<R> secret(integers.data.size());
  std::ranges::copy(integers.data, secret.data());
  OPENSSL_cleanse(integers.data.data(), integers.data.size() * sizeof(R));
  return secret;
}

template <RingWord R>
void ClearPart::setOpened(const Instruction &output, const SecretVector<R> &values) {
  valid_ = valid_ && plausible<R>(*program_, output, values.span());
  const int scale = program_->slots[output.operands[0]].scale;
  const Shape &shape = program_->slots[output.result].shape;
  values_[output.result] = dequantize<R>(Tensor<R>(shape, {values.span().begin(), values.span().end()}), scale);
}

Expected<std::vector<Tensor<float>>> ClearPart::finish() {
  SD_TRY(run(io_.bodyEnd, static_cast<std::uint32_t>(program_->instructions.size()), {}));
  std::vector<Tensor<float>> outputs;
  for (const Port &port : io_.outputs) {
    outputs.push_back(values_[port.slot]);
    if (!valid_) std::ranges::fill(outputs.back().data, std::numeric_limits<float>::quiet_NaN());
  }
  return outputs;
}

#define SD_CLEAR_PART(R)                                                                                               \
  template Expected<SecretVector<R>> ClearPart::quantized<R>(const Instruction &) const;                               \
  template void ClearPart::setOpened(const Instruction &, const SecretVector<R> &);
SD_CLEAR_PART(Ring32)
SD_CLEAR_PART(Ring64)
#undef SD_CLEAR_PART

} // namespace sd
