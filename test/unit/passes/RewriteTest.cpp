#include "passes/Rewrite.h"

#include <gmock/gmock.h>

namespace sd {
namespace {

using ::testing::ElementsAre;
using ::testing::Optional;

TEST(Rewrite, BroadcastToRepeatsAxes) {
  EXPECT_THAT(broadcastTo(Tensor<float>(Shape{2, 1}, {1, 2}), {2, 3}).data, ElementsAre(1, 1, 1, 2, 2, 2));
  EXPECT_THAT(broadcastTo(Tensor<float>(Shape{3}, {1, 2, 3}), {2, 3}).data, ElementsAre(1, 2, 3, 1, 2, 3));
  EXPECT_THAT(broadcastTo(Tensor<float>(Shape{}, {7}), {2}).data, ElementsAre(7, 7));
}

TEST(Rewrite, ValuesAlongFindsWhatVariesByOneAxis) {
  EXPECT_THAT(valuesAlong(Tensor<float>(Shape{}, {7}), {2, 3}, 1), Optional(ElementsAre(7, 7, 7)));
  EXPECT_THAT(valuesAlong(Tensor<float>(Shape{3}, {1, 2, 3}), {2, 3}, 1), Optional(ElementsAre(1, 2, 3)));
  EXPECT_THAT(valuesAlong(Tensor<float>(Shape{2, 1}, {1, 2}), {2, 3}, 0), Optional(ElementsAre(1, 2)));
  EXPECT_THAT(valuesAlong(Tensor<float>(Shape{2, 3}, {1, 2, 3, 1, 2, 3}), {2, 3}, 1), Optional(ElementsAre(1, 2, 3)));
  EXPECT_EQ(valuesAlong(Tensor<float>(Shape{2, 3}, {1, 2, 3, 1, 2, 4}), {2, 3}, 1), std::nullopt);
  EXPECT_EQ(valuesAlong(Tensor<float>(Shape{2, 1}, {1, 2}), {2, 3}, 1), std::nullopt);
  EXPECT_EQ(valuesAlong(Tensor<float>(Shape{1, 1, 1}, {1}), {2, 3}, 1), std::nullopt); // has more axes than the value
}

TEST(Rewrite, DeadOpsGoInputsStay) {
  Builder builder("m");
  const ValueId x = builder.create(OpKind::Input, {}, {{Attr::Name, "x"}, {Attr::Dims, Shape{2}}});
  builder.create(OpKind::Input, {}, {{Attr::Name, "unused"}, {Attr::Dims, Shape{2}}});
  const ValueId dead = builder.create(OpKind::Relu, {x});
  builder.create(OpKind::Relu, {dead});
  builder.create(OpKind::Return, {x}, {{Attr::Names, std::vector<std::string>{"y"}}});
  const Module module = withoutDeadOps(builder.module());
  ASSERT_EQ(module.ops.size(), 3u);
  EXPECT_EQ(module.types.size(), 2u);
  EXPECT_EQ(module.ops[1].attrs.str(Attr::Name), "unused");
}

} // namespace
} // namespace sd
