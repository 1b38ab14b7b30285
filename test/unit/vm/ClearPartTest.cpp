#include "runtime/vm/ClearPart.h"

#include <gmock/gmock.h>

#include "test/unit/vm/Programs.h"

namespace sd {
namespace {

// x / 4 goes in at scale 2, comes out, and is turned over.
TEST(ClearPart, PreparesAndFinishes) {
  test::ProgramBuilder<Ring32> builder;
  const SlotId x = builder.input("x", {1, 2});
  const SlotId four = builder.add(OpKind::Constant, {},
                                  {{Attr::Value, std::make_shared<const Tensor<float>>(Tensor<float>({1}, {4}))}});
  const SlotId quarter = builder.add(OpKind::Div, {x, four});
  const SlotId in = builder.add(OpKind::ShareInput, {quarter}, {}, Type::share({1, 2}, 2));
  const Instruction input = builder.program().instructions.back();
  const SlotId out = builder.add(OpKind::ShareOutput, {in});
  const Instruction output = builder.program().instructions.back();
  const SlotId turned = builder.add(OpKind::Transpose, {out}, {{Attr::Perm, std::vector<std::int64_t>{1, 0}}});
  builder.add(OpKind::Return, {turned}, {{Attr::Names, std::vector<std::string>{"y"}}});
  ASSERT_TRUE(verifyProgram(builder.program())) << verifyProgram(builder.program()).error().message;

  auto part = ClearPart::prepare(builder.program(), {{"x", Tensor<float>({1, 2}, {4, -10})}});
  ASSERT_TRUE(part) << part.error().message;
  auto integers = part->quantized<Ring32>(input);
  ASSERT_TRUE(integers);
  EXPECT_EQ((*integers)[0], 4u);
  EXPECT_EQ((*integers)[1], static_cast<Ring32>(-10));
  part->setOpened(output, *integers);
  auto outputs = part->finish();
  ASSERT_TRUE(outputs) << outputs.error().message;
  EXPECT_EQ(*outputs, (std::vector<Tensor<float>>{Tensor<float>({2, 1}, {1, -2.5f})}));
}

// Opened integers that no run without overflow gives. There is no error: the service would see that the session ends.
TEST(ClearPart, ImplausibleResultsAreNotNumbers) {
  const auto opened = [](Attrs output, std::vector<Ring32> values) {
    test::ProgramBuilder<Ring32> builder;
    const SlotId in = builder.add(OpKind::ShareInput, {builder.input("x", {2})}, {}, Type::share({2}, 0));
    const SlotId relu =
        builder.add(OpKind::ShareRelu, {in}, {{Attr::Bits, std::int64_t{0}}, {Attr::Bound, std::int64_t{10}}});
    const SlotId out = builder.add(OpKind::ShareOutput, {relu}, std::move(output));
    const Instruction instruction = builder.program().instructions.back();
    builder.add(OpKind::Return, {out}, {{Attr::Names, std::vector<std::string>{"y"}}});
    auto part = ClearPart::prepare(builder.program(), {{"x", Tensor<float>({2}, {1, 1})}});
    EXPECT_TRUE(part);
    SecretVector<Ring32> secret(values.size());
    std::ranges::copy(values, secret.data());
    part->setOpened(instruction, secret);
    return (*part->finish())[0].data;
  };
  const auto nan = testing::Each(testing::IsNan());
  EXPECT_THAT(opened({}, {1024, 0}), testing::ElementsAre(1024, 0));
  EXPECT_THAT(opened({}, {1025, 0}), nan);
  EXPECT_THAT(opened({}, {5, static_cast<Ring32>(-1)}), nan);
  const Attrs marks{{Attr::Count, std::int64_t{1}}};
  EXPECT_THAT(opened(marks, {1, 0}), testing::ElementsAre(1, 0));
  EXPECT_THAT(opened(marks, {1, 1}), testing::ElementsAre(1, 1));
  EXPECT_THAT(opened(marks, {0, 0}), nan);
  EXPECT_THAT(opened(marks, {1, 2}), nan);
  EXPECT_THAT(opened(marks, {1, static_cast<Ring32>(-1279)}), nan);
}

TEST(ClearPart, RefusesWhatDoesNotFitTheRing) {
  test::ProgramBuilder<Ring32> builder;
  const SlotId in = builder.add(OpKind::ShareInput, {builder.input("x", {1})}, {}, Type::share({1}, 20));
  const SlotId out = builder.add(OpKind::ShareOutput, {in});
  builder.add(OpKind::Return, {out}, {{Attr::Names, std::vector<std::string>{"y"}}});
  EXPECT_TRUE(ClearPart::prepare(builder.program(), {{"x", Tensor<float>({1}, {1000})}}));
  EXPECT_FALSE(ClearPart::prepare(builder.program(), {{"x", Tensor<float>({1}, {1024})}}));
  EXPECT_FALSE(ClearPart::prepare(builder.program(), {}));
}

} // namespace
} // namespace sd
