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

// What holds in either ring.
template <class R>
class ReferenceShare : public testing::Test {
protected:
  static constexpr std::int64_t kBound = kBoundBitsOf<R>;

  static Tensor<R> ring(Shape shape, const std::vector<std::int64_t> &values) {
    return toRing<R>(Tensor<std::int64_t>(std::move(shape), values));
  }

  static std::vector<std::int64_t> evaluate(OpKind kind, const std::vector<Tensor<R>> &operands,
                                            const Attrs &attrs = {}) {
    std::vector<const Tensor<R> *> pointers;
    for (auto &each : operands)
      pointers.push_back(&each);
    auto result = evaluateShare<R>(kind, pointers, attrs);
    EXPECT_TRUE(result) << (result ? "" : result.error().message);
    std::vector<std::int64_t> values;
    if (result)
      for (R v : result->data)
        values.push_back(static_cast<SignedOf<R>>(v));
    return values;
  }

  static Attrs truncation(std::int64_t bits) { return {{Attr::Bits, bits}, {Attr::Bound, kBound}}; }
};
template <class R>
class Quantize : public ReferenceShare<R> {};

using Rings = testing::Types<Ring32, Ring64>;
TYPED_TEST_SUITE(ReferenceShare, Rings);
TYPED_TEST_SUITE(Quantize, Rings);

TYPED_TEST(ReferenceShare, TruncateRoundsHalfUp) {
  EXPECT_THAT(
      this->evaluate(OpKind::ShareTruncate, {this->ring({8}, {0, 1, 2, 5, 6, -1, -2, -6})}, this->truncation(2)),
      ElementsAre(0, 0, 1, 1, 2, 0, 0, -1));
  EXPECT_THAT(this->evaluate(OpKind::ShareTruncate, {this->ring({2}, {7, -7})}, this->truncation(0)),
              ElementsAre(7, -7));
  const std::int64_t most = (std::int64_t{1} << this->kBound) - (1 << 24);
  EXPECT_THAT(this->evaluate(OpKind::ShareTruncate, {this->ring({2}, {most, -most})}, this->truncation(24)),
              ElementsAre((1L << (this->kBound - 24)) - 1, 1 - (1L << (this->kBound - 24))));
}

TYPED_TEST(ReferenceShare, ReluTruncatesThePositivePart) {
  EXPECT_THAT(this->evaluate(OpKind::ShareRelu, {this->ring({6}, {0, 1, 2, 7, -1, -100})}, this->truncation(2)),
              ElementsAre(0, 0, 1, 2, 0, 0));
  EXPECT_THAT(this->evaluate(OpKind::ShareRelu, {this->ring({3}, {5, -5, 0})}, this->truncation(0)),
              ElementsAre(5, 0, 0));
}

// floor((y + 2^(t - 1)) / 2^t), also where y + 2^(t - 1) is no residue.
TYPED_TEST(ReferenceShare, TruncateTakesAllResidues) {
  using Centred = SignedOf<TypeParam>;
  constexpr Centred kMost = std::numeric_limits<Centred>::max(), kLeast = std::numeric_limits<Centred>::min();
  constexpr int kTop = kBitsOf<TypeParam> - 1;
  for (int t = 1; t < kTop; ++t) {
    EXPECT_EQ(truncate(kMost, t), Centred{1} << (kTop - t)) << t;
    EXPECT_EQ(truncate(kLeast, t), -(Centred{1} << (kTop - t))) << t;
    EXPECT_EQ(truncate(static_cast<Centred>(Centred{1} << (t - 1)), t), 1) << t;
    EXPECT_EQ(truncate(static_cast<Centred>((Centred{1} << (t - 1)) - 1), t), 0) << t;
    EXPECT_EQ(truncate(static_cast<Centred>(-(Centred{1} << (t - 1))), t), 0) << t;
    EXPECT_EQ(truncate(static_cast<Centred>(-(Centred{1} << (t - 1)) - 1), t), -1) << t;
  }
}

