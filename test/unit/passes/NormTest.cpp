// Functions of rows: the inverse root within its error over all octaves, and the fixed-point program beside floats.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "compiler/Compile.h"
#include "compiler/Pipeline.h"
#include "ir/Run.h"
#include "ir/core/Functions.h"
#include "passes/InverseRoot.h"

namespace sd {
namespace {

double exactRoot(const InverseRootOptions &options, std::int64_t t) {
  return std::ldexp(options.factor, options.scale) / std::sqrt(static_cast<double>(t) + options.offset);
}

TEST(InverseRoot, StaysWithinItsErrorOverAllOctaves) {
  for (const double offset : {0.0, 3.0, 700.0, 1e6}) {
    for (const int bound : {30, 46}) {
      SCOPED_TRACE(fmt::format("{} {}", offset, bound));
      InverseRootOptions options;
      options.offset = offset;
      options.boundBits = bound;
      options.factor = std::exp2(bound / 2.0 - 4);
      options.scale = 14;
      ASSERT_LT(largestInverseRoot(options), std::exp2(bound - 2));
      const InverseRoot root = fitInverseRoot(options);
      EXPECT_LE(root.error, 0x1p-8);
      EXPECT_EQ(root.least, offset >= 512 ? 0 : 512);
      std::mt19937_64 random(7);
      double worst = 0;
      for (int i = 0; i < 20000; ++i) { // evenly over the octaves
        const auto t =
            static_cast<std::int64_t>(std::exp2(9 + static_cast<double>(random() % 1000003) / 1000003 * (bound - 9)));
        worst = std::max(worst, std::abs(static_cast<double>(root(t)) / exactRoot(options, t) - 1));
      }
      EXPECT_LE(worst, root.error * 1.15); // between the points at which it is measured
      EXPECT_GE(worst, root.error / 2);
    }
  }
}

TEST(InverseRoot, IsAtMostThatOfNothing) {
  InverseRootOptions options;
  options.factor = 2000;
  const InverseRoot root = fitInverseRoot(options);
  const auto most = static_cast<std::int64_t>(largestInverseRoot(options) * 1.01);
  std::int64_t before = most;
  for (std::int64_t t = 0; t < 5000; ++t) {
    EXPECT_LE(root(t), before + 2) << t; // falls, but for the rounding of bands
    before = root(t);
  }
}

Module normOf(const RowFunction &function, Shape shape) {
  Builder builder("norm");
  const ValueId x = builder.create(
      OpKind::Input, {}, {{Attr::Name, "x"}, {Attr::Dims, std::move(shape)}, {Attr::Low, -4.0}, {Attr::High, 4.0}});
  const ValueId y = builder.create(OpKind::Function, {x}, {{Attr::Function, nameOf(function)}});
  builder.create(OpKind::Return, {y}, {{Attr::Names, std::vector<std::string>{"y"}}});
  return builder.take();
}

struct NormCase {
  std::int64_t n;
  int ringBits, scaleBits;
  double tolerance; // of results of about 1
};

class Norm : public ::testing::TestWithParam<NormCase> {};

TEST_P(Norm, FollowsFloatsForRowsOfManySizes) {
  const auto &[n, ringBits, scaleBits, tolerance] = GetParam();
  const double sizes[] = {0.05, 0.2, 0.8};
  const auto rows = static_cast<std::int64_t>(std::size(sizes));
  for (const bool centred : {false, true}) {
    SCOPED_TRACE(centred);
    const Module model = normOf({centred, 1e-5}, {rows, n});
    Module lowered = model;
    lowered.ringBits = ringBits;
    PassContext context;
    context.options.scaleBits = scaleBits;
    LowerOptions lowering{defaultPipeline(), {}};
    lowering.manager.verifyEach = true;
    const auto module = lower(std::move(lowered), lowering, context);
    ASSERT_TRUE(module) << module.error().message;
    ASSERT_EQ(context.approximations.size(), 1U);
    EXPECT_LE(context.approximations[0].error, 0x1p-7);

    std::mt19937 random(static_cast<unsigned>(n));
    Tensor<float> x({rows, n});
    for (std::int64_t i = 0; i < x.size(); ++i)
      x.data[i] = static_cast<float>(
          std::clamp(std::normal_distribution<double>()(random) * sizes[i / n] + (centred ? 1 : 0), -4.0, 4.0));
    InterpreterOptions options;
    options.observe = true;
    const auto exact = Interpreter::create(viewOf(model))->run({{"x", x}});
    const auto fixed = Interpreter::create(viewOf(*module))->run({{"x", x}}, options);
    ASSERT_TRUE(exact && fixed);
    for (const auto &observation : fixed->observations)
      EXPECT_LE(observation.largest, std::exp2(ringBits == 32 ? 30 : 46)) << observation.op;
    for (std::int64_t row = 0; row < rows; ++row) {
      double worst = 0;
      for (std::int64_t i = row * n; i < (row + 1) * n; ++i)
        worst = std::max(worst, std::abs(static_cast<double>(exact->outputs[0].data[i]) - fixed->outputs[0].data[i]));
      EXPECT_LE(worst, tolerance + 1.5 * std::exp2(-scaleBits) / sizes[row]) << sizes[row];
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Rows, Norm,
                         ::testing::Values(NormCase{2, 32, 10, 0.01}, NormCase{7, 32, 10, 0.01},
                                           NormCase{64, 32, 10, 0.012}, NormCase{192, 32, 10, 0.012},
                                           NormCase{768, 32, 10, 0.015}, NormCase{5000, 32, 10, 0.025},
                                           NormCase{768, 32, 8, 0.03}, NormCase{768, 32, 12, 0.015},
                                           NormCase{7, 64, 13, 0.01}, NormCase{768, 64, 13, 0.01},
                                           NormCase{5000, 64, 16, 0.01}));

TEST(Norm, RowsOfZerosAreZero) {
  for (const double epsilon : {0.0, 1e-5}) {
    const Module model = normOf({true, epsilon}, {2, 8});
    PassContext context;
    const auto module = lower(Module(model), {defaultPipeline(), {}}, context);
    ASSERT_TRUE(module) << module.error().message;
    const Tensor<float> x({2, 8}, 3.0F);
    const auto fixed = Interpreter::create(viewOf(*module))->run({{"x", x}});
    ASSERT_TRUE(fixed);
    EXPECT_EQ(fixed->outputs[0].data, std::vector<float>(16, 0));
  }
}

TEST(Norm, NamesAreReadAsWritten) {
  for (const RowFunction &function : {RowFunction{true, 1e-5}, RowFunction{false, 0}, RowFunction{true, 0.1}}) {
    const auto read = rowFunction(nameOf(function));
    ASSERT_TRUE(read);
    EXPECT_EQ(read->centred, function.centred);
    EXPECT_EQ(read->epsilon, function.epsilon);
  }
  for (const char *name : {"layernorm", "layernorm ", "layernorm -1", "layernorm inf", "rmsnorm 1x", "exp"})
    EXPECT_FALSE(rowFunction(name)) << name;
}

} // namespace
} // namespace sd
