// Softmax of two piecewise linear functions: within the error that is stated, whatever the scores.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

#include "passes/Softmax.h"

namespace sd {
namespace {

using Scores = std::vector<double>;

double inverseOf(const SoftmaxFit &fit, double sum) {
  double inverse = 0;
  for (const PiecewiseLinear &part : fit.reciprocals)
    inverse += part(sum);
  return inverse;
}

// The largest difference of a probability from what it should be.
double worstError(const SoftmaxFit &fit, const Scores &scores) {
  const double most = std::ranges::max(scores);
  double sum = 0, fitted = 0;
  for (double x : scores) {
    sum += std::exp(x - most);
    fitted += fit.exponential(x - most);
  }
  const double inverse = inverseOf(fit, fitted);
  double worst = 0;
  for (double x : scores)
    worst = std::max(worst, std::abs(fit.exponential(x - most) * inverse - std::exp(x - most) / sum));
  return worst;
}

// Some equal to the largest, some at a distance from it, the others far away: what a bound on the errors is about.
std::vector<Scores> hardScores(std::size_t n) {
  std::vector<Scores> all;
  for (std::size_t equal = 1; equal <= n; equal = equal * 3 + 1)
    for (std::size_t near = 0; equal + near <= n; near = near * 2 + 1)
      for (double distance = 0; distance < 14; distance += 0.0371) {
        Scores scores(n, -1000);
        std::fill_n(scores.begin(), equal, 0);
        std::fill_n(scores.begin() + static_cast<std::ptrdiff_t>(equal), near, -distance);
        all.push_back(std::move(scores));
      }
  return all;
}

std::vector<Scores> randomScores(std::size_t n) {
  std::mt19937 rng(static_cast<unsigned>(n));
  std::vector<Scores> all;
  for (double deviation : {0.1, 1.0, 3.0, 10.0})
    for (int i = 0; i < 200; ++i) {
      Scores &scores = all.emplace_back(n);
      for (double &x : scores)
        x = deviation * std::normal_distribution<double>()(rng);
    }
  return all;
}

TEST(SoftmaxFit, StaysWithinItsErrorForAllScores) {
  for (std::size_t n : {2, 3, 16, 35, 100, 400}) {
    SCOPED_TRACE(n);
    const auto fit = fitSoftmax(static_cast<std::int64_t>(n), {});
    ASSERT_TRUE(fit) << fit.error().message;
    EXPECT_LE(fit->error, 0x1p-8);
    double worst = 0;
    for (const auto &scores : {hardScores(n), randomScores(n)})
      for (const Scores &each : scores)
        worst = std::max(worst, worstError(*fit, each));
    EXPECT_LE(worst, fit->error);
    EXPECT_GE(worst, fit->error / 4); // the bound is no idle one
  }
}

TEST(SoftmaxFit, ProbabilitiesSumUpToOne) {
  const auto fit = fitSoftmax(200, {});
  ASSERT_TRUE(fit);
  for (double sum = 1; sum <= 200; sum += 0.37)
    EXPECT_NEAR(sum * inverseOf(*fit, sum), 1, 0x1p-10) << sum;
}

TEST(SoftmaxFit, IsExactlyNothingFarFromTheMaximum) {
  for (std::int64_t n : {2, 300}) {
    const auto fit = fitSoftmax(n, {});
    ASSERT_TRUE(fit);
    EXPECT_EQ(fit->exponential(-20), 0);
    EXPECT_EQ(fit->exponential(-1e6), 0);
    EXPECT_NEAR(fit->exponential(0), 1, 0x1p-8);
    EXPECT_NEAR(fit->exponential(1), 1, 0x1p-15); // rounding may put a score above the maximum
  }
}

TEST(SoftmaxFit, KnotsGrowSlowlyWithTheScores) {
  const auto few = fitSoftmax(4, {}), many = fitSoftmax(400, {});
  ASSERT_TRUE(few && many);
  EXPECT_LE(few->exponential.knots.size(), 15U);
  EXPECT_LE(many->exponential.knots.size(), 45U);
}

TEST(SoftmaxFit, SaysWhatItCannotReach) {
  const auto fit = fitSoftmax(3000, {.scale = 13});
  ASSERT_FALSE(fit);
  EXPECT_NE(fit.error().message.find("more than 4 times the 0.00391 asked for"), std::string::npos)
      << fit.error().message;
  EXPECT_TRUE(fitSoftmax(3000, {.boundBits = 46, .scale = 13}));
}

} // namespace
} // namespace sd
