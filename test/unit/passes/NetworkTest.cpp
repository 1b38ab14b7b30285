// Random networks through the whole pipeline: the fixed-point program follows the float model, the intervals hold every
// value that occurs, and the weights leave no trace in what is public.
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "compiler/Compile.h"
#include "compiler/Pipeline.h"
#include "compiler/codegen/Codegen.h"
#include "ir/Run.h"
#include "ir/Verifier.h"
#include "ir/bytecode/Writer.h"
#include "passes/Intervals.h"

namespace sd {
namespace {

using Ints = std::vector<std::int64_t>;

// Shapes follow one generator, weights another: the same network can be had with other weights.
class NetworkMaker {
public:
  NetworkMaker(unsigned shapes, unsigned weights) : shapes_(shapes), weights_(weights) {}

  Module make() {
    ValueId x = builder_.create(
        OpKind::Input, {}, {{Attr::Name, "x"}, {Attr::Dims, Shape{1, 3, 8, 8}}, {Attr::Low, -1.0}, {Attr::High, 2.0}});
    if (pick(2)) x = builder_.create(OpKind::Mul, {x, builder_.constant(Tensor<float>(Shape{}, {0.5f}))});
    x = conv(x, 3, 3); // a product or sum in its place would be a normalisation, and public
    const auto layers = 2 + pick(5);
    for (unsigned i = 0; i < layers; ++i)
      x = layer(x);
    const std::int64_t size = elementCount(builder_.type(x).shape);
    x = builder_.create(OpKind::Reshape, {x}, {{Attr::Dims, Shape{1, size}}});
    x = builder_.create(OpKind::MatMul, {x, constant({size, 4}, 1 / std::sqrt(static_cast<float>(size)))});
    x = builder_.create(OpKind::Add, {x, constant({4}, 1)});
    builder_.create(OpKind::Return, {x}, {{Attr::Names, std::vector<std::string>{"y"}}});
    return builder_.take();
  }

private:
  unsigned pick(unsigned count) { return static_cast<unsigned>(shapes_() % count); }

  ValueId constant(Shape shape, float size, float offset = 0) {
    Tensor<float> value(std::move(shape));
    for (auto &v : value.data)
      v = offset + size * (static_cast<float>(weights_() % 2001) / 1000 - 1);
    return builder_.constant(std::move(value));
  }

  ValueId conv(ValueId x, std::int64_t outputs, std::int64_t kernel) {
    const std::int64_t inputs = builder_.type(x).shape[1];
    const ValueId w =
        constant({outputs, inputs, kernel, kernel}, 1 / std::sqrt(static_cast<float>(inputs * kernel * kernel)));
    return convolved(x, w, constant({outputs}, 0.5f), kernel);
  }

  ValueId convolved(ValueId x, ValueId w, ValueId bias, std::int64_t kernel) {
    const std::int64_t pad = kernel / 2;
    return builder_.create(OpKind::Conv, {x, w, bias},
                           {{Attr::Strides, Ints{1, 1}},
                            {Attr::Pads, Ints{pad, pad, pad, pad}},
                            {Attr::Dilations, Ints{1, 1}},
                            {Attr::Group, std::int64_t{1}}});
  }

  // Two layers, between which each channel has a size of its own, up to 2^5 either way: equalise finds it.
  ValueId uneven(ValueId x) {
    const std::int64_t inputs = builder_.type(x).shape[1], between = 3;
    std::vector<float> sizes;
    for (std::int64_t i = 0; i < between; ++i)
      sizes.push_back(std::ldexp(1.0f, static_cast<int>(weights_() % 11) - 5));
    Tensor<float> first({between, inputs, 3, 3}), bias({between}), second({inputs, between, 1, 1});
    const auto noise = [&] { return static_cast<float>(weights_() % 2001) / 1000 - 1; };
    for (std::int64_t i = 0; i < first.size(); ++i)
      first.data[i] = noise() * sizes[i / (inputs * 9)] / std::sqrt(static_cast<float>(inputs * 9));
    for (std::int64_t i = 0; i < between; ++i)
      bias.data[i] = noise() * sizes[i] / 2;
    for (std::int64_t i = 0; i < second.size(); ++i)
      second.data[i] = noise() / sizes[i % between];
    x = convolved(x, builder_.constant(first), builder_.constant(bias), 3);
    x = builder_.create(OpKind::Relu, {x});
    if (pick(2)) x = pool(x, pick(2) ? OpKind::MaxPool : OpKind::AvgPool);
    return convolved(x, builder_.constant(second), constant({inputs}, 0.5f), 1);
  }

