#include "RandomModule.h"

#include <bit>

namespace sd::test {

namespace {

// Tries random ops with random attributes, and keeps those that their rules accept.
class Generator {
public:
  Generator(std::uint32_t seed, int ringBits)
      : random_(seed), builder_("random " + std::to_string(seed) + " \"\\\n", ringBits) {}

  Module run(bool lowered) {
    const Level level = lowered ? Level::Share : Level::Nn;
    std::vector<OpKind> kinds;
    for (auto &op : allOps())
      if (op.level == level && op.hasResult() && op.kind != OpKind::ShareOutput && op.kind != OpKind::ShareInput)
        kinds.push_back(op.kind);
    auto input = builder_.create(OpKind::Input, {}, {{Attr::Name, "x"}, {Attr::Dims, dims({2, 4, 6, 5})}});
    add(OpKind::Input, {}, {{Attr::Name, "y"}, {Attr::Dims, dims({2, 4})}, {Attr::Low, -1.5}, {Attr::High, 1e300}});
    ValueId last = input;
    if (lowered) {
      const Type type = Type::share({2, 4, 6, 5}, 10);
      last = *builder_.add({OpKind::ShareInput, {input}, kNoValue, {}, "in\t\x7f"}, &type);
    }
    addRareOnes(last, lowered);
    for (int i = 0; i < 400 && builder_.module().ops.size() < 60; ++i)
      if (auto next = tryOne(kinds[below(kinds.size())])) last = *next;
    if (lowered) last = builder_.create(OpKind::ShareOutput, {pickHolder(Holder::Share)});
    builder_.create(OpKind::Return, {last}, {{Attr::Names, std::vector<std::string>{"out \xc3\xa9"}}});
    return builder_.take();
  }

private:
  std::uint32_t below(std::size_t n) { return static_cast<std::uint32_t>(random_() % n); }
  std::vector<std::int64_t> dims(std::vector<std::int64_t> d) { return d; }

  ValueId pickHolder(Holder holder) {
    for (;;)
      if (auto v = below(builder_.module().types.size()); builder_.type(v).holder == holder) return v;
  }

  // Ops that chance hardly finds operands for.
  void addRareOnes(ValueId x, bool lowered) {
    const Attrs window = {{Attr::Strides, dims({1, 2})},
                          {Attr::Pads, dims({0, 1, 1, 0})},
                          {Attr::Dilations, dims({2, 1})},
                          {Attr::Group, std::int64_t{2}}};
    if (lowered) {
      auto w = builder_.weights(Tensor<std::int64_t>({6, 2, 2, 3}, -5), 4);
      add(OpKind::ShareConv, {x, w, builder_.weights(Tensor<std::int64_t>({6}), 14)}, window);
      add(OpKind::ShareAddW, {x, builder_.weights(Tensor<std::int64_t>({5}, 9), 10)}, {});
      add(OpKind::ShareMatMul, {x, builder_.weights(Tensor<std::int64_t>({5, 3}), 2)}, {});
      const ValueId matrices = builder_.create(OpKind::ShareReshape, {x}, {{Attr::Dims, dims({8, 6, 5})}});
      add(OpKind::ShareDot, {matrices, matrices}, {});
    } else {
      auto w = builder_.constant(Tensor<float>({6, 2, 2, 3}, 0.1F)), c = builder_.constant(Tensor<float>({4}, 2));
      add(OpKind::Conv, {x, w}, window);
      add(OpKind::BatchNorm, {x, c, c, c, c}, {{Attr::Epsilon, 1e-5}});
      add(OpKind::MatMul, {x, builder_.constant(Tensor<float>({5, 3}))}, {});
    }
  }

  void add(OpKind kind, std::vector<ValueId> operands, Attrs attrs) {
    builder_.create(kind, std::move(operands), std::move(attrs));
  }

