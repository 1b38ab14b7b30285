#include "runtime/kernels/Convolution.h"

#include "test/unit/kernels/RandomWords.h"
#include "test/unit/kernels/Targets.h"

namespace sd {
namespace {

template <class R>
class Convolution : public testing::Test {};
TYPED_TEST_SUITE(Convolution, test::BothRings);

// Written from the definition, position by position.
template <class R>
std::vector<R> schoolbook(const ConvShape &s, const std::vector<R> &x, const std::vector<R> &w,
                          const std::vector<R> &bias) {
  const Shape out = s.output();
  const std::size_t rank = out.size();
  const std::int64_t cg = s.inChannels / s.groups, mg = s.outChannels / s.groups;
  const std::int64_t positions = elementCount(out), taps = elementCount(s.window.kernel), in = elementCount(s.input);
  auto unravel = [&](std::int64_t flat, const Shape &extents) {
    Shape index(extents.size());
    for (std::size_t i = extents.size(); i-- > 0; flat /= extents[i])
      index[i] = flat % extents[i];
    return index;
  };
  std::vector<R> y(s.outputSize());
  for (std::int64_t n = 0; n < s.batch; ++n)
    for (std::int64_t m = 0; m < s.outChannels; ++m)
      for (std::int64_t p = 0; p < positions; ++p) {
        R sum = bias.empty() ? 0 : bias[m];
        for (std::int64_t c = 0; c < cg; ++c)
          for (std::int64_t t = 0; t < taps; ++t) {
            const Shape o = unravel(p, out), k = unravel(t, s.window.kernel);
            std::int64_t at = 0;
            bool inside = true;
            for (std::size_t i = 0; i < rank; ++i) {
              std::int64_t pos = o[i] * s.window.strides[i] + k[i] * s.window.dilations[i] - s.window.padsBegin[i];
              inside = inside && pos >= 0 && pos < s.input[i];
              at = at * s.input[i] + pos;
            }
            if (inside) sum += w[(m * cg + c) * taps + t] * x[(n * s.inChannels + m / mg * cg + c) * in + at];
          }
        y[(n * s.outChannels + m) * positions + p] = sum;
      }
  return y;
}

template <class R>
void expectRight(const ConvShape &shape, std::mt19937_64 &rng, ThreadPool &pool) {
  SCOPED_TRACE(fmt::format("batch {} groups {} channels {}->{} input {} kernel {} strides {} dilations {} pads {} {}",
                           shape.batch, shape.groups, shape.inChannels, shape.outChannels, shape.input,
                           shape.window.kernel, shape.window.strides, shape.window.dilations, shape.window.padsBegin,
                           shape.window.padsEnd));
  const auto x = test::randomWords<R>(shape.inputSize(), rng), w = test::randomWords<R>(shape.weightSize(), rng);
  for (const auto &bias : {std::vector<R>{}, test::randomWords<R>(shape.outChannels, rng)}) {
    std::vector<R> y(shape.outputSize(), R(0xDEADBEEF));
    convolve<R>(pool, shape, x, w, bias, y);
    ASSERT_EQ(y, schoolbook<R>(shape, x, w, bias));
  }
}

TYPED_TEST(Convolution, BoundaryShapes) {
  std::mt19937_64 rng(1);
  ThreadPool pool(2);
  const ConvShape shapes[] = {
      {1, 1, 1, 1, {1}, plainWindow({1})},
      {1, 1, 3, 5, {4, 4}, plainWindow({1, 1})},
      {2, 1, 3, 9, {4, 4}, plainWindow({1, 1})},                       // planes read where they lie
      {2, 1, 4, 3, {5, 7}, plainWindow({5, 7})},                       // one output position
      {1, 1, 2, 2, {3, 3}, {{3, 3}, {1, 1}, {1, 1}, {1, 1}, {1, 1}}},  // padded to the same size
      {1, 1, 3, 8, {8, 8}, {{3, 3}, {2, 2}, {1, 1}, {1, 1}, {1, 1}}},  // strided
      {1, 1, 3, 8, {9, 9}, {{1, 1}, {2, 2}, {1, 1}, {0, 0}, {0, 0}}},  // strided without overlap
      {1, 1, 1, 4, {20}, {{3}, {1}, {4}, {2}, {6}}},                   // dilated, uneven padding
      {1, 1, 2, 3, {6, 5}, {{2, 3}, {3, 1}, {1, 2}, {0, 2}, {1, 0}}},  // different along each axis
      {1, 4, 4, 4, {7, 7}, {{3, 3}, {1, 1}, {1, 1}, {1, 1}, {1, 1}}},  // depthwise
      {2, 2, 6, 10, {6, 6}, {{3, 3}, {2, 1}, {1, 1}, {1, 1}, {1, 1}}}, // two groups
      {1, 1, 2, 3, {4, 5, 6}, {{2, 3, 2}, {1, 2, 1}, {2, 1, 1}, {1, 0, 1}, {0, 1, 1}}},
      {1, 1, 70, 37, {4, 4}, {{3, 3}, {1, 1}, {1, 1}, {1, 1}, {1, 1}}}, // more weights than input
      {1, 1, 3, 2, {2, 2}, {{3, 3}, {1, 1}, {1, 1}, {4, 4}, {4, 4}}},   // whole windows in the padding
      {1, 1, 1, 1, {4}, {{2}, {5}, {1}, {0}, {0}}},                     // stride beyond the kernel
  };
  test::onEveryTarget([&] {
    for (const ConvShape &shape : shapes)
      expectRight<TypeParam>(shape, rng, pool);
  });
}

TYPED_TEST(Convolution, RandomShapes) {
  std::mt19937_64 rng(2);
  ThreadPool pool(2);
  auto draw = [&](std::int64_t lo, std::int64_t hi) { return lo + std::int64_t(rng() % (hi - lo + 1)); };
  test::onEveryTarget([&] {
    for (int round = 0; round < 60;) {
      ConvShape shape;
      shape.batch = draw(1, 2), shape.groups = draw(1, 3);
      shape.inChannels = shape.groups * draw(1, 5), shape.outChannels = shape.groups * draw(1, 20);
      const std::int64_t rank = draw(1, 3);
      for (std::int64_t i = 0; i < rank; ++i) {
        shape.input.push_back(draw(1, rank == 3 ? 6 : 24));
        shape.window.kernel.push_back(draw(1, 4)), shape.window.strides.push_back(draw(1, 3));
        shape.window.dilations.push_back(draw(1, 3));
        shape.window.padsBegin.push_back(draw(0, 3)), shape.window.padsEnd.push_back(draw(0, 3));
      }
      if (shape.outputSize() == 0) continue;
      expectRight<TypeParam>(shape, rng, pool);
      ++round;
    }
  });
}

TYPED_TEST(Convolution, DoesNotDependOnThreads) {
  using R = TypeParam;
  std::mt19937_64 rng(3);
  const ConvShape shape{1, 1, 16, 64, {32, 32}, {{3, 3}, {1, 1}, {1, 1}, {1, 1}, {1, 1}}};
  const auto x = test::randomWords<R>(shape.inputSize(), rng), w = test::randomWords<R>(shape.weightSize(), rng);
  std::vector<R> one(shape.outputSize()), four(shape.outputSize());
  ThreadPool single(1), several(4);
  convolve<R>(single, shape, x, w, {}, one);
  convolve<R>(several, shape, x, w, {}, four);
  EXPECT_EQ(one, four);
  EXPECT_EQ(one, schoolbook<R>(shape, x, w, {}));
}

TEST(ConvShape, CountsWork) {
  const ConvShape shape{2, 1, 3, 8, {32, 32}, {{3, 3}, {2, 2}, {1, 1}, {1, 1}, {1, 1}}};
  EXPECT_EQ(shape.output(), (Shape{16, 16}));
  EXPECT_EQ(shape.multiplyAdds(), 2 * 8 * 16 * 16 * 27);
  EXPECT_EQ(outputExtents({2}, plainWindow({3})), Shape{0});
}

} // namespace
} // namespace sd
