#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "ir/Run.h"

using namespace sd;

namespace {

using Ints = std::vector<std::int64_t>;
using Names = std::vector<std::string>;

Attrs relu(std::int64_t bits) { return {{Attr::Bits, bits}, {Attr::Bound, std::int64_t{30}}}; }

Tensor<std::int64_t> randomWeights(Shape shape, int size, std::mt19937 &random) {
  Tensor<std::int64_t> tensor(std::move(shape));
  for (auto &v : tensor.data)
    v = static_cast<int>(random() % (2 * size + 1)) - size;
  return tensor;
}

// x [1,3,8,8] -> conv, relu -> conv, relu -> global sum -> matmul -> output.
Module network(std::uint32_t seed, int ringBits = kBitsOf<Ring32>) {
  std::mt19937 random(seed);
  Builder b("net", ringBits);
  auto x = b.create(OpKind::Input, {},
                    {{Attr::Name, "x"}, {Attr::Dims, Ints{1, 3, 8, 8}}, {Attr::Low, -1.0}, {Attr::High, 1.0}});
  const Type type = Type::share({1, 3, 8, 8}, 10);
  auto v = *b.add({OpKind::ShareInput, {x}, kNoValue, {}, ""}, &type);
  const Attrs conv = {{Attr::Strides, Ints{1, 1}},
                      {Attr::Pads, Ints{1, 1, 1, 1}},
                      {Attr::Dilations, Ints{1, 1}},
                      {Attr::Group, std::int64_t{1}}};
  std::int64_t channels = 3;
  for (std::int64_t filters : {8, 6}) {
    v = b.create(OpKind::ShareConv, {v, b.weights(randomWeights({filters, channels, 3, 3}, 300, random), 10)}, conv);
    v = b.create(OpKind::ShareRelu, {v}, relu(10));
    channels = filters;
  }
  v = b.create(OpKind::ShareSumPool, {v},
               {{Attr::Kernel, Ints{8, 8}},
                {Attr::Strides, Ints{1, 1}},
                {Attr::Pads, Ints{0, 0, 0, 0}},
                {Attr::Dilations, Ints{1, 1}},
                {Attr::CeilMode, std::int64_t{0}}});
  v = b.create(OpKind::ShareRescale, {v}, {{Attr::Shift, std::int64_t{6}}});
  v = b.create(OpKind::ShareReshape, {v}, {{Attr::Dims, Ints{1, 6}}});
  v = b.create(OpKind::ShareMatMul, {v, b.weights(randomWeights({6, 4}, 900, random), 10)}, {}, "Gemm_9");
  v = b.create(OpKind::ShareOutput, {v});
  auto p = b.create(OpKind::Softmax, {v}, {{Attr::Axis, std::int64_t{1}}});
  b.create(OpKind::Return, {v, p}, {{Attr::Names, Names{"logits", "p"}}});
  return b.take();
}

Tensor<float> record(std::uint32_t seed) {
  std::mt19937 random(seed);
  Tensor<float> x({1, 3, 8, 8});
  for (auto &v : x.data)
    v = static_cast<float>(random() % 2001) / 1000 - 1;
  return x;
}

TEST(Interpreter, RunsAModule) {
  Builder b("m");
  auto x = b.create(OpKind::Input, {}, {{Attr::Name, "x"}, {Attr::Dims, Ints{1, 2}}});
  auto y = b.create(OpKind::Relu, {b.create(OpKind::Add, {x, b.constant({{2}, {1, -1}})})});
  b.create(OpKind::Return, {y, x}, {{Attr::Names, Names{"y", "same"}}});
  const Module module = b.take();
  auto interpreter = Interpreter::create(viewOf(module));
  ASSERT_TRUE(interpreter);
  auto result = interpreter->run({{"x", {{1, 2}, {0.5, 0.5}}}});
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->names, (Names{"y", "same"}));
  EXPECT_EQ(result->outputs[0].data, (std::vector<float>{1.5, 0}));
  EXPECT_EQ(result->outputs[1].data, (std::vector<float>{0.5, 0.5}));
}