  Shape someShape() {
    if (below(3) == 0) return builder_.type(below(builder_.module().types.size())).shape;
    Shape shape(below(5));
    for (auto &d : shape)
      d = 1 + below(6);
    return shape;
  }

  AttrValue value(Attr attr, AttrKind kind, const Shape &x) {
    const std::size_t rank = x.size(), spatial = rank > 2 ? rank - 2 : 1;
    switch (kind) {
    case AttrKind::Int:
      if (attr == Attr::Bound) return std::int64_t{20 + below(12)};
      return std::int64_t{below(4)};
    case AttrKind::Ints: {
      std::vector<std::int64_t> list(attr == Attr::Pads ? 2 * (below(2) ? rank : spatial) : spatial);
      for (auto &v : list)
        v = (attr == Attr::Pads ? 0 : 1) + below(2);
      if (attr == Attr::Dims) list = Shape{elementCount(x)};
      if (attr == Attr::Indices) list = {0, 0};
      if (attr == Attr::Perm) {
        list.resize(rank);
        for (std::size_t i = 0; i < rank; ++i)
          list[i] = static_cast<std::int64_t>(rank - 1 - i);
      }
      return list;
    }
    case AttrKind::Float:
      return std::ldexp(static_cast<double>(random_()), static_cast<int>(below(200)) - 120);
    case AttrKind::String:
      if (attr == Attr::Function) return std::string("exp");
      return std::string("s") + static_cast<char>(below(256));
    case AttrKind::Strings:
      return std::vector<std::string>{"a"};
    case AttrKind::Floats32: {
      if (attr == Attr::Knots) return std::make_shared<const Tensor<float>>(Shape{1}, std::vector{0.5f});
      if (attr == Attr::Slopes) return std::make_shared<const Tensor<float>>(Shape{2}, std::vector{0.0f, 1.0f});
      Tensor<float> tensor(someShape());
      if (below(3) > 0)
        for (auto &v : tensor.data)
          v = std::bit_cast<float>(static_cast<std::uint32_t>(random_()));
      return std::make_shared<const Tensor<float>>(std::move(tensor));
    }
    case AttrKind::Ints64: {
      Tensor<std::int64_t> tensor(someShape());
      const bool wide = builder_.module().ringBits == kBitsOf<Ring64> && below(2);
      for (auto &v : tensor.data)
        v = wide ? static_cast<std::int64_t>(std::uint64_t{random_()} << 32 | random_())
                 : static_cast<std::int32_t>(random_());
      return std::make_shared<const Integers>(std::move(tensor));
    }
    }
    return {};
  }

  std::optional<ValueId> tryOne(OpKind kind) {
    const OpInfo &op = info(kind);
    Op next{kind, {}, kNoValue, {}, below(2) ? "node_" + std::to_string(below(100)) : ""};
    const std::size_t count = op.minOperands + below(std::min<std::size_t>(op.maxOperands - op.minOperands, 3) + 1);
    for (std::size_t i = 0; i < count; ++i)
      next.operands.push_back(below(builder_.module().types.size()));
    const Shape x = count > 0 ? builder_.type(next.operands[0]).shape : Shape{};
    for (auto attr : op.required)
      next.attrs.set(attr, value(attr, findAttr(attr)->kind, x));
    if (kind == OpKind::Input) next.attrs.set(Attr::Name, "input_" + std::to_string(builder_.module().ops.size()));
    if (kind == OpKind::ShareConstant) {
      const Type type = Type::weight(next.attrs.integers(Attr::Weights).shape(), static_cast<int>(below(20)) - 4);
      return *builder_.add(std::move(next), &type);
    }
    auto added = builder_.add(std::move(next));
    return added ? std::optional(*added) : std::nullopt;
  }

  std::mt19937 random_;
  Builder builder_;
};

} // namespace

Module randomModule(std::uint32_t seed, bool lowered, int ringBits) { return Generator(seed, ringBits).run(lowered); }

} // namespace sd::test
