#include "runtime/kernels/MatMul.h"

#include "test/unit/kernels/RandomWords.h"
#include "test/unit/kernels/Targets.h"

namespace sd {
namespace {

template <class R>
class MatMul : public testing::Test {};
TYPED_TEST_SUITE(MatMul, test::BothRings);

template <class R>
std::vector<R> schoolbook(const MatMulShape &s, const std::vector<R> &a, const std::vector<R> &b) {
  std::vector<R> y(s.m * s.n);
  for (std::int64_t i = 0; i < s.m; ++i)
    for (std::int64_t j = 0; j < s.n; ++j)
      for (std::int64_t t = 0; t < s.k; ++t)
        y[i * s.n + j] += a[s.transposeA ? t * s.m + i : i * s.k + t] * b[s.transposeB ? j * s.k + t : t * s.n + j];
  return y;
}

TYPED_TEST(MatMul, EveryKindOfShape) {
  using R = TypeParam;
  std::mt19937_64 rng(1);
  ThreadPool pool(2);
  const std::int64_t sizes[] = {0, 1, 3, 5, 16, 49};
  test::onEveryTarget([&] {
    for (std::int64_t m : sizes)
      for (std::int64_t n : sizes)
        for (std::int64_t k : sizes)
          for (int transposes = 0; transposes < 4; ++transposes) {
            const MatMulShape shape{m, n, k, (transposes & 1) != 0, (transposes & 2) != 0};
            const auto a = test::randomWords<R>(m * k, rng), b = test::randomWords<R>(k * n, rng);
            std::vector<R> y(m * n, 7);
            matMul<R>(pool, shape, a, b, y);
            ASSERT_EQ(y, schoolbook<R>(shape, a, b)) << m << " " << n << " " << k << " " << transposes;
          }
  });
}

TYPED_TEST(MatMul, LargeEnoughForSeveralTasks) {
  using R = TypeParam;
  std::mt19937_64 rng(2);
  ThreadPool pool(3);
  for (const MatMulShape shape : {MatMulShape{1, 1000, 700, false, false}, MatMulShape{1, 1000, 700, false, true},
                                  MatMulShape{90, 300, 200, false, false}, MatMulShape{1000, 1, 700, false, false}}) {
    const auto a = test::randomWords<R>(shape.m * shape.k, rng), b = test::randomWords<R>(shape.k * shape.n, rng);
    std::vector<R> y(shape.m * shape.n);
    matMul<R>(pool, shape, a, b, y);
    ASSERT_EQ(y, schoolbook<R>(shape, a, b));
  }
}

TYPED_TEST(MatMul, BiasGoesToEveryRow) {
  using R = TypeParam;
  std::vector<R> y{1, 2, 3, 4};
  addToRows<R>(std::vector<R>{10, R(-1)}, y);
  EXPECT_EQ(y, (std::vector<R>{11, 1, 13, 3}));
}

} // namespace
} // namespace sd