TYPED_TEST(ReferenceShare, Maximum) {
  EXPECT_THAT(this->evaluate(OpKind::ShareMax, {this->ring({4}, {1, -1, 5, -9}), this->ring({4}, {2, -2, 5, 7})},
                             {{Attr::Bound, std::int64_t{20}}}),
              ElementsAre(2, -1, 5, 7));
}

TYPED_TEST(ReferenceShare, LinearOpsWrap) {
  const std::int64_t big = (std::int64_t{1} << (this->kBound + 1)) + 1, half = this->kBound / 2;
  EXPECT_THAT(this->evaluate(OpKind::ShareAdd, {this->ring({1}, {big}), this->ring({1}, {big})}), ElementsAre(2));
  EXPECT_THAT(this->evaluate(OpKind::ShareSub, {this->ring({1}, {1}), this->ring({1}, {3})}), ElementsAre(-2));
  EXPECT_THAT(this->evaluate(OpKind::ShareMul,
                             {this->ring({1}, {1L << (half + 1)}), this->ring({1}, {(1L << (half + 1)) + 3})}),
              ElementsAre(3L << (half + 1)));
  EXPECT_THAT(this->evaluate(OpKind::ShareDot, {this->ring({2, 1, 2}, {1, 2, 3, 1L << half}),
                                                this->ring({2, 2, 2}, {5, 6, 7, 8, 1, 0, 0, (1L << (half + 2)) + 1})}),
              ElementsAre(17, 23, 3, 1L << half));
  EXPECT_THAT(this->evaluate(OpKind::ShareMulC, {this->ring({2}, {5, -5})}, {{Attr::Factor, std::int64_t{-3}}}),
              ElementsAre(-15, 15));
  EXPECT_THAT(this->evaluate(OpKind::ShareAddC, {this->ring({2}, {5, -5})}, {{Attr::Addend, std::int64_t{-7}}}),
              ElementsAre(-2, -12));
  EXPECT_THAT(this->evaluate(OpKind::ShareRescale, {this->ring({2}, {5, -5})}, {{Attr::Shift, std::int64_t{3}}}),
              ElementsAre(5, -5));
  EXPECT_THAT(this->evaluate(OpKind::ShareMatMul, {this->ring({1, 2}, {-1, 2}), this->ring({2, 2}, {3, 4, 5, 6}),
                                                   this->ring({2}, {100, 0})}),
              ElementsAre(107, 8));
  EXPECT_THAT(this->evaluate(OpKind::ShareScale,
                             {this->ring({2, 2}, {1, 2, 3, 4}), this->ring({2}, {10, -1}), this->ring({2, 1}, {7, 8})}),
              ElementsAre(17, 5, 38, 4));
  EXPECT_THAT(this->evaluate(OpKind::ShareAddW, {this->ring({2, 2}, {1, 2, 3, 4}), this->ring({2, 1}, {10, 20})}),
              ElementsAre(11, 12, 23, 24));
}

