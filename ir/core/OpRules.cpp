#include "ir/core/OpRules.h"

#include <algorithm>

#include "ir/core/OpFamilies.h"
#include "ir/core/Rules.h"

namespace sd {

namespace {

constexpr rules::Rule kRules[] = {
#define SD_OP(kind, ...) rules::rule##kind,
#include "ir/core/Ops.def"
#undef SD_OP
};

std::string_view text(Holder holder) {
  return holder == Holder::Clear ? "clear" : holder == Holder::Weight ? "weight" : "share";
}

Expected<void> checkAttrs(const OpInfo &op, const Attrs &attrs) {
  for (auto required : op.required)
    // The bytecode keeps weights apart; builder and verifier ask for them.
    if (!attrs.has(required) && required != Attr::Weights)
      return fail("G2: attribute '{}' is missing", findAttr(required)->text);
  for (auto &[attr, value] : attrs) {
    auto *known = findAttr(attr);
    if (!known || (std::ranges::find(op.required, attr) == op.required.end() &&
                   std::ranges::find(op.optional, attr) == op.optional.end()))
      return fail("G2: attribute '{}' is not one of the op's", known ? known->text : "?");
    if (kindOf(value) != known->kind) return fail("G3: attribute '{}' is of the wrong kind", known->text);
    if (std::holds_alternative<Floats32>(value) ? !std::get<Floats32>(value)
                                                : std::holds_alternative<Ints64>(value) && !std::get<Ints64>(value))
      return fail("G3: attribute '{}' holds no tensor", known->text);
  }
  return {};
}

Expected<Type> checked(OpKind kind, std::span<const Type> operands, const Attrs &attrs, const Type *declared,
                       int ringBits) {
  const OpInfo &op = info(kind);
  if (operands.size() < op.minOperands || operands.size() > op.maxOperands) {
    if (op.minOperands == op.maxOperands) return fail("G1: takes {} operands, not {}", op.minOperands, operands.size());
    return fail("G1: takes {} to {} operands, not {}", op.minOperands, op.maxOperands, operands.size());
  }
  SD_TRY(checkAttrs(op, attrs));
  for (std::size_t i = 0; i < operands.size(); ++i)
    if (auto ok = checkType(operands[i]); !ok) return fail("G4: operand {}: {}", i, ok.error().message);
  for (std::size_t i = 0; i < operands.size(); ++i)
    if (auto wanted = rules::operandHolder(kind, i); operands[i].holder != wanted)
      return fail("G5: operand {} must be a {} value, not {}", i, text(wanted), toString(operands[i]));
  if (declared)
    if (auto ok = checkType(*declared); !ok) return fail("G6: {}", ok.error().message);
  SD_ASSIGN(Type result, kRules[static_cast<std::size_t>(kind)]({operands, attrs, declared, ringBits}));
  if (!op.hasResult()) {
    if (declared) return fail("G7: gives no result, so has no type");
    return Type{};
  }
  if (auto ok = checkType(result); !ok) return fail("G6: the result: {}", ok.error().message);
  if (declared && *declared != result)
    return fail("G7: the result is {}, not {}", toString(result), toString(*declared));
  return result;
}

} // namespace

Holder rules::operandHolder(OpKind kind, std::size_t operand) {
  switch (kind) {
  case SD_SHARE_PACKED:
  case OpKind::ShareAddW:
  case OpKind::ShareRelu:
    return operand > 0 ? Holder::Weight : Holder::Share;
  case OpKind::ShareConstant:
  case SD_SHARE_SUMS:
  case SD_SHARE_CONSTANTS:
  case SD_SHARE_LAYOUT:
  case OpKind::ShareTruncate:
  case OpKind::ShareMax:
  case SD_SHARE_PRODUCTS:
  case OpKind::ShareOutput:
    return Holder::Share;
  case OpKind::ShareInput:
#include "ir/core/NnCases.def"
    break;
  }
  return Holder::Clear;
}

Expected<void> checkType(const Type &type) {
  SD_TRY(checkedElementCount(type.shape));
  if (std::ranges::any_of(type.shape, [](auto d) { return d < 1; }))
    return fail("shape {} has an empty dimension", toString(type.shape));
  if (type.holder == Holder::Clear && type.scale != 0) return fail("a clear value has no scale");
  if (!rules::within(type.scale, -kMaxScale, kMaxScale))
    return fail("scale 2^{} is beyond 2^{}", type.scale, type.scale < 0 ? -kMaxScale : kMaxScale);
  return {};
}

Expected<Type> resultType(OpKind kind, std::span<const Type> operands, const Attrs &attrs, const Type *declared,
                          int ringBits) {
  assert(isRingBits(ringBits));
  auto type = checked(kind, operands, attrs, declared, ringBits);
  if (!type) return fail("{}: {}", info(kind).mnemonic, type.error().message);
  return type;
}

std::span<const Constraint> allConstraints() {
  static constexpr Constraint kConstraints[] = {
#define SD_GENERAL(number, text)
#define SD_CONSTRAINT(kind, number, text) {OpKind::kind, number, text},
#include "ir/core/Constraints.def"
#undef SD_GENERAL
#undef SD_CONSTRAINT
  };
  return kConstraints;
}

std::span<const std::string_view> generalConstraints() {
  static constexpr std::string_view kGeneral[] = {
#define SD_GENERAL(number, text) text,
#define SD_CONSTRAINT(kind, number, text)
#include "ir/core/Constraints.def"
#undef SD_GENERAL
#undef SD_CONSTRAINT
  };
  return kGeneral;
}

} // namespace sd
