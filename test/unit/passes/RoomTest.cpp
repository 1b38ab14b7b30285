// The room of products: a smaller scale is a way out of ranges that are not proved, so it must never leave less.
#include <gtest/gtest.h>

#include "compiler/Compile.h"
#include "compiler/Pipeline.h"
#include "passes/PiecewiseLinear.h"

namespace sd {
namespace {

using Ints = std::vector<std::int64_t>;

enum class Before { Nothing, Relu, LeakyRelu, Factors, Residual };

struct Network {
  Before before;
  std::int64_t kernel; // of the average
  bool reluAfter;
};

Tensor<float> filled(Shape shape, float value) {
  Tensor<float> tensor(std::move(shape));
  std::ranges::fill(tensor.data, value);
  return tensor;
}

// Linear, something, an average, linear: products of `size` at both ends.
Module make(const Network &network, float size) {
  Builder builder("average");
  const auto conv = [&](ValueId x, float weight) {
    return builder.create(OpKind::Conv, {x, builder.constant(filled({1, 1, 1, 1}, weight))},
                          {{Attr::Strides, Ints{1, 1}},
                           {Attr::Pads, Ints{0, 0, 0, 0}},
                           {Attr::Dilations, Ints{1, 1}},
                           {Attr::Group, std::int64_t{1}}});
  };
  const std::int64_t k = network.kernel;
  const ValueId input = builder.create(
      OpKind::Input, {}, {{Attr::Name, "x"}, {Attr::Dims, Shape{1, 1, k, k}}, {Attr::Low, -1.0}, {Attr::High, 1.0}});
  ValueId x = conv(input, size);
  switch (network.before) {
  case Before::Nothing:
    break;
  case Before::Relu:
    x = builder.create(OpKind::Relu, {x});
    break;
  case Before::LeakyRelu:
    x = builder.create(OpKind::Piecewise, {x}, PiecewiseLinear{{0}, {0.125, 1}, 0}.attrs());
    break;
  case Before::Factors:
    x = builder.create(OpKind::Mul, {builder.create(OpKind::Relu, {x}), conv(input, 0.5f)});
    break;
  case Before::Residual:
    x = builder.create(OpKind::Relu, {builder.create(OpKind::Add, {x, input})});
    break;
  }
  x = builder.create(OpKind::AvgPool, {x},
                     {{Attr::Kernel, Ints{k, k}},
                      {Attr::Strides, Ints{1, 1}},
                      {Attr::Pads, Ints{0, 0, 0, 0}},
                      {Attr::Dilations, Ints{1, 1}},
                      {Attr::CeilMode, std::int64_t{0}},
                      {Attr::CountIncludePad, std::int64_t{0}}});
  if (network.reluAfter) x = builder.create(OpKind::Relu, {x});
  x = builder.create(OpKind::Relu, {conv(x, 1)});
  x = conv(x, 1);
  builder.create(OpKind::Return, {x}, {{Attr::Names, std::vector<std::string>{"y"}}});
  return builder.take();
}

struct Arithmetic {
  int ringBits;
  std::optional<int> boundBits;
};

bool isProved(const Network &network, float size, int scaleBits, const Arithmetic &arithmetic) {
  PassContext context;
  context.options.scaleBits = scaleBits;
  context.options.boundBits = arithmetic.boundBits;
  Module module = make(network, size);
  module.ringBits = arithmetic.ringBits;
  LowerOptions options{defaultPipeline(), {}};
  options.manager.stopAfter = "analyse-ranges";
  const auto lowered = lower(std::move(module), options, context);
  return lowered && std::ranges::all_of(context.ranges,
                                        [](const RangeFact &fact) { return fact.basis == RangeFact::Basis::Proved; });
}

class Room : public ::testing::TestWithParam<Before> {};

TEST_P(Room, SmallerScaleProvesAllThatALargerOneDoes) {
  int proved = 0, refused = 0;
  for (const Arithmetic &arithmetic : {Arithmetic{32, {}}, Arithmetic{32, 25}, Arithmetic{64, {}}})
    for (const std::int64_t kernel : {1, 2, 3, 5, 7, 8, 14, 28})
      for (const bool reluAfter : {false, true})
        for (float size = 1; size <= 0x1p14f; size *= 2) {
          bool known = false;
          for (int scaleBits = 13; scaleBits >= 6; --scaleBits) {
            const bool now = isProved({GetParam(), kernel, reluAfter}, 0.95f * size, scaleBits, arithmetic);
            EXPECT_TRUE(now || !known) << "ring " << arithmetic.ringBits << ", kernel " << kernel << ", relu "
                                       << reluAfter << ", size " << size << ", scale 2^" << scaleBits;
            known = now;
            ++(now ? proved : refused);
          }
        }
  EXPECT_GT(proved, 100);
  EXPECT_GT(refused, 100);
}

INSTANTIATE_TEST_SUITE_P(Average, Room,
                         ::testing::Values(Before::Nothing, Before::Relu, Before::LeakyRelu, Before::Factors,
                                           Before::Residual));

} // namespace
} // namespace sd
