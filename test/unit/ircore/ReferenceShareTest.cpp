#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

#include "ir/core/Reference.h"

using namespace sd;
using testing::ElementsAre;

namespace {

using Ints = std::vector<std::int64_t>;

Tensor<Ring> ring(Shape shape, const std::vector<std::int64_t> &values) {
  std::vector<Ring> data(values.begin(), values.end());
  return {std::move(shape), std::move(data)};
}

std::vector<SignedRing> evaluate(OpKind kind, const std::vector<Tensor<Ring>> &operands, const Attrs &attrs = {}) {
  std::vector<const Tensor<Ring> *> pointers;
  for (auto &each : operands)
    pointers.push_back(&each);
  Rounding rounding = Rounding::nearest();
  auto result = evaluateShare(kind, pointers, attrs, rounding);
  EXPECT_TRUE(result) << (result ? "" : result.error().message);
  return result ? std::vector<SignedRing>(result->data.begin(), result->data.end()) : std::vector<SignedRing>();
}

Attrs truncation(std::int64_t bits) { return {{Attr::Bits, bits}, {Attr::Bound, std::int64_t{30}}}; }

TEST(ReferenceShare, TruncateRoundsHalfUp) {
  EXPECT_THAT(evaluate(OpKind::ShareTruncate, {ring({8}, {0, 1, 2, 5, 6, -1, -2, -6})}, truncation(2)),
              ElementsAre(0, 0, 1, 1, 2, 0, 0, -1));
  EXPECT_THAT(evaluate(OpKind::ShareTruncate, {ring({2}, {7, -7})}, truncation(0)), ElementsAre(7, -7));
  const std::int64_t most = (1 << 30) - (1 << 24);
  EXPECT_THAT(evaluate(OpKind::ShareTruncate, {ring({2}, {most, -most})}, truncation(24)), ElementsAre(63, -63));
}

TEST(ReferenceShare, ReluTruncatesThePositivePart) {
  EXPECT_THAT(evaluate(OpKind::ShareRelu, {ring({6}, {0, 1, 2, 7, -1, -100})}, truncation(2)),
              ElementsAre(0, 0, 1, 2, 0, 0));
  EXPECT_THAT(evaluate(OpKind::ShareRelu, {ring({3}, {5, -5, 0})}, truncation(0)), ElementsAre(5, 0, 0));
}

TEST(ReferenceShare, StochasticRoundingIsFloorOrCeilingAndUnbiased) {
  Rounding rounding = Rounding::seeded(3);
  for (SignedRing y : {0, 1, 300, 1023, 1024, -1, -300, -1024, 123456789}) {
    double sum = 0;
    const int runs = 20000;
    for (int i = 0; i < runs; ++i) {
      const double q = rounding.truncate(y, 10), exact = y / 1024.0;
      EXPECT_LT(std::abs(q - exact), 1);
      sum += q;
    }
    EXPECT_NEAR(sum / runs, y / 1024.0, 5 * 0.5 / std::sqrt(runs)) << y;
  }
}

TEST(ReferenceShare, Maximum) {
  EXPECT_THAT(evaluate(OpKind::ShareMax, {ring({4}, {1, -1, 5, -9}), ring({4}, {2, -2, 5, 7})},
                       {{Attr::Bound, std::int64_t{20}}}),
              ElementsAre(2, -1, 5, 7));
}

TEST(ReferenceShare, LinearOpsWrap) {
  const Ring big = 0x80000001;
  EXPECT_THAT(evaluate(OpKind::ShareAdd, {ring({1}, {big}), ring({1}, {big})}), ElementsAre(2));
  EXPECT_THAT(evaluate(OpKind::ShareSub, {ring({1}, {1}), ring({1}, {3})}), ElementsAre(-2));
  EXPECT_THAT(evaluate(OpKind::ShareMul, {ring({1}, {1 << 20}), ring({1}, {(1 << 20) + 3})}), ElementsAre(3 << 20));
  EXPECT_THAT(evaluate(OpKind::ShareMulC, {ring({2}, {5, -5})}, {{Attr::Factor, std::int64_t{-3}}}),
              ElementsAre(-15, 15));
  EXPECT_THAT(evaluate(OpKind::ShareAddC, {ring({2}, {5, -5})}, {{Attr::Addend, std::int64_t{-7}}}),
              ElementsAre(-2, -12));
  EXPECT_THAT(evaluate(OpKind::ShareRescale, {ring({2}, {5, -5})}, {{Attr::Shift, std::int64_t{3}}}),
              ElementsAre(5, -5));
  EXPECT_THAT(evaluate(OpKind::ShareMatMul, {ring({1, 2}, {-1, 2}), ring({2, 2}, {3, 4, 5, 6}), ring({2}, {100, 0})}),
              ElementsAre(107, 8));
  EXPECT_THAT(evaluate(OpKind::ShareScale, {ring({2, 2}, {1, 2, 3, 4}), ring({2}, {10, -1}), ring({2, 1}, {7, 8})}),
              ElementsAre(17, 5, 38, 4));
  EXPECT_THAT(evaluate(OpKind::ShareAddW, {ring({2, 2}, {1, 2, 3, 4}), ring({2, 1}, {10, 20})}),
              ElementsAre(11, 12, 23, 24));
}

TEST(ReferenceShare, ConvAndPoolMatchTheFloats) {
  std::mt19937 random(5);
  auto small = [&](Shape shape) {
    Tensor<float> tensor(std::move(shape));
    for (auto &v : tensor.data)
      v = static_cast<float>(static_cast<int>(random() % 33) - 16);
    return tensor;
  };
  auto residues = [](const Tensor<float> &t) { return ring(t.shape, {t.data.begin(), t.data.end()}); };
  for (std::int64_t group : {1, 2}) {
    const auto x = small({2, 4, 7, 6}), w = small({6, 4 / group, 3, 2}), bias = small({6});
    Attrs attrs = {{Attr::Strides, Ints{2, 1}},
                   {Attr::Pads, Ints{1, 0, 2, 1}},
                   {Attr::Dilations, Ints{1, 2}},
                   {Attr::Group, group}};
    auto expected = evaluateClear(OpKind::Conv, std::vector{&x, &w, &bias}, attrs);
    ASSERT_TRUE(expected);
    const auto y = evaluate(OpKind::ShareConv, {residues(x), residues(w), residues(bias)}, attrs);
    EXPECT_EQ(std::vector<float>(y.begin(), y.end()), expected->data);
  }
  const auto x = small({1, 2, 5, 5});
  Attrs attrs = {{Attr::Kernel, Ints{2, 3}},
                 {Attr::Strides, Ints{2, 2}},
                 {Attr::Pads, Ints{1, 1, 0, 1}},
                 {Attr::Dilations, Ints{1, 1}},
                 {Attr::CeilMode, std::int64_t{1}}};
  const auto sums = evaluate(OpKind::ShareSumPool, {residues(x)}, attrs);
  attrs.set(Attr::CountIncludePad, std::int64_t{1});
  attrs.set(Attr::Shift, std::int64_t{0});
  EXPECT_EQ(std::vector<float>(sums.begin(), sums.end()), evaluateClear(OpKind::AvgPool, std::vector{&x}, attrs)->data);
}

TEST(ReferenceShare, Layout) {
  const auto x = ring({2, 3}, {1, 2, 3, 4, 5, 6});
  EXPECT_THAT(evaluate(OpKind::SharePad, {x}, {{Attr::Pads, Ints{0, 0, 0, 1}}, {Attr::IntFill, std::int64_t{-9}}}),
              ElementsAre(1, 2, 3, -9, 4, 5, 6, -9));
  EXPECT_THAT(evaluate(OpKind::ShareTranspose, {x}, {{Attr::Perm, Ints{1, 0}}}), ElementsAre(1, 4, 2, 5, 3, 6));
  EXPECT_THAT(evaluate(OpKind::ShareGather, {x}, {{Attr::Axis, std::int64_t{0}}, {Attr::Indices, Ints{1}}}),
              ElementsAre(4, 5, 6));
  EXPECT_THAT(evaluate(OpKind::ShareConcat, {x, x}, {{Attr::Axis, std::int64_t{0}}}).size(), 12U);
}

TEST(Quantize, RoundsHalfAwayFromZero) {
  auto q = quantize({{5}, {0.5F, -0.5F, 0.24F, -1.26F, 3}}, 1);
  ASSERT_TRUE(q);
  EXPECT_EQ(*q, ring({5}, {1, -1, 0, -3, 6}));
  EXPECT_EQ(*quantize(Tensor<float>({1}, 1 << 20), -4), ring({1}, {1 << 16}));
  EXPECT_EQ(dequantize(ring({2}, {-3, 5}), 1).data, (std::vector<float>{-1.5, 2.5}));
  EXPECT_EQ(dequantize(ring({1}, {-3}), -2).data, std::vector<float>{-12});
}

TEST(Quantize, RefusesWhatDoesNotFit) {
  for (float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                    -std::numeric_limits<float>::infinity(), 1048576.0F, -1048576.0F, 3e38F}) {
    auto q = quantize({{1, 2}, {0, bad}}, 10);
    ASSERT_FALSE(q);
    EXPECT_NE(q.error().message.find("element [0, 1]"), std::string::npos);
  }
  EXPECT_TRUE(quantize(Tensor<float>({1}, 1048575.9F), 10));
}

} // namespace
