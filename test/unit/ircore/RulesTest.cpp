#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <map>

#include "ir/core/OpRules.h"

using namespace sd;

namespace {

constexpr auto kHuge = std::numeric_limits<std::int64_t>::max();

std::string errorOf(OpKind kind, std::vector<Type> operands, const Attrs &attrs, const Type *declared = nullptr) {
  auto type = resultType(kind, operands, attrs, declared);
  return type ? toString(*type) : type.error().message;
}

// Each constraint is broken by a text test in test/ir, but for those that no text can break.
TEST(Rules, EveryConstraintHasItsNegativeTest) {
  std::string tests;
  for (auto &entry : std::filesystem::directory_iterator(SD_TEXT_TESTS)) {
    if (!entry.path().filename().string().starts_with("bad-")) continue;
    std::ifstream file(entry.path());
    tests.append(std::istreambuf_iterator<char>(file), {});
  }
  for (auto &constraint : allConstraints()) {
    if (constraint.kind == OpKind::Constant) continue; // below
    const auto wanted = fmt::format("error: {}: C{}:", info(constraint.kind).mnemonic, constraint.number);
    EXPECT_NE(tests.find(wanted), std::string::npos) << "no test in test/ir has: " << wanted;
  }
  for (std::size_t g = 1; g <= generalConstraints().size(); ++g) {
    if (g == 3 || g == 4) continue; // below
    EXPECT_NE(tests.find(fmt::format(": G{}: ", g)), std::string::npos) << "G" << g;
  }
}

TEST(Rules, ConstraintsAreNumberedWithoutGaps) {
  std::map<OpKind, std::vector<int>> numbers;
  for (auto &constraint : allConstraints())
    numbers[constraint.kind].push_back(constraint.number);
  for (auto &[op, list] : numbers) {
    std::ranges::sort(list);
    for (std::size_t i = 0; i < list.size(); ++i)
      EXPECT_EQ(list[i], static_cast<int>(i) + 1) << info(op).mnemonic;
  }
}

TEST(Rules, ConstantC1ElementsFitTheShape) {
  Tensor<float> value;
  value.shape = {2, 3};
  value.data = {1, 2};
  const Attrs attrs = {{Attr::Value, std::make_shared<const Tensor<float>>(value)}};
  EXPECT_EQ(errorOf(OpKind::Constant, {}, attrs), "nn.constant: C1: 2 elements for shape 2x3");
  value.shape = {kHuge, kHuge};
  const Attrs huge = {{Attr::Value, std::make_shared<const Tensor<float>>(value)}};
  EXPECT_NE(errorOf(OpKind::Constant, {}, huge).find("C1"), std::string::npos);
}

TEST(Rules, G3KindsOfAttributes) {
  const Type x = Type::clear({2, 3});
  EXPECT_EQ(errorOf(OpKind::Softmax, {x}, {{Attr::Axis, 1.0}}),
            "nn.softmax: G3: attribute 'axis' is of the wrong kind");
  EXPECT_EQ(errorOf(OpKind::Constant, {}, {{Attr::Value, Floats32{}}}),
            "nn.constant: G3: attribute 'value' holds no tensor");
  EXPECT_EQ(errorOf(OpKind::Relu, {x}, {{static_cast<Attr>(999), 1.0}}),
            "nn.relu: G2: attribute '?' is not one of the op's");
}

TEST(Rules, G4OperandTypes) {
  for (const Shape &shape : {Shape{0}, Shape{-1}, Shape{kHuge, kHuge}, Shape(9, 1)})
    EXPECT_NE(errorOf(OpKind::Relu, {Type::clear(shape)}, {}).find("nn.relu: G4: operand 0"), std::string::npos);
  EXPECT_NE(errorOf(OpKind::Relu, {{Holder::Clear, {1}, 3}}, {}).find("G4"), std::string::npos);
  for (int scale : {63, -63, std::numeric_limits<int>::max(), std::numeric_limits<int>::min()})
    EXPECT_NE(errorOf(OpKind::ShareOutput, {Type::share({1}, scale)}, {}).find("G4"), std::string::npos);
}

TEST(Rules, WeightsMayStandApart) { // in the bytecode
  const Type weight = Type::weight({2, 3}, 5);
  EXPECT_EQ(errorOf(OpKind::ShareConstant, {}, {}, &weight), "weight<2x3, 2^5>");
}

TEST(Rules, DeclaredTypesOfOpsWithoutResult) {
  const Type x = Type::clear({2});
  EXPECT_NE(errorOf(OpKind::Return, {x}, {{Attr::Names, std::vector<std::string>{"y"}}}, &x).find("G7"),
            std::string::npos);
}

// Extreme numbers in every attribute of every op: an error or a type, never overflow (the sanitizers look on).
TEST(Rules, ExtremeAttributesNeverOverflow) {
  const std::vector<std::int64_t> extremes = {0,     1,         -1, 2, 1 << 20, (1 << 20) + 1, std::int64_t{1} << 31,
                                              kHuge, -kHuge - 1};
  const std::vector<Shape> shapes = {
      {}, {1}, {4}, {4, 4}, {1, 4, 8, 8}, {4, 4, 1, 1}, {1, 4, 1 << 20}, {std::int64_t{1} << 31}};
  std::uint64_t state = 1;
  auto below = [&](std::size_t n) {
    state = state * 6364136223846793005U + 1442695040888963407U;
    return static_cast<std::size_t>(state >> 33) % n;
  };
  int accepted = 0;
  for (auto &op : allOps())
    for (int i = 0; i < 3000; ++i) {
      const Shape &x = shapes[below(shapes.size())];
      std::vector<Type> operands;
      for (std::size_t k = 0, n = std::min<std::size_t>(op.maxOperands, 3); k < n; ++k) {
        const Shape &shape = below(2) ? x : shapes[below(shapes.size())];
        const int scale = static_cast<int>(below(125)) - 62;
        const bool weight = op.level == Level::Share && k > 0 && below(2);
        operands.push_back(op.level == Level::Nn || op.kind == OpKind::ShareInput ? Type::clear(shape)
                           : weight                                               ? Type::weight(shape, scale)
                                                                                  : Type::share(shape, scale));
      }
      Attrs attrs;
      auto set = [&](Attr attr) {
        if (findAttr(attr)->kind == AttrKind::Int) attrs.set(attr, extremes[below(extremes.size())]);
        if (findAttr(attr)->kind == AttrKind::Float)
          attrs.set(attr, below(2) ? 1.0 : std::numeric_limits<double>::infinity());
        if (findAttr(attr)->kind == AttrKind::String) attrs.set(attr, std::string(below(2), 'x'));
        if (findAttr(attr)->kind == AttrKind::Ints) {
          std::vector<std::int64_t> list(
              below(3) ? (x.size() > 2 ? (x.size() - 2) * (attr == Attr::Pads ? 2 : 1) : below(4)) : below(9));
          for (auto &v : list)
            v = below(2) ? 1 : extremes[below(extremes.size())];
          attrs.set(attr, list);
        }
      };
      for (auto attr : op.required)
        set(attr);
      for (auto attr : op.optional)
        if (below(2)) set(attr);
      auto type = resultType(op.kind, operands, attrs);
      accepted += type.has_value();
      EXPECT_TRUE(!type || !op.hasResult() || checkType(*type));
    }
  EXPECT_GT(accepted, 1000);
}

TEST(Broadcast, AsNumpy) {
  EXPECT_EQ(*broadcastShapes({2, 3}, {3}), (Shape{2, 3}));
  EXPECT_EQ(*broadcastShapes({2, 1}, {4, 1, 3}), (Shape{4, 2, 3}));
  EXPECT_EQ(*broadcastShapes({}, {2}), (Shape{2}));
  EXPECT_FALSE(broadcastShapes({2}, {3}));
}

} // namespace
