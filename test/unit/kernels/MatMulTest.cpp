#include "runtime/kernels/MatMul.h"

#include <random>

#include "test/unit/kernels/Targets.h"

namespace sd {
namespace {

std::vector<Ring> schoolbook(const MatMulShape &s, const std::vector<Ring> &a, const std::vector<Ring> &b) {
  std::vector<Ring> y(s.m * s.n);
  for (std::int64_t i = 0; i < s.m; ++i)
    for (std::int64_t j = 0; j < s.n; ++j)
      for (std::int64_t t = 0; t < s.k; ++t)
        y[i * s.n + j] += a[s.transposeA ? t * s.m + i : i * s.k + t] * b[s.transposeB ? j * s.k + t : t * s.n + j];
  return y;
}

TEST(MatMul, EveryKindOfShape) {
  std::mt19937 rng(1);
  ThreadPool pool(2);
  const std::int64_t sizes[] = {0, 1, 3, 5, 16, 49};
  test::onEveryTarget([&] {
    for (std::int64_t m : sizes)
      for (std::int64_t n : sizes)
        for (std::int64_t k : sizes)
          for (int transposes = 0; transposes < 4; ++transposes) {
            const MatMulShape shape{m, n, k, (transposes & 1) != 0, (transposes & 2) != 0};
            std::vector<Ring> a(m * k), b(k * n), y(m * n, 7);
            for (Ring &v : a)
              v = rng();
            for (Ring &v : b)
              v = rng();
            matMul(pool, shape, a, b, y);
            ASSERT_EQ(y, schoolbook(shape, a, b)) << m << " " << n << " " << k << " " << transposes;
          }
  });
}

TEST(MatMul, LargeEnoughForSeveralTasks) {
  std::mt19937 rng(2);
  ThreadPool pool(3);
  for (const MatMulShape shape : {MatMulShape{1, 1000, 700, false, false}, MatMulShape{1, 1000, 700, false, true},
                                  MatMulShape{90, 300, 200, false, false}, MatMulShape{1000, 1, 700, false, false}}) {
    std::vector<Ring> a(shape.m * shape.k), b(shape.k * shape.n), y(shape.m * shape.n);
    for (Ring &v : a)
      v = rng();
    for (Ring &v : b)
      v = rng();
    matMul(pool, shape, a, b, y);
    ASSERT_EQ(y, schoolbook(shape, a, b));
  }
}

TEST(MatMul, BiasGoesToEveryRow) {
  std::vector<Ring> y{1, 2, 3, 4};
  addToRows(std::vector<Ring>{10, 0xFFFFFFFF}, y);
  EXPECT_EQ(y, (std::vector<Ring>{11, 1, 13, 3}));
}

} // namespace
} // namespace sd
