#include "runtime/vm/MaskWalk.h"

#include <gmock/gmock.h>

#include "ir/core/ScheduleAttr.h"
#include "test/unit/vm/Programs.h"

namespace sd {
namespace {

using testing::HasSubstr;
using Rings = testing::Types<Ring32, Ring64>;

// input -> mulc -> matmul -> pad -> relu -> output.
template <RingWord R>
struct Chain {
  test::ProgramBuilder<R> builder;
  Plan plan;
  ThreadPool pool{1};

  Chain() {
    const SlotId x = builder.add(OpKind::ShareInput, {builder.input("x", {1, 2})}, {}, Type::share({1, 2}, 0));
    const SlotId twice = builder.add(OpKind::ShareMulC, {x}, {{Attr::Factor, std::int64_t{2}}});
    const SlotId w = builder.weights({2, 3}, 0, 1);
    const SlotId y = builder.add(OpKind::ShareMatMul, {twice, w});
    const SlotId sum = builder.add(OpKind::ShareAdd, {y, y});
    const SlotId z =
        builder.add(OpKind::ShareRelu, {sum},
                    withSchedule(OpKind::ShareRelu, {{Attr::Bits, std::int64_t{0}}, {Attr::Bound, std::int64_t{30}}}));
    builder.add(OpKind::ShareOutput, {z});
    auto made = makePlan(builder.program());
    EXPECT_TRUE(made);
    plan = std::move(*made);
  }
};

template <RingWord R>
std::vector<R> values(const Expected<SecretVector<R>> &mask) {
  EXPECT_TRUE(mask) << mask.error().message;
  return {mask->span().begin(), mask->span().end()};
}

template <class R>
class MaskWalks : public testing::Test {};
TYPED_TEST_SUITE(MaskWalks, Rings);

TYPED_TEST(MaskWalks, FollowsLocalOps) {
  using R = TypeParam;
  Chain<R> chain;
  ASSERT_EQ(chain.plan.entries.size(), 4u); // input, matmul, relu, output
  ProgramMaskWalk<R> walk(chain.builder.program(), chain.plan, chain.pool);
  for (std::size_t entry : {1, 2, 3})
    EXPECT_FALSE(walk.ready(entry));
  EXPECT_TRUE(walk.ready(0));
  ASSERT_TRUE(walk.announce(0, std::vector<R>{5, (R{1} << (kBitsOf<R> - 1)) + 1}));
  EXPECT_TRUE(walk.ready(1));
  EXPECT_FALSE(walk.ready(2));
  EXPECT_EQ(values(walk.operand(1, 0)), (std::vector<R>{10, 2}));
  EXPECT_EQ(values(walk.operand(1, 0)), (std::vector<R>{10, 2})) << "asked twice";
  EXPECT_THAT(walk.operand(2, 0).error().message, HasSubstr("not known yet"));
  ASSERT_TRUE(walk.announce(1, std::vector<R>{1, 2, 3}));
  EXPECT_EQ(values(walk.operand(2, 0)), (std::vector<R>{2, 4, 6}));
  EXPECT_FALSE(walk.ready(3));
  ASSERT_TRUE(walk.announce(2, std::vector<R>{7, 8, 9}));
  EXPECT_EQ(values(walk.operand(3, 0)), (std::vector<R>{7, 8, 9}));
}

TYPED_TEST(MaskWalks, RefusesWhatDoesNotFit) {
  using R = TypeParam;
  Chain<R> chain;
  ProgramMaskWalk<R> walk(chain.builder.program(), chain.plan, chain.pool);
  EXPECT_THAT(walk.announce(0, std::vector<R>{5}).error().message, HasSubstr("1 elements instead of 2"));
  EXPECT_THAT(walk.announce(3, std::vector<R>{5}).error().message, HasSubstr("no mask"));
  EXPECT_THAT(walk.announce(9, std::vector<R>{5}).error().message, HasSubstr("no mask"));
  ASSERT_TRUE(walk.announce(0, std::vector<R>{5, 6}));
  EXPECT_THAT(walk.announce(0, std::vector<R>{5, 6}).error().message, HasSubstr("already"));
  EXPECT_FALSE(walk.operand(1, 1));
  EXPECT_FALSE(walk.ready(9));
}

TYPED_TEST(MaskWalks, LinearMapsApplyTheWeights) {
  using R = TypeParam;
  Chain<R> chain;
  ProgramLinearMaps<R> maps(chain.builder.program(), chain.plan, chain.pool);
  const auto sizes = maps.sizes(1);
  EXPECT_EQ(sizes.weights, 6u);
  EXPECT_EQ(sizes.x, 2u);
  EXPECT_EQ(sizes.y, 3u);
  std::vector<R> y(3);
  maps.apply(1, std::vector<R>{1, 2, 3, 4, 5, 6}, std::vector<R>{10, 1}, y);
  EXPECT_EQ(y, (std::vector<R>{14, 25, 36}));
}

} // namespace
} // namespace sd
