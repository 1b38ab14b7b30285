// Piecewise linear functions: their arithmetic against that of the values, their rounding, and how well they fit.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "passes/FitPiecewise.h"

namespace sd {
namespace {

PiecewiseLinear randomFunction(std::mt19937 &rng) {
  PiecewiseLinear f{{}, {}, static_cast<double>(rng() % 21) - 10};
  for (unsigned i = rng() % 4; i > 0; --i)
    f.knots.push_back((f.knots.empty() ? -10 : f.knots.back()) + 1 + rng() % 8);
  for (std::size_t i = 0; i <= f.knots.size(); ++i)
    f.slopes.push_back(static_cast<double>(rng() % 9) - 4);
  return f;
}

TEST(PiecewiseLinear, ArithmeticIsThatOfTheValues) {
  std::mt19937 rng(1);
  for (int round = 0; round < 500; ++round) {
    const PiecewiseLinear a = randomFunction(rng), b = randomFunction(rng);
    const PiecewiseLinear sum = a + b, positive = positivePart(a), turned = a * -3, raised = a + 5;
    for (double x = -40; x <= 40; x += 0.25) {
      EXPECT_NEAR(sum(x), a(x) + b(x), 1e-9);
      EXPECT_NEAR(positive(x), std::max(a(x), 0.0), 1e-9);
      EXPECT_NEAR(turned(x), -3 * a(x), 1e-9);
      EXPECT_NEAR(raised(x), a(x) + 5, 1e-9);
    }
    EXPECT_TRUE(std::ranges::is_sorted(positive.knots, std::less_equal()));
  }
}

TEST(PiecewiseLinear, RangeIsReached) {
  std::mt19937 rng(2);
  for (int round = 0; round < 500; ++round) {
    const PiecewiseLinear f = randomFunction(rng);
    const double low = static_cast<double>(rng() % 60) - 30, high = low + rng() % 20;
    double least = f(low), most = f(low);
    for (double x = low; x <= high; x += 0.25) {
      least = std::min(least, f(x));
      most = std::max(most, f(x));
    }
    EXPECT_NEAR(f.range(low, high).first, least, 1e-9);
    EXPECT_NEAR(f.range(low, high).second, most, 1e-9);
  }
}

TEST(PiecewiseLinear, AttributesKeepIt) {
  const PiecewiseLinear f{{-1, 2}, {0, 0.5, 1}, 3};
  const PiecewiseLinear g = PiecewiseLinear::of(f.attrs());
  EXPECT_EQ(g.knots, f.knots);
  EXPECT_EQ(g.slopes, f.slopes);
  EXPECT_EQ(g.offset, f.offset);
}

TEST(IntegerPieces, ErrorsOfSlopesDoNotAddUp) {
  PiecewiseLinear f{{}, {0}, 0};
  for (int i = 0; i <= 100; ++i) { // at scale 2^4, 0.03 is nearly half a slope's unit
    f.knots.push_back(i);
    f.slopes.push_back(i < 100 ? 0.53 : 1);
  }
  const PiecewiseLinear g = rounded(f, {.scale = 4}).reals();
  for (double x = -5; x < 105; x += 0.125)
    EXPECT_NEAR(g(x), f(x), 0.07) << x;
  EXPECT_EQ(g.slopes.front(), 0);
  EXPECT_EQ(g.slopes.back(), 1);
}

TEST(IntegerPieces, AreTheFunctionInIntegers) {
  const PiecewiseLinear f{{-2.5, 0, 3}, {0.25, -1, 2, 0.5}, 1};
  const IntegerPieces pieces = rounded(f, {});
  const PiecewiseLinear g = pieces.reals();
  for (std::int64_t x = -8000; x < 8000; x += 37) {
    std::int64_t y = pieces.constant + pieces.slopes[0] * x;
    for (std::size_t i = 0; i < pieces.knots.size(); ++i)
      y += (pieces.slopes[i + 1] - pieces.slopes[i]) * std::max<std::int64_t>(x - pieces.knots[i], 0);
    const double real = std::ldexp(static_cast<double>(x), -10);
    EXPECT_DOUBLE_EQ(std::ldexp(static_cast<double>(y), -10 - pieces.slopeBits), g(real));
    EXPECT_NEAR(g(real), f(real), 1e-9);
  }
}

TEST(IntegerPieces, HugeFunctionsDoNotOverflow) {
  const PiecewiseLinear f{{-1e30, 1e30}, {-1e30, 1e30, 1e30}, 1e30};
  EXPECT_EQ(rounded(f, {.scale = 16}).knots.size(), 2U);
}

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }
double softplus(double x) { return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x))); }

struct Smooth {
  const char *name;
  std::function<double(double)> f;
  std::size_t knots; // at most, for an error of 2^-8 at scale 2^10
};

