#include "ir/core/Integers.h"

#include <gtest/gtest.h>

namespace sd {
namespace {

bool isNarrow(const Integers &integers) {
  return integers.visit([](const auto &tensor) { return sizeof(tensor.data[0]) == 4; });
}

TEST(Integers, TakeThirtyTwoBitsWhereAllFit) {
  const std::int64_t least = -(std::int64_t{1} << 31), most = (std::int64_t{1} << 31) - 1;
  const Integers narrow({3}, {least, 0, most});
  EXPECT_TRUE(isNarrow(narrow));
  EXPECT_EQ(narrow[0], least);
  EXPECT_EQ(narrow[2], most);
  for (const std::int64_t beyond : {least - 1, most + 1}) {
    const Integers wide({3}, {0, beyond, 1});
    EXPECT_FALSE(isNarrow(wide));
    EXPECT_EQ(wide[1], beyond);
    EXPECT_EQ(wide.shape(), Shape{3});
  }
}

TEST(Integers, AreEqualByValue) {
  EXPECT_EQ(Integers({2}, {5, -5}), Integers(Tensor<std::int32_t>({2}, {5, -5})));
  EXPECT_NE(Integers({2}, {5, -5}), Integers({2}, {5, -4}));
  EXPECT_NE(Integers({2}, {5, -5}), Integers({1, 2}, {5, -5}));
}

} // namespace
} // namespace sd
