#include "runtime/kernels/Pooling.h"

#include "test/unit/kernels/RandomWords.h"

namespace sd {
namespace {

template <class R>
class SumPool : public testing::Test {};
TYPED_TEST_SUITE(SumPool, test::BothRings);

TYPED_TEST(SumPool, TwoByTwo) {
  using R = TypeParam;
  ThreadPool pool(1);
  const std::vector<R> x{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
  std::vector<R> y(4);
  sumPool<R>(pool, {1, {4, 4}, {2, 2}, {{2, 2}, {2, 2}, {1, 1}, {0, 0}, {0, 0}}}, x, y);
  EXPECT_EQ(y, (std::vector<R>{14, 22, 46, 54}));
}

TYPED_TEST(SumPool, WindowOverTheEnd) {
  using R = TypeParam;
  ThreadPool pool(1);
  std::vector<R> y(3);
  sumPool<R>(pool, {1, {5}, {3}, {{2}, {2}, {1}, {0}, {0}}}, std::vector<R>{1, 2, 3, 4, 5}, y);
  EXPECT_EQ(y, (std::vector<R>{3, 7, 5}));
}

TYPED_TEST(SumPool, AgreesWithTheDefinition) {
  using R = TypeParam;
  std::mt19937_64 rng(5);
  ThreadPool pool(2);
  auto draw = [&](std::int64_t lo, std::int64_t hi) { return lo + std::int64_t(rng() % (hi - lo + 1)); };
  for (int round = 0; round < 300; ++round) {
    const std::size_t rank = draw(1, 3);
    PoolShape s{draw(1, 4), {}, {}, {}};
    for (std::size_t i = 0; i < rank; ++i) {
      s.input.push_back(draw(1, 9)), s.output.push_back(draw(1, 6));
      s.window.kernel.push_back(draw(1, 4)), s.window.strides.push_back(draw(1, 3));
      s.window.dilations.push_back(draw(1, 3)), s.window.padsBegin.push_back(draw(0, 2));
      s.window.padsEnd.push_back(0);
    }
    const std::int64_t in = elementCount(s.input), out = elementCount(s.output), taps = elementCount(s.window.kernel);
    const auto x = test::randomWords<R>(s.planes * in, rng);
    std::vector<R> y(s.planes * out), expected(s.planes * out);
    for (std::int64_t p = 0; p < s.planes; ++p)
      for (std::int64_t o = 0; o < out; ++o)
        for (std::int64_t t = 0; t < taps; ++t) {
          std::int64_t at = 0, unit = 1, position = o, tap = t;
          bool inside = true;
          for (std::size_t i = rank; i-- > 0;) {
            std::int64_t c = position % s.output[i] * s.window.strides[i] +
                             tap % s.window.kernel[i] * s.window.dilations[i] - s.window.padsBegin[i];
            inside = inside && c >= 0 && c < s.input[i];
            at += c * unit, unit *= s.input[i];
            position /= s.output[i], tap /= s.window.kernel[i];
          }
          if (inside) expected[p * out + o] += x[p * in + at];
        }
    sumPool<R>(pool, s, x, y);
    ASSERT_EQ(y, expected) << round;
  }
}

} // namespace
} // namespace sd
