#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

#include "ir/core/Reference.h"
#include "ir/core/Windows.h"

using namespace sd;
using testing::ElementsAre;

namespace {

using Ints = std::vector<std::int64_t>;

Tensor<float> evaluate(OpKind kind, const std::vector<Tensor<float>> &operands, const Attrs &attrs = {}) {
  std::vector<const Tensor<float> *> pointers;
  for (auto &each : operands)
    pointers.push_back(&each);
  auto result = evaluateClear(kind, pointers, attrs);
  EXPECT_TRUE(result) << (result ? "" : result.error().message);
  return result ? *result : Tensor<float>();
}

Tensor<float> randomTensor(Shape shape, std::mt19937 &random) {
  Tensor<float> tensor(std::move(shape));
  for (auto &v : tensor.data)
    v = static_cast<float>(static_cast<int>(random() % 201) - 100) / 8;
  return tensor;
}

Attrs window(Ints strides, Ints pads, Ints dilations) {
  return {{Attr::Strides, strides}, {Attr::Pads, pads}, {Attr::Dilations, dilations}};
}

Attrs pool(Ints kernel, Ints strides, Ints pads, std::int64_t ceilMode = 0) {
  Attrs attrs = window(strides, pads, Ints(kernel.size(), 1));
  attrs.set(Attr::Kernel, kernel);
  attrs.set(Attr::CeilMode, ceilMode);
  return attrs;
}

// Element by element, straight from the ONNX text, in 2-D.
float convAt(const Tensor<float> &x, const Tensor<float> &w, const Attrs &attrs, const Ints &at) {
  const std::int64_t group = attrs.i(Attr::Group), perGroup = w.shape[0] / group;
  double sum = 0;
  for (std::int64_t c = 0; c < w.shape[1]; ++c)
    for (std::int64_t i = 0; i < w.shape[2]; ++i)
      for (std::int64_t j = 0; j < w.shape[3]; ++j) {
        const std::int64_t channel = at[1] / perGroup * w.shape[1] + c;
        const std::int64_t row =
            at[2] * attrs.ints(Attr::Strides)[0] + i * attrs.ints(Attr::Dilations)[0] - attrs.ints(Attr::Pads)[0];
        const std::int64_t column =
            at[3] * attrs.ints(Attr::Strides)[1] + j * attrs.ints(Attr::Dilations)[1] - attrs.ints(Attr::Pads)[1];
        if (row < 0 || row >= x.shape[2] || column < 0 || column >= x.shape[3]) continue;
        sum += double{w.data[((at[1] * w.shape[1] + c) * w.shape[2] + i) * w.shape[3] + j]} *
               x.data[((at[0] * x.shape[1] + channel) * x.shape[2] + row) * x.shape[3] + column];
      }
  return static_cast<float>(sum);
}

TEST(ReferenceClear, ConvAgainstTheDefinition) {
  std::mt19937 random(1);
  auto below = [&](int n) { return static_cast<std::int64_t>(random() % n); };
  int checked = 0;
  for (int i = 0; i < 300; ++i) {
    const std::int64_t group = 1 + below(3);
    auto x = randomTensor({1 + below(2), group * (1 + below(2)), 1 + below(9), 1 + below(9)}, random);
    auto w = randomTensor({group * (1 + below(3)), x.shape[1] / group, 1 + below(3), 1 + below(4)}, random);
    Attrs attrs =
        window({1 + below(3), 1 + below(3)}, {below(3), below(3), below(3), below(3)}, {1 + below(3), 1 + below(3)});
    attrs.set(Attr::Group, group);
    std::vector<const Tensor<float> *> operands = {&x, &w};
    auto result = evaluateClear(OpKind::Conv, operands, attrs);
    if (!result) continue; // the window does not fit
    ++checked;
    std::size_t index = 0;
    for (std::int64_t n = 0; n < result->shape[0]; ++n)
      for (std::int64_t m = 0; m < result->shape[1]; ++m)
        for (std::int64_t r = 0; r < result->shape[2]; ++r)
          for (std::int64_t c = 0; c < result->shape[3]; ++c)
            ASSERT_EQ(result->data[index++], convAt(x, w, attrs, {n, m, r, c}));
  }
  EXPECT_GT(checked, 150);
}

TEST(ReferenceClear, ConvOneDimensionWithBias) {
  Attrs attrs = window({1}, {1, 0}, {1});
  attrs.set(Attr::Group, std::int64_t{1});
  auto y = evaluate(OpKind::Conv, {{{1, 1, 3}, {1, 2, 3}}, {{2, 1, 2}, {1, 10, 0, 1}}, {{2}, {0, 0.5}}}, attrs);
  EXPECT_EQ(y.shape, (Shape{1, 2, 3}));
  EXPECT_THAT(y.data, ElementsAre(10, 21, 32, 1.5, 2.5, 3.5));
}

TEST(ReferenceClear, MatMul) {
  auto y = evaluate(OpKind::MatMul, {{{2, 2}, {1, 2, 3, 4}}, {{2, 3}, {1, 0, 2, 0, 1, 3}}, {{3}, {1, 1, 1}}});
  EXPECT_THAT(y.data, ElementsAre(2, 3, 9, 4, 5, 19));
  EXPECT_EQ(evaluate(OpKind::MatMul, {{{2}, {1, 2}}, {{2, 3}, {1, 0, 2, 0, 1, 3}}}).shape, (Shape{3}));
}

TEST(ReferenceClear, ElementwiseBroadcasts) {
  const Tensor<float> a({2, 2}, {1, 2, 3, 4}), b({2}, {10, 20}), column({2, 1}, {1, 2});
  EXPECT_THAT(evaluate(OpKind::Add, {a, b}).data, ElementsAre(11, 22, 13, 24));
  EXPECT_THAT(evaluate(OpKind::Sub, {b, a}).data, ElementsAre(9, 18, 7, 16));
  EXPECT_THAT(evaluate(OpKind::Mul, {a, column}).data, ElementsAre(1, 2, 6, 8));
  EXPECT_THAT(evaluate(OpKind::Div, {a, column}).data, ElementsAre(1, 2, 1.5, 2));
  EXPECT_THAT(evaluate(OpKind::Div, {Tensor<float>({}, 1), Tensor<float>({}, 0)}).data,
              ElementsAre(std::numeric_limits<float>::infinity()));
  EXPECT_THAT(evaluate(OpKind::Relu, {{{3}, {-1, 0, 2}}}).data, ElementsAre(0, 0, 2));
  EXPECT_TRUE(std::isnan(evaluate(OpKind::Relu, {Tensor<float>({1}, NAN)}).data[0]));
}

TEST(ReferenceClear, BatchNorm) {
  auto y = evaluate(OpKind::BatchNorm,
                    {{{1, 2, 2}, {1, 2, 3, 4}}, {{2}, {2, 1}}, {{2}, {0, 1}}, {{2}, {1, 3}}, {{2}, {3, 0}}},
                    {{Attr::Epsilon, 1.0}});
  EXPECT_THAT(y.data, ElementsAre(0, 1, 1, 2));
}

TEST(ReferenceClear, MaxPoolPaddingNeverWins) {
  auto y = evaluate(OpKind::MaxPool, {{{1, 1, 3}, {-5, -2, -7}}}, pool({2}, {2}, {1, 0}));
  EXPECT_THAT(y.data, ElementsAre(-5, -2));
}

TEST(ReferenceClear, MaxPoolCeilMode) {
  Tensor<float> x({1, 1, 3, 3}, {1, 2, 3, 4, 5, 6, 7, 8, 9});
  EXPECT_THAT(evaluate(OpKind::MaxPool, {x}, pool({2, 2}, {2, 2}, {0, 0, 0, 0})).data, ElementsAre(5));
  EXPECT_THAT(evaluate(OpKind::MaxPool, {x}, pool({2, 2}, {2, 2}, {0, 0, 0, 0}, 1)).data, ElementsAre(5, 6, 8, 9));
}

TEST(ReferenceClear, AvgPoolDivisors) {
  const Tensor<float> x({1, 1, 3}, {2, 4, 6});
  Attrs attrs = pool({2}, {2}, {1, 0});
  attrs.set(Attr::CountIncludePad, std::int64_t{0});
  EXPECT_THAT(evaluate(OpKind::AvgPool, {x}, attrs).data, ElementsAre(2, 5));
  attrs.set(Attr::CountIncludePad, std::int64_t{1});
  EXPECT_THAT(evaluate(OpKind::AvgPool, {x}, attrs).data, ElementsAre(1, 5));
  attrs.set(Attr::Shift, std::int64_t{2}); // the sum over 4
  EXPECT_THAT(evaluate(OpKind::AvgPool, {x}, attrs).data, ElementsAre(0.5, 2.5));
  Attrs ceil = pool({2}, {2}, {0, 0}, 1); // the last window runs over the end, where nothing counts
  ceil.set(Attr::CountIncludePad, std::int64_t{1});
  EXPECT_THAT(evaluate(OpKind::AvgPool, {x}, ceil).data, ElementsAre(3, 6));
}

TEST(ReferenceClear, Layout) {
  const Tensor<float> x({2, 3}, {1, 2, 3, 4, 5, 6});
  EXPECT_THAT(evaluate(OpKind::Transpose, {x}, {{Attr::Perm, Ints{1, 0}}}).data, ElementsAre(1, 4, 2, 5, 3, 6));
  EXPECT_EQ(evaluate(OpKind::Reshape, {x}, {{Attr::Dims, Ints{3, 2}}}), Tensor<float>({3, 2}, {1, 2, 3, 4, 5, 6}));
  EXPECT_THAT(evaluate(OpKind::Concat, {x, x}, {{Attr::Axis, std::int64_t{1}}}).data,
              ElementsAre(1, 2, 3, 1, 2, 3, 4, 5, 6, 4, 5, 6));
  EXPECT_THAT(evaluate(OpKind::Gather, {x}, {{Attr::Axis, std::int64_t{1}}, {Attr::Indices, Ints{2, 0, 2}}}).data,
              ElementsAre(3, 1, 3, 6, 4, 6));
  EXPECT_THAT(evaluate(OpKind::Pad, {x}, {{Attr::Pads, Ints{0, 1, 1, 0}}, {Attr::Fill, -1.0}}).data,
              ElementsAre(-1, 1, 2, 3, -1, 4, 5, 6, -1, -1, -1, -1));
  Tensor<float> cube({2, 2, 2}, {0, 1, 2, 3, 4, 5, 6, 7});
  EXPECT_THAT(evaluate(OpKind::Transpose, {cube}, {{Attr::Perm, Ints{2, 0, 1}}}).data,
              ElementsAre(0, 2, 4, 6, 1, 3, 5, 7));
}

TEST(ReferenceClear, Endings) {
  const Tensor<float> x({2, 2}, {1000, 1000, 0, std::log(3.0F)});
  const Attrs axis = {{Attr::Axis, std::int64_t{1}}};
  EXPECT_THAT(evaluate(OpKind::Softmax, {x}, axis).data, ElementsAre(0.5, 0.5, 0.25, 0.75));
  EXPECT_FLOAT_EQ(evaluate(OpKind::LogSoftmax, {x}, axis).data[3], std::log(0.75F));
  EXPECT_FLOAT_EQ(evaluate(OpKind::Sigmoid, {x}).data[3], 0.75F);
  for (std::int64_t keep : {0, 1})
    for (std::int64_t last : {0, 1}) {
      auto y = evaluate(OpKind::ArgMax, {x},
                        {{Attr::Axis, std::int64_t{1}}, {Attr::KeepDims, keep}, {Attr::SelectLast, last}});
      EXPECT_EQ(y.shape, keep ? (Shape{2, 1}) : Shape{2});
      EXPECT_EQ(y.data[0], static_cast<float>(last));
      EXPECT_EQ(y.data[1], 1);
    }
}

TEST(ReferenceClear, TheLargestAlongAnAxisFallAndTheLowerOfEqualsComesFirst) {
  const Tensor<float> x({2, 4}, {1, 3, 3, -2, 0, 0, 0, 5});
  const Attrs rows = {{Attr::Axis, std::int64_t{1}}, {Attr::Count, std::int64_t{3}}};
  EXPECT_THAT(evaluate(OpKind::TopK, {x}, rows).data, ElementsAre(3, 3, 1, 5, 0, 0));
  EXPECT_THAT(evaluate(OpKind::ArgTopK, {x}, rows).data, ElementsAre(1, 2, 0, 3, 0, 1));
  const Attrs columns = {{Attr::Axis, std::int64_t{0}}, {Attr::Count, std::int64_t{1}}};
  EXPECT_EQ(evaluate(OpKind::TopK, {x}, columns).shape, (Shape{1, 4}));
  EXPECT_THAT(evaluate(OpKind::TopK, {x}, columns).data, ElementsAre(1, 3, 3, 5));
  EXPECT_THAT(evaluate(OpKind::ArgTopK, {x}, columns).data, ElementsAre(0, 0, 0, 1));
}

TEST(ReferenceClear, BrokenRulesAreErrors) {
  const Tensor<float> x({2}, {1, 2}), y({3}, {1, 2, 3});
  std::vector<const Tensor<float> *> operands = {&x, &y};
  EXPECT_FALSE(evaluateClear(OpKind::Add, operands, {}));
  EXPECT_FALSE(evaluateClear(OpKind::ShareAdd, operands, {}));
  EXPECT_FALSE(evaluateClear(OpKind::Return, operands, {{Attr::Names, std::vector<std::string>{"a", "b"}}}));
}

} // namespace