TYPED_TEST(ReferenceShare, ConvAndPoolMatchTheFloats) {
  std::mt19937 random(5);
  auto small = [&](Shape shape) {
    Tensor<float> tensor(std::move(shape));
    for (auto &v : tensor.data)
      v = static_cast<float>(static_cast<int>(random() % 33) - 16);
    return tensor;
  };
  auto residues = [this](const Tensor<float> &t) { return this->ring(t.shape, {t.data.begin(), t.data.end()}); };
  for (std::int64_t group : {1, 2}) {
    const auto x = small({2, 4, 7, 6}), w = small({6, 4 / group, 3, 2}), bias = small({6});
    Attrs attrs = {{Attr::Strides, Ints{2, 1}},
                   {Attr::Pads, Ints{1, 0, 2, 1}},
                   {Attr::Dilations, Ints{1, 2}},
                   {Attr::Group, group}};
    auto expected = evaluateClear(OpKind::Conv, std::vector{&x, &w, &bias}, attrs);
    ASSERT_TRUE(expected);
    const auto y = this->evaluate(OpKind::ShareConv, {residues(x), residues(w), residues(bias)}, attrs);
    EXPECT_EQ(std::vector<float>(y.begin(), y.end()), expected->data);
  }
  const auto x = small({1, 2, 5, 5});
  Attrs attrs = {{Attr::Kernel, Ints{2, 3}},
                 {Attr::Strides, Ints{2, 2}},
                 {Attr::Pads, Ints{1, 1, 0, 1}},
                 {Attr::Dilations, Ints{1, 1}},
                 {Attr::CeilMode, std::int64_t{1}}};
  const auto sums = this->evaluate(OpKind::ShareSumPool, {residues(x)}, attrs);
  attrs.set(Attr::CountIncludePad, std::int64_t{1});
  attrs.set(Attr::Shift, std::int64_t{0});
  EXPECT_EQ(std::vector<float>(sums.begin(), sums.end()), evaluateClear(OpKind::AvgPool, std::vector{&x}, attrs)->data);
}

TYPED_TEST(ReferenceShare, Layout) {
  const auto x = this->ring({2, 3}, {1, 2, 3, 4, 5, 6});
  EXPECT_THAT(
      this->evaluate(OpKind::SharePad, {x}, {{Attr::Pads, Ints{0, 0, 0, 1}}, {Attr::IntFill, std::int64_t{-9}}}),
      ElementsAre(1, 2, 3, -9, 4, 5, 6, -9));
  EXPECT_THAT(this->evaluate(OpKind::ShareTranspose, {x}, {{Attr::Perm, Ints{1, 0}}}), ElementsAre(1, 4, 2, 5, 3, 6));
  EXPECT_THAT(this->evaluate(OpKind::ShareGather, {x}, {{Attr::Axis, std::int64_t{0}}, {Attr::Indices, Ints{1}}}),
              ElementsAre(4, 5, 6));
  EXPECT_THAT(this->evaluate(OpKind::ShareConcat, {x, x}, {{Attr::Axis, std::int64_t{0}}}).size(), 12U);
}

TYPED_TEST(Quantize, RoundsHalfAwayFromZero) {
  auto q = quantize<TypeParam>({{5}, {0.5F, -0.5F, 0.24F, -1.26F, 3}}, 1);
  ASSERT_TRUE(q);
  EXPECT_EQ(*q, this->ring({5}, {1, -1, 0, -3, 6}));
  EXPECT_EQ(*quantize<TypeParam>(Tensor<float>({1}, 1 << 20), -4), this->ring({1}, {1 << 16}));
  EXPECT_EQ(dequantize<TypeParam>(this->ring({2}, {-3, 5}), 1).data, (std::vector<float>{-1.5, 2.5}));
  EXPECT_EQ(dequantize<TypeParam>(this->ring({1}, {-3}), -2).data, std::vector<float>{-12});
}

TYPED_TEST(Quantize, RefusesWhatDoesNotFit) {
  for (float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                    -std::numeric_limits<float>::infinity(), std::ldexp(1.0F, this->kBound - 10),
                    -std::ldexp(1.0F, this->kBound - 10), 3e38F}) {
    auto q = quantize<TypeParam>({{1, 2}, {0, bad}}, 10);
    ASSERT_FALSE(q);
    EXPECT_NE(q.error().message.find("element [0, 1]"), std::string::npos);
  }
  EXPECT_TRUE(quantize<TypeParam>(Tensor<float>({1}, std::nextafter(std::ldexp(1.0F, this->kBound - 10), 0.0F)), 10));
  EXPECT_TRUE(quantize<TypeParam>(Tensor<float>({1}, 255), 0, 8));
  EXPECT_FALSE(quantize<TypeParam>(Tensor<float>({1}, 256), 0, 8));
}

} // namespace
