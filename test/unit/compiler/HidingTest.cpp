// Whether the linear protocol would hide a program's weights: a service refuses to run them else.
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "compiler/Compile.h"
#include "compiler/HidingAdvice.h"
#include "compiler/Pipeline.h"
#include "ir/core/LinearHiding.h"
#include "passes/Rewrite.h"

namespace sd {
namespace {

struct Net {
  int ringBits = kBitsOf<Ring32>;
  double weights = 1; // times those with which values stay of about the same size
  OpKind function = OpKind::Relu;
};

// Two convolutions that give 10^6 values each, their mean, and a layer of classes.
Module images(const Net &net) {
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  Builder builder("images", net.ringBits);
  const auto layer = [&](OpKind kind, ValueId x, Shape shape, double inputs) {
    Tensor<float> w(std::move(shape));
    for (auto &v : w.data)
      v = normal(random) * static_cast<float>(net.weights / std::sqrt(inputs));
    Attrs attrs;
    if (kind == OpKind::Conv)
      attrs = {{Attr::Strides, Shape{1, 1}},
               {Attr::Pads, Shape{0, 0, 0, 0}},
               {Attr::Dilations, Shape{1, 1}},
               {Attr::Group, std::int64_t{1}}};
    return builder.create(kind, {x, builder.constant(std::move(w))}, std::move(attrs));
  };
  ValueId x = builder.create(
      OpKind::Input, {}, {{Attr::Name, "x"}, {Attr::Dims, Shape{1, 8, 128, 128}}, {Attr::Low, 0.0}, {Attr::High, 1.0}});
  x = builder.create(net.function, {layer(OpKind::Conv, x, {64, 8, 1, 1}, 8)});
  x = builder.create(net.function, {layer(OpKind::Conv, x, {64, 64, 1, 1}, 64)});
  Attrs window{{Attr::Kernel, Shape{128, 128}},   {Attr::Strides, Shape{1, 1}},
               {Attr::Pads, Shape{0, 0, 0, 0}},   {Attr::Dilations, Shape{1, 1}},
               {Attr::CeilMode, std::int64_t{0}}, {Attr::CountIncludePad, std::int64_t{0}}};
  x = builder.create(OpKind::AvgPool, {x}, std::move(window));
  x = builder.create(OpKind::Reshape, {x}, {{Attr::Dims, Shape{1, 64}}});
  x = layer(OpKind::MatMul, x, {64, 100}, 64);
  builder.create(OpKind::Return, {x}, {{Attr::Names, std::vector<std::string>{"y"}}});
  return builder.take();
}

double hiddenBy(const Module &model, PassOptions options = {}) {
  PassContext context;
  context.options = std::move(options);
  const auto lowered = lower(model, {defaultPipeline(), {}}, context);
  EXPECT_TRUE(lowered) << lowered.error().message;
  return lowered ? hidingOf(*lowered).bits : 0;
}

// Factors between its channels are the compiler's to choose: such that the weights are hidden, as long as the values
// fit.
TEST(Hiding, WeightsOfLargeNetworksAreHiddenByDefault) {
  for (const double weights : {0.01, 1.0, 10.0}) {
    EXPECT_GE(hiddenBy(images({.weights = weights})), kHidingBits) << weights;
    EXPECT_GE(hiddenBy(images({.ringBits = kBitsOf<Ring64>, .weights = weights})), kHidingBits) << weights;
  }
}

// Behind a function that no factor passes, values are as they are; by the number of outputs weights are coarser.
TEST(Hiding, WithoutFactorsToo) { EXPECT_GE(hiddenBy(images({.function = OpKind::Sigmoid})), kHidingBits); }

TEST(Hiding, ASettingThatWasTriedIsNamed) {
  const Module model = images({});
  PassContext context;
  context.options.weightScaleBits = 20;
  const auto lowered = lower(model, {defaultPipeline(), {}}, context);
  ASSERT_TRUE(lowered) << lowered.error().message;
  EXPECT_LT(hidingOf(*lowered).bits, kHidingBits);
  const std::string advice = adviseOnHiding({model, context, {}}, *lowered);
  const std::string flag = "tried: with --weight-scale ";
  const std::size_t at = advice.find(flag);
  ASSERT_NE(at, std::string::npos) << advice;
  PassOptions coarser;
  coarser.weightScaleBits = static_cast<int>(std::log2(std::stod(advice.substr(at + flag.size()))));
  EXPECT_GE(hiddenBy(model, coarser), kHidingBits);
}

} // namespace
} // namespace sd
