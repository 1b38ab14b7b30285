#include "runtime/kernels/Layout.h"

#include <cstdint>

#include <gtest/gtest.h>

#include "runtime/kernels/Elementwise.h"

namespace sd {
namespace {

using V = std::vector<std::uint32_t>;
using Span = std::span<const std::uint32_t>;
using Axes = std::vector<std::int64_t>;

V counting(std::int64_t n) {
  V v(n);
  for (std::int64_t i = 0; i < n; ++i)
    v[i] = static_cast<std::uint32_t>(i);
  return v;
}

TEST(Layout, TransposeMovesEveryElement) {
  const Shape shape{2, 3, 4};
  const V x = counting(24);
  for (const Axes &perm : {Axes{0, 1, 2}, Axes{2, 0, 1}, Axes{1, 2, 0}, Axes{2, 1, 0}, Axes{0, 2, 1}}) {
    V y(24);
    transpose<std::uint32_t>(shape, perm, x, y);
    std::int64_t index[3];
    std::size_t at = 0;
    for (index[0] = 0; index[0] < shape[perm[0]]; ++index[0])
      for (index[1] = 0; index[1] < shape[perm[1]]; ++index[1])
        for (index[2] = 0; index[2] < shape[perm[2]]; ++index[2]) {
          std::int64_t from[3];
          for (int i = 0; i < 3; ++i)
            from[perm[i]] = index[i];
          ASSERT_EQ(y[at++], x[(from[0] * 3 + from[1]) * 4 + from[2]]);
        }
  }
}

TEST(Layout, TransposeOfAScalar) {
  V y(1);
  transpose<std::uint32_t>({}, Axes{}, V{5}, y);
  EXPECT_EQ(y, V{5});
}

TEST(Layout, ConcatAlongEachAxis) {
  const V a{1, 2, 3, 4}, b{5, 6};
  V y(6);
  const std::vector<Span> parts{a, b};
  concat<std::uint32_t>(std::vector<Shape>{{2, 2}, {1, 2}}, parts, 0, y);
  EXPECT_EQ(y, (V{1, 2, 3, 4, 5, 6}));
  concat<std::uint32_t>(std::vector<Shape>{{2, 2}, {2, 1}}, parts, 1, y);
  EXPECT_EQ(y, (V{1, 2, 5, 3, 4, 6}));
}

TEST(Layout, PadPutsTheFillAround) {
  V y(12);
  pad<std::uint32_t>({2, 2}, Axes{0, 1}, 9, V{1, 2, 3, 4}, {3, 4}, y);
  EXPECT_EQ(y, (V{9, 1, 2, 9, 9, 3, 4, 9, 9, 9, 9, 9}));
}

TEST(Layout, GatherRepeatsAndReverses) {
  V y(6);
  gather<std::uint32_t>({2, 3}, 1, Axes{2, 0, 2}, V{1, 2, 3, 4, 5, 6}, y);
  EXPECT_EQ(y, (V{3, 1, 3, 6, 4, 6}));
  V row(3);
  gather<std::uint32_t>({2, 3}, 0, Axes{1}, V{1, 2, 3, 4, 5, 6}, row);
  EXPECT_EQ(row, (V{4, 5, 6}));
}

TEST(Elementwise, WrapsAroundInBothRings) {
  V y(2);
  add<std::uint32_t>(V{0xFFFFFFFF, 1}, V{2, 3}, y);
  EXPECT_EQ(y, (V{1, 4}));
  subtract<std::uint32_t>(V{0, 9}, V{1, 3}, y);
  EXPECT_EQ(y, (V{0xFFFFFFFF, 6}));
  multiplyBy<std::uint32_t>(V{3, 0x80000000}, static_cast<std::uint32_t>(-2), y);
  EXPECT_EQ(y, (V{static_cast<std::uint32_t>(-6), 0}));
  std::vector<std::uint64_t> wide(1);
  add<std::uint64_t>(std::vector<std::uint64_t>{~0ull}, std::vector<std::uint64_t>{5}, wide);
  EXPECT_EQ(wide[0], 4u);
}

TEST(Elementwise, BroadcastsLikeNumpy) {
  const Shape shape{2, 3, 2};
  const V x(12, 1);
  const std::pair<Shape, V> cases[] = {
      {{}, {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}},        {{2}, {1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2}},
      {{3, 1}, {1, 1, 2, 2, 3, 3, 1, 1, 2, 2, 3, 3}},    {{2, 1, 1}, {1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2}},
      {{2, 1, 2}, {1, 2, 1, 2, 1, 2, 3, 4, 3, 4, 3, 4}}, {{2, 3, 2}, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}},
  };
  for (const auto &[wShape, expected] : cases) {
    V w = counting(elementCount(wShape)), y(12), sum(12);
    for (auto &v : w)
      ++v;
    multiplyBroadcast<std::uint32_t>(shape, x, wShape, w, y);
    EXPECT_EQ(y, expected) << toString(wShape);
    addBroadcast<std::uint32_t>(shape, x, wShape, w, sum);
    for (auto &v : sum)
      --v;
    EXPECT_EQ(sum, expected) << toString(wShape);
  }
}

} // namespace
} // namespace sd