  ValueId pool(ValueId x, OpKind kind) {
    if (builder_.type(x).shape[2] < 3) return x;
    const std::int64_t kernel = 2 + pick(2);
    Attrs attrs{{Attr::Kernel, Ints{kernel, kernel}},
                {Attr::Strides, Ints{2, 2}},
                {Attr::Pads, Ints{1, 0, 0, 1}},
                {Attr::Dilations, Ints{1, 1}},
                {Attr::CeilMode, std::int64_t{pick(2)}}};
    if (kind == OpKind::AvgPool) attrs.set(Attr::CountIncludePad, std::int64_t{pick(2)});
    return builder_.create(kind, {x}, attrs);
  }

  ValueId layer(ValueId x) {
    const std::int64_t channels = builder_.type(x).shape[1];
    switch (pick(15)) {
    case 0:
      return builder_.create(OpKind::Relu, {conv(x, 2 + pick(4), 3)});
    case 1:
      return pool(builder_.create(OpKind::Relu, {x}), OpKind::MaxPool);
    case 2:
      return pool(x, OpKind::AvgPool);
    case 3: // a residual
      return builder_.create(OpKind::Relu, {builder_.create(OpKind::Add, {conv(x, channels, 3), x})});
    case 4: {
      const ValueId scale = constant({channels}, 0.5f, 1), shift = constant({channels}, 0.3f),
                    mean = constant({channels}, 0.3f), var = constant({channels}, 0.4f, 1);
      return builder_.create(OpKind::BatchNorm, {x, scale, shift, mean, var}, {{Attr::Epsilon, 1e-3}});
    }
    case 5:
      return builder_.create(OpKind::Concat, {conv(x, 2, 1), builder_.create(OpKind::Relu, {conv(x, 3, 3)})},
                             {{Attr::Axis, std::int64_t{1}}});
    case 6:
      return builder_.create(OpKind::Pad, {x},
                             {{Attr::Pads, Ints{0, 1, 0, 0, 0, 0, 1, 0}}, {Attr::Fill, pick(2) ? 0.5 : -0.25}});
    case 7:
      return builder_.create(OpKind::Transpose, {x}, {{Attr::Perm, Ints{0, 1, 3, 2}}});
    case 8:
      return builder_.create(OpKind::Gather, {x},
                             {{Attr::Axis, std::int64_t{1}}, {Attr::Indices, Ints{channels - 1, 0}}});
    case 11: { // attention of the rows to each other
      const Shape &shape = builder_.type(x).shape;
      const std::int64_t rows = shape[2], width = shape[3];
      const ValueId narrow = builder_.create(OpKind::Mul, {conv(x, channels, 1), constant({1, channels, 1, 1}, 0.1f)});
      const ValueId query = builder_.create(OpKind::Reshape, {narrow}, {{Attr::Dims, Shape{channels, rows, 1, width}}}),
                    key = builder_.create(OpKind::Reshape, {x}, {{Attr::Dims, Shape{channels, 1, rows, width}}});
      const ValueId scores = builder_.create(OpKind::VecDot, {query, key});
      const ValueId weights = builder_.create(OpKind::Softmax, {scores}, {{Attr::Axis, std::int64_t{1 + pick(2)}}});
      const ValueId values = builder_.create(
          OpKind::Transpose, {builder_.create(OpKind::Reshape, {x}, {{Attr::Dims, Shape{channels, rows, width}}})},
          {{Attr::Perm, Ints{0, 2, 1}}});
      const ValueId mixed = builder_.create(
          OpKind::VecDot,
          {builder_.create(OpKind::Reshape, {weights}, {{Attr::Dims, Shape{channels, rows, 1, rows}}}),
           builder_.create(OpKind::Reshape, {values}, {{Attr::Dims, Shape{channels, 1, width, rows}}})});
      return builder_.create(OpKind::Reshape, {mixed}, {{Attr::Dims, Shape{1, channels, rows, width}}});
    }
    case 12:
    case 13:
      return uneven(x);
    case 9: // a product of two values, of which one is small
      return builder_.create(
          OpKind::Mul, {conv(x, channels, 1), builder_.create(OpKind::Mul, {x, constant({1, channels, 1, 1}, 0.1f)})});
    case 10: { // between two values, or beyond them
      const ValueId y = conv(x, channels, 1),
                    z = builder_.create(OpKind::Mul, {y, constant({1, channels, 1, 1}, 0.3f)});
      const ValueId way = builder_.create(OpKind::Mul, {z, builder_.create(OpKind::Sub, {y, x})});
      return builder_.create(OpKind::Add, {x, way});
    }
    default:
      return builder_.create(OpKind::Sub, {builder_.create(OpKind::Mul, {x, constant({1, channels, 1, 1}, 1)}),
                                           constant({channels, 1, 1}, 0.5f)});
    }
  }

