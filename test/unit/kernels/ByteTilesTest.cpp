// Products by bytes, with a unit of byte matrices in software, and with the machine's own if it has one.
#include "runtime/kernels/Convolution.h"

#include <cstring>

#include "runtime/kernels/ByteLimbs.h"
#include "test/unit/kernels/RandomWords.h"
#include "test/unit/kernels/Targets.h"

namespace sd {
namespace {

constexpr int kTiles = 8, kRows = 16, kRowBytes = 64;
std::uint8_t tiles[kTiles][kRows][kRowBytes];
int units = 0; // at work

struct SoftwareUnit {
  SoftwareUnit() { ++units; }
  ~SoftwareUnit() {
    --units;
    std::memset(tiles, 0xa5, sizeof tiles);
  }
  SoftwareUnit(const SoftwareUnit &) = delete;
  SoftwareUnit &operator=(const SoftwareUnit &) = delete;

  template <int Tile>
  static void zero() {
    ASSERT_EQ(units, 1);
    std::memset(tiles[Tile], 0, sizeof tiles[Tile]);
  }
  template <int Tile>
  static void load(const void *rows, std::int64_t stride) {
    for (int i = 0; i < kRows; ++i)
      std::memcpy(tiles[Tile][i], static_cast<const std::uint8_t *>(rows) + i * stride, kRowBytes);
  }
  template <int Tile>
  static void store(void *rows, std::int64_t stride) {
    for (int i = 0; i < kRows; ++i)
      std::memcpy(static_cast<std::uint8_t *>(rows) + i * stride, tiles[Tile][i], kRowBytes);
  }
  // TDPBUUD of Intel's Software Developer's Manual.
  template <int Sum, int A, int B>
  static void add() {
    for (int m = 0; m < kRows; ++m)
      for (int q = 0; q < kRowBytes / 4; ++q) {
        std::uint32_t sum;
        std::memcpy(&sum, &tiles[Sum][m][4 * q], 4);
        for (int k = 0; k < kRowBytes / 4; ++k)
          for (int i = 0; i < 4; ++i)
            sum += std::uint32_t{tiles[A][m][4 * k + i]} * tiles[B][k][4 * q + i];
        std::memcpy(&tiles[Sum][m][4 * q], &sum, 4);
      }
  }
};

ConvShape layer(std::int64_t groups, std::int64_t in, std::int64_t out, std::int64_t extent, std::int64_t kernel,
                std::int64_t stride = 1) {
  const std::int64_t pad = kernel / 2;
  return {1, groups, in, out, {extent, extent}, {{kernel, kernel}, {stride, stride}, {1, 1}, {pad, pad}, {pad, pad}}};
}

int calls = 0;
void counted(const ByteProduct &product, std::int64_t rows, std::int64_t columns) {
  ++calls;
  multiplyBytes<SoftwareUnit>(product, rows, columns);
}

void expectSameAsWords(const ConvShape &shape, std::mt19937_64 &rng) {
  SCOPED_TRACE(fmt::format("groups {} channels {}->{} input {} kernel {} strides {}", shape.groups, shape.inChannels,
                           shape.outChannels, shape.input, shape.window.kernel, shape.window.strides));
  ThreadPool pool(1);
  const auto x = test::randomWords<Ring32>(shape.inputSize(), rng);
  const auto w = test::randomWords<Ring32>(shape.weightSize(), rng);
  const auto bias = test::randomWords<Ring32>(shape.outChannels, rng);
  std::vector<Ring32> expected(shape.outputSize()), y(shape.outputSize());
  convolveBy<Ring32>(nullptr, pool, shape, x, w, bias, expected);
  calls = 0;
  convolveBy<Ring32>(counted, pool, shape, x, w, bias, y);
  EXPECT_GT(calls, 0);
  EXPECT_EQ(y, expected);
  if (ByteKernel *kernel = byteKernel()) { // this machine's
    y.assign(y.size(), 0);
    convolveBy<Ring32>(kernel, pool, shape, x, w, bias, y);
    EXPECT_EQ(y, expected);
  }
}

TEST(ByteTiles, AgreeWithWords) {
  std::mt19937_64 rng(1);
  test::onEveryTarget([&] {
    for (const ConvShape &shape : {
             layer(1, 64, 16, 4, 1),                             // one tile of each
             layer(1, 64, 32, 5, 3),                             // columns that fill no tile
             layer(1, 70, 37, 7, 3),                             // nor do rows and channels
             layer(1, 130, 70, 9, 1),                            // several blocks and chunks of rows
             layer(1, 33, 9, 11, 3, 2), layer(2, 128, 34, 6, 3), // groups
             layer(3, 99, 51, 8, 2),                             // a last quad of one channel
         })
      expectSameAsWords(shape, rng);
    ConvShape batch = layer(1, 20, 16, 5, 3);
    batch.batch = 2;
    expectSameAsWords(batch, rng);
    expectSameAsWords({1, 1, 64, 64, {40}, {{5}, {1}, {2}, {4}, {4}}}, rng);
    expectSameAsWords({1, 1, 17, 16, {3, 4, 5}, plainWindow({2, 2, 2})}, rng);
  });
}

TEST(ByteTiles, ExtremeWords) {
  ThreadPool pool(1);
  const ConvShape shape = layer(1, 64, 16, 4, 3);
  for (const Ring32 word : {0x00000000u, 0xffffffffu, 0x80000000u, 0x7fffffffu, 0xff00ff00u, 0x00010001u}) {
    const std::vector<Ring32> x(shape.inputSize(), word), w(shape.weightSize(), 0xffffffffu);
    std::vector<Ring32> expected(shape.outputSize()), y(shape.outputSize());
    convolveBy<Ring32>(nullptr, pool, shape, x, w, {}, expected);
    convolveBy<Ring32>(multiplyBytes<SoftwareUnit>, pool, shape, x, w, {}, y);
    EXPECT_EQ(y, expected);
  }
}

// Tiles that would be mostly empty are no gain.
TEST(ByteTiles, LeaveSmallLayersToWords) {
  ThreadPool pool(1);
  for (const ConvShape &shape : {layer(1, 3, 64, 8, 3), layer(1, 64, 3, 8, 3), layer(96, 96, 96, 8, 3),
                                 layer(1, 64, 64, 3, 1), layer(16, 64, 64, 8, 3)}) {
    std::vector<Ring32> x(shape.inputSize()), w(shape.weightSize()), y(shape.outputSize());
    calls = 0;
    convolveBy<Ring32>(counted, pool, shape, x, w, {}, y);
    EXPECT_EQ(calls, 0);
  }
}

TEST(ByteLimbs, Layout) {
  std::mt19937_64 rng(2);
  constexpr std::int64_t kChannels = 67, kTaps = 3, kRowsOfW = 18;
  const auto w = test::randomWords<Ring32>(kRowsOfW * kChannels * kTaps, rng);
  std::vector<std::uint8_t> out(byteWeightsSize(kRowsOfW, kChannels, kTaps), 7);
  ASSERT_EQ(out.size(), 2u * 2 * kTaps * kByteStep);
  test::onEveryTarget([&] {
    packByteWeights(w.data(), kChannels * kTaps, kRowsOfW, kChannels, kTaps, out.data());
    for (std::int64_t m = 0; m < 32; ++m)
      for (std::int64_t c = 0; c < 128; ++c)
        for (std::int64_t t = 0; t < kTaps; ++t)
          for (int i = 0; i < kLimbs; ++i) {
            const std::int64_t step = (m / 16 * 2 + c / 64) * kTaps + t;
            const bool real = m < kRowsOfW && c < kChannels;
            ASSERT_EQ(out[step * kByteStep + (i * 16 + m % 16) * 64 + c % 64],
                      real ? w[(m * kChannels + c) * kTaps + t] >> 8 * i & 255 : 0);
          }
  });
}

} // namespace
} // namespace sd
