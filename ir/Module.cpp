#include "ir/Module.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace sd {

bool Module::operator==(const Module &other) const {
  if (name != other.name || ringBits != other.ringBits || ops.size() != other.ops.size()) return false;
  std::vector<ValueId> renamed(types.size(), kNoValue); // our values -> the other's
  for (std::size_t i = 0; i < ops.size(); ++i) {
    const Op &a = ops[i], &b = other.ops[i];
    auto same = [&](ValueId x, ValueId y) { return x < renamed.size() && renamed[x] == y; };
    if (a.kind != b.kind || a.source != b.source || !(a.attrs == b.attrs) ||
        !std::ranges::equal(a.operands, b.operands, same) || (a.result == kNoValue) != (b.result == kNoValue))
      return false;
    if (a.result == kNoValue) continue;
    if (type(a.result) != other.type(b.result)) return false;
    renamed[a.result] = b.result;
  }
  return true;
}

Expected<ValueId> Builder::add(Op op, const Type *declared) {
  std::vector<Type> operands;
  for (auto value : op.operands) {
    if (value >= module_.types.size()) return fail("{}: an operand is not defined yet", info(op.kind).mnemonic);
    operands.push_back(type(value));
  }
  if (op.kind == OpKind::ShareConstant && !op.attrs.has(Attr::Weights))
    return fail("{}: G2: attribute 'weights' is missing", info(op.kind).mnemonic);
  SD_ASSIGN(Type result, resultType(op.kind, operands, op.attrs, declared, module_.ringBits));
  op.result = kNoValue;
  if (info(op.kind).hasResult()) {
    op.result = static_cast<ValueId>(module_.types.size());
    module_.types.push_back(std::move(result));
  }
  module_.ops.push_back(std::move(op));
  return module_.ops.back().result;
}

namespace {
// An assert in every build: going on would compile a wrong program.
ValueId mustHold(const Expected<ValueId> &value) {
  if (value) return *value;
  std::fprintf(stderr, "internal error: an op breaks its rule: %s\n", value.error().message.c_str());
  std::abort();
}
} // namespace

ValueId Builder::create(OpKind kind, std::vector<ValueId> operands, Attrs attrs, std::string source) {
  return mustHold(add({kind, std::move(operands), kNoValue, std::move(attrs), std::move(source)}));
}

ValueId Builder::constant(Tensor<float> value, std::string source) {
  auto shared = std::make_shared<const Tensor<float>>(std::move(value));
  return create(OpKind::Constant, {}, {{Attr::Value, std::move(shared)}}, std::move(source));
}

ValueId Builder::weights(Integers value, int scale, std::string source) {
  auto shared = std::make_shared<const Integers>(std::move(value));
  const Type type = Type::weight(shared->shape(), scale);
  return mustHold(add({OpKind::ShareConstant, {}, kNoValue, {{Attr::Weights, shared}}, std::move(source)}, &type));
}

std::vector<std::vector<std::size_t>> usersOf(const Module &module) {
  std::vector<std::vector<std::size_t>> users(module.types.size());
  for (std::size_t i = 0; i < module.ops.size(); ++i)
    for (auto value : module.ops[i].operands)
      if (users[value].empty() || users[value].back() != i) users[value].push_back(i);
  return users;
}

std::vector<std::size_t> definitionsOf(const Module &module) {
  std::vector<std::size_t> definitions(module.types.size());
  for (std::size_t i = 0; i < module.ops.size(); ++i)
    if (auto value = module.ops[i].result; value != kNoValue) definitions[value] = i;
  return definitions;
}

} // namespace sd
