// The tournament against the meaning of nn.maxpool, over all small windows.
#include <gtest/gtest.h>

#include <random>

#include "ir/Run.h"
#include "ir/core/Reference.h"
#include "passes/Quantizer.h"

namespace sd {
namespace {

void expectSame(const Op &pool, const Tensor<float> &x) {
  const Tensor<float> *operands[] = {&x};
  auto expected = evaluateClear(OpKind::MaxPool, operands, pool.attrs);
  if (!expected) return; // the window does not fit

  Builder builder("m");
  const ValueId in = builder.create(OpKind::Input, {}, {{Attr::Name, "x"}, {Attr::Dims, x.shape}});
  const Type type = Type::share(x.shape, 4);
  const ValueId share = *builder.add({OpKind::ShareInput, {in}, kNoValue, {}, {}}, &type);
  const ValueId out = builder.create(OpKind::ShareOutput, {appendMaxPool(builder, share, pool, kBoundBits)});
  builder.create(OpKind::Return, {out}, {{Attr::Names, std::vector<std::string>{"y"}}});
  const Module module = builder.take();
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
            expectSame(pool, x);
          }
  EXPECT_EQ(cases, 336u);
}

} // namespace
} // namespace sd
