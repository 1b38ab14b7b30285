// The tournament against the meaning of nn.maxpool, over all small windows.
#include <gtest/gtest.h>

#include <random>

#include "ir/Run.h"
#include "ir/core/Reference.h"
#include "passes/Quantizer.h"

namespace sd {
namespace {

NetworkProfile network(double roundTripSeconds, double bitsPerSecond) {
  NetworkProfile profile;
  profile.roundTripSeconds = roundTripSeconds;
  profile.bitsPerSecond = bitsPerSecond;
  return profile;
}

struct Counted {
  std::int64_t comparisons = 0;
  int levels = 0; // maxima one behind the other
};

Counted count(const Module &module) {
  Counted counted;
  std::vector<int> depths(module.types.size());
  for (const Op &op : module.ops) {
    if (op.result == kNoValue) continue;
    for (const ValueId operand : op.operands)
      depths[op.result] = std::max(depths[op.result], depths[operand]);
    if (op.kind != OpKind::ShareMax) continue;
    counted.comparisons += elementCount(module.type(op.result).shape);
    counted.levels = std::max(counted.levels, ++depths[op.result]);
  }
  return counted;
}

Module makeModule(const Op &pool, const Shape &shape, const NetworkProfile &network) {
  Builder builder("m");
  const ValueId in = builder.create(OpKind::Input, {}, {{Attr::Name, "x"}, {Attr::Dims, shape}});
  const Type type = Type::share(shape, 4);
  const ValueId share = *builder.add({OpKind::ShareInput, {in}, kNoValue, {}, {}}, &type);
  const ValueId out = builder.create(OpKind::ShareOutput, {appendMaxPool(builder, share, pool, {32, 30, network})});
  builder.create(OpKind::Return, {out}, {{Attr::Names, std::vector<std::string>{"y"}}});
  return builder.take();
}

void expectSame(const Op &pool, const Tensor<float> &x, const NetworkProfile &network) {
  const Tensor<float> *operands[] = {&x};
  auto expected = evaluateClear(OpKind::MaxPool, operands, pool.attrs);
  if (!expected) return; // the window does not fit

  const Module module = makeModule(pool, x.shape, network);
  auto interpreter = Interpreter::create(viewOf(module));
  ASSERT_TRUE(interpreter);
  auto result = interpreter->run({{"x", x}});
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->outputs[0], *expected);
}

TEST(MaxPool, TournamentIsTheMaximumOfEveryWindow) {
  std::mt19937 random(7);
  Tensor<float> x({2, 3, 9, 6});
  for (auto &v : x.data)
    v = static_cast<float>(static_cast<int>(random() % 65) - 32) / 16;
  std::size_t cases = 0;
  using Ints = std::vector<std::int64_t>;
  for (std::int64_t kernel = 1; kernel <= 7; ++kernel)
    for (std::int64_t stride = 1; stride <= 3; ++stride)
      for (std::int64_t dilation = 1; dilation <= 2; ++dilation)
        for (std::int64_t pad = 0; pad < kernel; ++pad)
          for (std::int64_t ceil = 0; ceil <= 1; ++ceil, ++cases) {
            Op pool{OpKind::MaxPool, {}, kNoValue, {}, "pool"};
            pool.attrs = {{Attr::Kernel, Ints{kernel, 2}},
                          {Attr::Strides, Ints{stride, 2}},
                          {Attr::Dilations, Ints{dilation, 1}},
                          {Attr::Pads, Ints{pad, 0, pad / 2, 1}},
                          {Attr::CeilMode, ceil}};
            SCOPED_TRACE(
                fmt::format("kernel {} stride {} dilation {} pad {} ceil {}", kernel, stride, dilation, pad, ceil));
            expectSame(pool, x, network(0.04, 1e8)); // few levels
            expectSame(pool, x, network(1e-6, 1e6)); // few comparisons
          }
  EXPECT_EQ(cases, 336u);
}

// Of 3 x 5 elements: three levels along one axis and two along the other, or four for all of them together.
TEST(MaxPool, TournamentFitsTheNetwork) {
  using Ints = std::vector<std::int64_t>;
  Op pool{OpKind::MaxPool, {}, kNoValue, {}, "pool"};
  pool.attrs = {{Attr::Kernel, Ints{3, 5}},
                {Attr::Strides, Ints{1, 1}},
                {Attr::Dilations, Ints{1, 1}},
                {Attr::Pads, Ints{0, 0, 0, 0}},
                {Attr::CeilMode, std::int64_t{0}}};
  const Shape shape{1, 8, 20, 20};
  const Counted far = count(makeModule(pool, shape, network(0.2, 1e9)));
  const Counted near = count(makeModule(pool, shape, network(1e-5, 1e7)));
  EXPECT_EQ(far.levels, 4);
  EXPECT_EQ(near.levels, 5);
  EXPECT_LT(near.comparisons, far.comparisons);
}

} // namespace
} // namespace sd