TEST(Interpreter, RefusesWrongInputs) {
  const Module module = network(1);
  auto interpreter = Interpreter::create(viewOf(module));
  ASSERT_TRUE(interpreter);
  auto errorOf = [&](const std::map<std::string, Tensor<float>> &inputs) {
    auto result = interpreter->run(inputs);
    return result ? "" : result.error().message;
  };
  EXPECT_EQ(errorOf({}), "input 'x' is missing");
  EXPECT_EQ(errorOf({{"x", Tensor<float>({3})}}), "input 'x' is 3, not 1x3x8x8");
  EXPECT_EQ(errorOf({{"x", record(1)}, {"z", record(1)}}), "the program has no input 'z'");
  auto x = record(1);
  x.data[7] = 1.5;
  EXPECT_EQ(errorOf({{"x", x}}), "input 'x': element 7 is 1.5, outside the declared range -1 to 1");
  x.data[7] = NAN;
  EXPECT_NE(errorOf({{"x", x}}), "");
}

TEST(Interpreter, RefusesAViewThatBreaksRules) {
  Module module = network(1);
  auto view = viewOf(module);
  view.ops.front().result = 99;
  EXPECT_FALSE(Interpreter::create(view));
  view = viewOf(module);
  std::swap(view.ops[2], view.ops.back());
  EXPECT_FALSE(Interpreter::create(view));
  view = viewOf(module);
  for (auto &op : view.ops)
    op.weights = {};
  EXPECT_FALSE(Interpreter::create(view));
}

TEST(Interpreter, ObservesTheLargestBeforeEachBoundedOp) {
  Builder b("m");
  auto x = b.create(OpKind::Input, {}, {{Attr::Name, "x"}, {Attr::Dims, Ints{2}}});
  const Type type = Type::share({2}, 10);
  auto s = *b.add({OpKind::ShareInput, {x}, kNoValue, {}, ""}, &type);
  auto big = b.create(OpKind::ShareMulC, {s}, {{Attr::Factor, std::int64_t{1} << 20}}); // wraps mod 2^32
  auto r = b.create(OpKind::ShareRelu, {big}, relu(10));
  auto t = b.create(OpKind::ShareTruncate, {s}, {{Attr::Bits, std::int64_t{2}}, {Attr::Bound, std::int64_t{12}}});
  auto m = b.create(OpKind::ShareMax, {s, b.create(OpKind::ShareMulC, {s}, {{Attr::Factor, std::int64_t{-1}}})},
                    {{Attr::Bound, std::int64_t{14}}});
  b.create(OpKind::Return,
           {b.create(OpKind::ShareOutput, {r}), b.create(OpKind::ShareOutput, {t}), b.create(OpKind::ShareOutput, {m})},
           {{Attr::Names, Names{"r", "t", "m"}}});
  const Module module = b.take();
  auto result = Interpreter::create(viewOf(module))->run({{"x", {{2}, {1, -4}}}}, {.observe = true});
  ASSERT_TRUE(result) << result.error().message;
  ASSERT_EQ(result->observations.size(), 6U);
  EXPECT_EQ(result->observations[0].largest, std::ldexp(4096, 20)); // as it would be without wrapping
  EXPECT_EQ(result->observations[0].limit, std::ldexp(1, 30) - 1024);
  EXPECT_EQ(result->observations[1].largest, 4096);
  EXPECT_EQ(result->observations[1].limit, 4096 - 4);
  EXPECT_EQ(result->observations[2].largest, 8192);
  EXPECT_EQ(result->observations[2].limit, 16384 - 1);
  EXPECT_EQ(result->observations[4].largest, 1024); // -4 / 2^2, and outputs have the ring's limit
  EXPECT_EQ(result->observations[4].limit, std::ldexp(1, 31) - 1);
}