const std::vector<Smooth> kSmooth = {
    {"tanh", [](double x) { return std::tanh(x); }, 15},
    {"sigmoid", sigmoid, 11},
    {"silu", [](double x) { return x * sigmoid(x); }, 18},
    {"gelu", [](double x) { return x / 2 * (1 + std::erf(x / std::sqrt(2))); }, 14},
    {"gelu by tanh", [](double x) { return x / 2 * (1 + std::tanh(0.79788456 * (x + 0.044715 * x * x * x))); }, 14},
    {"mish", [](double x) { return x * std::tanh(softplus(x)); }, 16},
    {"softplus", softplus, 14},
    {"softsign", [](double x) { return x / (1 + std::abs(x)); }, 26},
    {"elu", [](double x) { return x > 0 ? x : std::expm1(x); }, 10},
    {"erf", [](double x) { return std::erf(x); }, 15},
    {"far away", [](double x) { return std::tanh(7 * (x - 20)); }, 16},
    {"falling", [](double x) { return -3 * sigmoid(2 * x); }, 22},
};

// The grid is finer than, and unlike, the fit's own.
TEST(FitPiecewise, StaysWithinTheErrorEverywhere) {
  for (const Smooth &each : kSmooth) {
    SCOPED_TRACE(each.name);
    const auto fit = fitPiecewise(each.f, {});
    ASSERT_TRUE(fit) << fit.error().message;
    EXPECT_LE(fit->error, 0x1p-8);
    EXPECT_LE(fit->function.knots.size(), each.knots);
    double worst = 0;
    for (double x = -700; x < 700; x += 0x1.07p-9)
      worst = std::max(worst, std::abs(each.f(x) - fit->function(x)));
    EXPECT_LE(worst, fit->error * 1.02);
    for (double x = 1000; x < 1e9; x *= 1.7)
      for (double far : {-x, x})
        EXPECT_NEAR(fit->function(far), each.f(far), fit->error * 1.02) << far;
  }
}

TEST(FitPiecewise, ErrorsFollowTheirWeight) {
  const auto f = [](double x) { return std::exp(std::min(x, 0.0)); };
  const auto weight = [&](double x) { return 0.01 + f(x); };
  const auto weighted = fitPiecewise(f, {.guard = 4, .weight = weight}),
             uniform = fitPiecewise(f, {.error = 0x1p-8 / 100, .guard = 4});
  ASSERT_TRUE(weighted && uniform);
  EXPECT_LE(weighted->error, 0x1p-8);
  EXPECT_LT(weighted->function.knots.size() * 2, uniform->function.knots.size());
  double worst = 0;
  for (double x = -700; x < 10; x += 0x1.07p-9)
    worst = std::max(worst, std::abs(f(x) - weighted->function(x)) / weight(x));
  EXPECT_NEAR(worst, weighted->error, weighted->error * 0.02);
}

TEST(IntegerPieces, GuardBitsMakeSlopesFiner) {
  const PiecewiseLinear step{{0, 3}, {0, 1.0 / 3, 0}, 0};
  EXPECT_EQ(slopeBitsOf(step, {.guard = 2}), slopeBitsOf(step, {}) + 2);
  EXPECT_EQ(slopeBitsOf(step, {.guard = 10}), 18); // as many as leave |y| < 2 below the bound
}

TEST(FitPiecewise, SmallerErrorsTakeMoreKnots) {
  for (const Smooth &each : kSmooth) {
    SCOPED_TRACE(each.name);
    if (each.name == std::string("softsign")) continue; // bends as far out as slopes can be told apart
    const auto coarse = fitPiecewise(each.f, {.error = 0x1p-5, .scale = 14});
    const auto fine = fitPiecewise(each.f, {.error = 0x1p-10, .scale = 14});
    ASSERT_TRUE(coarse && fine);
    EXPECT_LE(coarse->error, 0x1p-5);
    EXPECT_LE(fine->error, 0x1p-10);
    EXPECT_LT(coarse->function.knots.size() * 2, fine->function.knots.size());
  }
}

TEST(FitPiecewise, IsTheSameEachTime) {
  const auto first = fitPiecewise(sigmoid, {}), second = fitPiecewise(sigmoid, {});
  ASSERT_TRUE(first && second);
  EXPECT_EQ(first->function.knots, second->function.knots);
  EXPECT_EQ(first->function.slopes, second->function.slopes);
}

TEST(FitPiecewise, SaysWhatItCannotFit) {
  EXPECT_NE(fitPiecewise([](double x) { return x * x; }, {}).error().message.find("not linear"), std::string::npos);
  EXPECT_NE(fitPiecewise(sigmoid, {.error = 0x1p-12, .scale = 14, .maxKnots = 10}).error().message.find("10 pieces"),
            std::string::npos);
  // A coarse scale has no better function, and the error is that of what it has.
  const auto coarse = fitPiecewise(sigmoid, {.error = 0x1p-8, .scale = 3});
  ASSERT_TRUE(coarse);
  EXPECT_GT(coarse->error, 0x1p-8);
  double worst = 0;
  for (double x = -40; x < 40; x += 0x1.07p-9)
    worst = std::max(worst, std::abs(sigmoid(x) - coarse->function(x)));
  EXPECT_NEAR(worst, coarse->error, 0.01);
}

TEST(FitPiecewise, StatesTheErrorOfOuterSlopes) {
  const auto fit = fitPiecewise([](double x) { return x > 0 ? 1.0507 * x : 1.758 * std::expm1(x); }, {});
  ASSERT_TRUE(fit);
  EXPECT_NEAR(fit->slopeError, std::abs(1.0507 - std::round(1.0507 * 1024) / 1024), 1e-7);
}

} // namespace
} // namespace sd
