#include "runtime/kernels/TileTargets.h"

#include <gmock/gmock.h>

#include "test/unit/kernels/RandomWords.h"
#include "test/unit/kernels/Targets.h"

namespace sd {
namespace {

TEST(Tile, EveryVariantOnEveryTarget) {
  std::mt19937_64 rng(1);
  constexpr std::int64_t kOffsets[] = {0, 1, 9}, kChannels = 5, kStride = 80, kDepth = kChannels * 3;
  constexpr std::int64_t kMostRows = 9;
  const auto w = test::randomWords<Ring32>(kMostRows * kDepth, rng);
  const auto x = test::randomWords<Ring32>(kChannels * kStride, rng);
  test::onEveryTarget([&] {
    for (const TileVariant &variant : tileVariants()) {
      SCOPED_TRACE(variant.name);
      for (std::int64_t rows = 1; rows <= kMostRows; ++rows)
        for (const std::int64_t columns : {1, 8, 16, 17, 31, 33, 48}) {
          std::vector<Ring32> y(rows * 64, 7);
          variant.kernel({w.data(), kDepth, x.data(), kStride, kChannels, kOffsets, y.data(), 64}, rows, columns);
          for (std::int64_t m = 0; m < rows; ++m)
            for (std::int64_t q = 0; q < columns; ++q) {
              Ring32 sum = 0;
              for (std::int64_t c = 0; c < kChannels; ++c)
                for (std::size_t t = 0; t < 3; ++t)
                  sum += w[m * kDepth + c * 3 + t] * x[c * kStride + kOffsets[t] + q];
              ASSERT_EQ(y[m * 64 + q], sum) << rows << " rows, column " << q << " of " << columns;
            }
        }
    }
  });
}

} // namespace
} // namespace sd