// What wraps on the way, as the pieces of an approximation do, and fits in the end is no overflow; an output that
// does not fit is one, though the opened residue is small.
TEST(Interpreter, ObservesIntegersAndNotResidues) {
  Builder b("m");
  auto x = b.create(OpKind::Input, {}, {{Attr::Name, "x"}, {Attr::Dims, Ints{1}}});
  const Type type = Type::share({1}, 10);
  auto s = *b.add({OpKind::ShareInput, {x}, kNoValue, {}, ""}, &type);
  auto big = b.create(OpKind::ShareMulC, {s}, {{Attr::Factor, std::int64_t{1} << 20}});
  auto moved = b.create(OpKind::ShareReshape, {big}, {{Attr::Dims, Ints{1}}});
  auto little = b.create(OpKind::ShareSub, {moved, b.create(OpKind::ShareMulC, {s}, {{Attr::Factor, (1 << 20) - 3}})});
  b.create(OpKind::Return, {b.create(OpKind::ShareOutput, {moved}), b.create(OpKind::ShareOutput, {little})},
           {{Attr::Names, Names{"big", "little"}}});
  const Module module = b.take();
  auto result = Interpreter::create(viewOf(module))->run({{"x", Tensor<float>({1}, 4)}}, {.observe = true});
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->outputs[0].data[0], 0); // 2^32
  ASSERT_EQ(result->observations.size(), 2U);
  EXPECT_EQ(result->observations[0].largest, std::ldexp(1, 32));
  EXPECT_EQ(result->observations[1].largest, 3 * 4096);
}

TEST(Interpreter, ObservingChangesNoResult) {
  for (int ringBits : {kBitsOf<Ring32>, kBitsOf<Ring64>}) {
    const Module module = network(3, ringBits);
    auto interpreter = Interpreter::create(viewOf(module));
    const std::map<std::string, Tensor<float>> inputs = {{"x", record(3)}};
    EXPECT_EQ(interpreter->run(inputs)->outputs[0], interpreter->run(inputs, {.observe = true})->outputs[0]);
  }
}

TEST(Interpreter, WhatFitsIsTheSameInEitherRing) {
  const Module narrow = network(4), wide = network(4, kBitsOf<Ring64>);
  const std::map<std::string, Tensor<float>> inputs = {{"x", record(4)}};
  const InterpreterOptions options = {.observe = true};
  auto a = Interpreter::create(viewOf(narrow))->run(inputs, options);
  auto b = Interpreter::create(viewOf(wide))->run(inputs, options);
  ASSERT_TRUE(a && b);
  EXPECT_EQ(a->outputs, b->outputs);
  for (std::size_t i = 0; i < a->observations.size(); ++i)
    EXPECT_EQ(a->observations[i].largest, b->observations[i].largest);
}

// (x 2^50 + 1) - x 2^50: what doubles would lose; and a product beyond 2^63.
TEST(Interpreter, SixtyFourBitsAreExactAndWrappingIsSeen) {
  Builder b("m", kBitsOf<Ring64>);
  auto x = b.create(OpKind::Input, {}, {{Attr::Name, "x"}, {Attr::Dims, Ints{1}}});
  const Type type = Type::share({1}, 10);
  auto s = *b.add({OpKind::ShareInput, {x}, kNoValue, {{Attr::Bound, std::int64_t{20}}}, ""}, &type);
  auto big = b.create(OpKind::ShareMulC, {s}, {{Attr::Factor, std::int64_t{1} << 50}});
  auto more = b.create(OpKind::ShareAddC, {big}, {{Attr::Addend, std::int64_t{1}}});
  auto one = b.create(OpKind::ShareMul, {b.create(OpKind::ShareSub, {more, big}), s});
  auto r = b.create(OpKind::ShareRelu, {one}, relu(0));
  auto wraps = b.create(OpKind::ShareTruncate, {b.create(OpKind::ShareMul, {big, s})},
                        {{Attr::Bits, std::int64_t{24}}, {Attr::Bound, std::int64_t{62}}});
  b.create(OpKind::Return, {b.create(OpKind::ShareOutput, {r}), b.create(OpKind::ShareOutput, {wraps})},
           {{Attr::Names, Names{"r", "w"}}});
  const Module module = b.take();
  auto interpreter = Interpreter::create(viewOf(module));
  ASSERT_TRUE(interpreter);
  auto result = interpreter->run({{"x", Tensor<float>({1}, 3)}}, {.observe = true});
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->outputs[0].data[0], 3.0F / 1024); // at scale 2^20
  ASSERT_EQ(result->observations.size(), 4U);
  EXPECT_EQ(result->observations[0].largest, 3072);
  EXPECT_EQ(result->observations[1].largest, std::ldexp(3072.0 * 3072.0, 50));
  EXPECT_FALSE(interpreter->run({{"x", Tensor<float>({1}, 1024)}})) << "the input's own bound";
}

} // namespace