  std::mt19937 shapes_, weights_;
  Builder builder_{"random"};
};

Expected<Module> compiled(Module module, int ringBits) {
  module.ringBits = ringBits;
  PassContext context;
  context.options.scaleBits = 11;
  LowerOptions options{defaultPipeline(), {}};
  options.manager.verifyEach = true;
  return lower(std::move(module), options, context);
}

class RandomNetwork : public ::testing::TestWithParam<unsigned> {
protected:
  static constexpr unsigned kSeeds = 100; // in the ring of 32 bits; half as many beyond in that of 64
  static int ringBits() { return GetParam() < kSeeds ? kBitsOf<Ring32> : kBitsOf<Ring64>; }
};

TEST_P(RandomNetwork, FixedFollowsFloatWithinItsIntervals) {
  const Module model = NetworkMaker(GetParam(), GetParam() + 1000).make();
  ASSERT_TRUE(verify(model));
  auto module = compiled(model, ringBits());
  ASSERT_TRUE(module) << module.error().message;

  std::vector<double> proved(module->ops.size(), HUGE_VAL);
  walkIntervals(*module, Knowledge::Weights, [&](std::size_t i, double magnitude) { proved[i] = magnitude; });
  auto exact = Interpreter::create(viewOf(model)), fixed = Interpreter::create(viewOf(*module));
  ASSERT_TRUE(exact && fixed);
  std::mt19937 random(GetParam());
  for (int record = 0; record < 6; ++record) {
    Tensor<float> x({1, 3, 8, 8});
    for (auto &v : x.data) // the last ones at the ends of the range, where intervals are tight
      v = record < 4 ? static_cast<float>(random() % 3001) / 1000 - 1 : random() % 2 ? 2.0f : -1.0f;
    InterpreterOptions options;
    options.observe = true;
    auto a = exact->run({{"x", x}});
    auto b = fixed->run({{"x", x}}, options);
    ASSERT_TRUE(a && b);
    double largest = 1;
    for (float v : a->outputs[0].data)
      largest = std::max(largest, std::abs(static_cast<double>(v)));
    for (std::size_t i = 0; i < 4; ++i)
      EXPECT_NEAR(a->outputs[0].data[i], b->outputs[0].data[i], 0.02 * largest);
    for (auto &observation : b->observations)
      EXPECT_LE(observation.largest, proved[observation.op]) << info(module->ops[observation.op].kind).mnemonic;
  }
}

TEST_P(RandomNetwork, PublicProgramDoesNotDependOnWeights) {
  auto a = compiled(NetworkMaker(GetParam(), 1).make(), ringBits()),
       b = compiled(NetworkMaker(GetParam(), 2).make(), ringBits());
  ASSERT_TRUE(a && b);
  auto first = generate(*a), second = generate(*b);
  ASSERT_TRUE(first && second);
  auto bytes = writeProgram(first->program), others = writeProgram(second->program);
  ASSERT_TRUE(bytes && others);
  EXPECT_TRUE(*bytes == *others);
  EXPECT_FALSE(first->weights == second->weights); // of one program, so that the tensors alone can differ
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomNetwork, ::testing::Range(0u, 150u));

} // namespace
} // namespace sd
