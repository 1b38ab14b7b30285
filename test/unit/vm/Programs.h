// Small programs for the tests of the machine.
#pragma once

#include <random>

#include <gtest/gtest.h>

#include "ir/bytecode/Verify.h"

namespace sd::test {

using ProgramRings = testing::Types<Ring32, Ring64>;

// Appends instructions; each is a group of its own. The result's type is the rule's, or `declared`.
template <RingWord R>
class ProgramBuilder {
public:
  ProgramBuilder() { program_.ringBits = kBitsOf<R>; }

  SlotId add(OpKind op, std::vector<SlotId> operands, Attrs attrs = {}, std::optional<Type> declared = {}) {
    std::vector<Type> types;
    for (SlotId operand : operands)
      types.push_back(program_.slots[operand]);
    const Expected<Type> type = resultType(op, types, attrs, declared ? &*declared : nullptr, kBitsOf<R>);
    EXPECT_TRUE(type) << (type ? "" : type.error().message);
    Instruction instruction{op, std::move(operands), ~SlotId{0}, std::move(attrs), {}};
    if (info(op).hasResult()) {
      instruction.result = static_cast<SlotId>(program_.slots.size());
      program_.slots.push_back(type ? *type : Type{});
    }
    const auto index = static_cast<std::uint32_t>(program_.instructions.size());
    instruction.source = fmt::format("node{}", index);
    program_.instructions.push_back(std::move(instruction));
    program_.groups.push_back({index, index + 1, info(op).isInteractive()});
    return program_.instructions.back().result;
  }

  SlotId input(const std::string &name, Shape shape) {
    return add(OpKind::Input, {}, {{Attr::Name, name}, {Attr::Dims, std::move(shape)}});
  }
  SlotId weights(Shape shape, int scale, std::uint32_t seed, int bits = 31) {
    Tensor<SignedOf<R>> tensor(shape);
    std::mt19937 rng(seed);
    for (SignedOf<R> &w : tensor.data)
      w = static_cast<std::int32_t>(rng()) >> (31 - bits);
    weights_.tensors.push_back(std::move(tensor));
    return add(OpKind::ShareConstant, {}, {}, Type::weight(std::move(shape), scale));
  }

  const Program &program() const { return program_; }
  const WeightSet<R> &weightSet() const { return weights_; }
  Program &mutableProgram() { return program_; }

private:
  Program program_;
  WeightSet<R> weights_;
};

// Attributes of a square window of two dimensions.
inline Attrs square(std::int64_t stride, std::int64_t pad, std::int64_t dilation = 1) {
  using Ints = std::vector<std::int64_t>;
  return {{Attr::Strides, Ints{stride, stride}},
          {Attr::Pads, Ints{pad, pad, pad, pad}},
          {Attr::Dilations, Ints{dilation, dilation}}};
}

} // namespace sd::test
