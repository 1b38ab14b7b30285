// One SSA module: a flat list of ops in order, no control flow. A value is named by its index.
#pragma once

#include <string>
#include <vector>

#include "ir/core/OpRules.h"

namespace sd {

using ValueId = std::uint32_t;
inline constexpr ValueId kNoValue = ~ValueId{0};

struct Op {
  OpKind kind = OpKind::Identity;
  std::vector<ValueId> operands;
  ValueId result = kNoValue;
  Attrs attrs;
  std::string source; // the ONNX node it came from, for diagnostics: "Conv_0"; may be empty
};

struct Module {
  std::string name;
  int ringBits = kBitsOf<Ring32>; // isRingBits(): of the integers at share level, or those still to come
  std::vector<Op> ops;            // each operand is defined by an earlier op; nn.return is last
  std::vector<Type> types;        // by ValueId; every value is the result of exactly one op

  const Type &type(ValueId value) const { return types[value]; }
  bool operator==(const Module &) const; // up to the numbering of values
};

// Appends ops that obey their rules. Passes are written as: walk the old module, build the new one.
class Builder {
public:
  explicit Builder(std::string name, int ringBits = kBitsOf<Ring32>) {
    module_.name = std::move(name);
    module_.ringBits = ringBits;
  }

  // Appends an op; returns its result (kNoValue if it has none) or what its rule says. The fields of Op other than
  // `result` are taken; `declared` is for ops whose type is free.
  Expected<ValueId> add(Op op, const Type *declared = nullptr);

  // The same where the rule holds by construction: asserts.
  ValueId create(OpKind kind, std::vector<ValueId> operands, Attrs attrs = {}, std::string source = {});
  ValueId constant(Tensor<float> value, std::string source = {});      // nn.constant
  ValueId weights(Integers value, int scale, std::string source = {}); // share.constant

  const Type &type(ValueId value) const { return module_.types[value]; }
  const Module &module() const { return module_; }
  Module take() { return std::move(module_); }

private:
  Module module_;
};

// Users of each value: indices into module.ops, in order.
std::vector<std::vector<std::size_t>> usersOf(const Module &module);
// Index of the op that defines each value.
std::vector<std::size_t> definitionsOf(const Module &module);

} // namespace sd
