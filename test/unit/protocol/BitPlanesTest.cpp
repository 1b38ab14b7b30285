#include "runtime/kernels/BitPlanes.h"

#include "test/unit/kernels/RandomWords.h"
#include "test/unit/kernels/Targets.h"

namespace sd {
namespace {

using test::onEveryTarget;

const std::size_t kSizes[] = {1, 7, 8, 63, 64, 65, 127, 200, 1000};

template <class R>
std::vector<R> randomWords(std::size_t n, std::uint64_t seed) {
  std::mt19937_64 generator(seed);
  return test::randomWords<R>(n, generator);
}

template <class R>
class WordPlanes : public testing::Test {};
TYPED_TEST_SUITE(WordPlanes, test::BothRings);

std::vector<std::uint64_t> randomPlanes(std::size_t words, std::uint64_t seed) {
  std::mt19937_64 generator(seed);
  std::vector<std::uint64_t> planes(words);
  for (auto &word : planes)
    word = generator();
  return planes;
}

TYPED_TEST(WordPlanes, goToPlanesAndBack) {
  using R = TypeParam;
  constexpr int bits = kBitsOf<R>, middle = bits - 12;
  onEveryTarget([] {
    for (const std::size_t n : kSizes) {
      const auto words = randomWords<R>(n, n);
      const std::size_t stride = planeWords(n);
      std::vector<std::uint64_t> planes(stride * bits, ~std::uint64_t{0});
      wordsToPlanes(words, 0, bits, {planes.data(), stride});
      for (std::size_t i = 0; i < n; ++i)
        for (int j = 0; j < bits; ++j)
          ASSERT_EQ(planes[j * stride + i / 64] >> (i % 64) & 1, words[i] >> j & 1);
      if (n % 64) {
        ASSERT_EQ(planes[stride - 1] >> (n % 64), 0u);
      }
      std::vector<R> back(n);
      planesToWords({planes.data(), stride}, bits, back);
      EXPECT_EQ(back, words);
      wordsToPlanes(words, 10, middle, {planes.data(), stride});
      planesToWords({planes.data(), stride}, middle, back);
      for (std::size_t i = 0; i < n; ++i)
        ASSERT_EQ(back[i], words[i] >> 10 & ((R{1} << middle) - 1));
    }
  });
}

TEST(BitPlanes, lookupReadsTheIndexedEntry) {
  onEveryTarget([] {
    for (const std::size_t words : {std::size_t{1}, std::size_t{7}, std::size_t{8}, std::size_t{33}})
      for (int bits = 1; bits <= 4; ++bits) {
        const auto table = randomPlanes(words << bits, words + bits);
        const auto index = randomPlanes(words * bits, words * 100 + bits);
        std::vector<std::uint64_t> out(words);
        lookupPlanes({table.data(), words}, {index.data(), words}, bits, out.data(), words);
        for (std::size_t i = 0; i < words * 64; ++i) {
          std::size_t e = 0;
          for (int j = 0; j < bits; ++j)
            e |= (index[j * words + i / 64] >> (i % 64) & 1) << j;
          ASSERT_EQ(out[i / 64] >> (i % 64) & 1, table[e * words + i / 64] >> (i % 64) & 1);
        }
      }
  });
}

TYPED_TEST(WordPlanes, packWithoutPaddingBetweenThem) {
  using R = TypeParam;
  constexpr int width = kBitsOf<R> - 19;
  for (const std::size_t n : kSizes) {
    const std::size_t stride = planeWords(n);
    const auto planes = randomPlanes(stride * 5, n);
    const auto words = randomWords<R>(n, 5);
    std::vector<std::uint8_t> packed(bytesOfBits(5 * n + width * n), 0xFF);
    BitWriter writer(packed);
    for (int j = 0; j < 3; ++j)
      writer.plane(planes.data() + j * stride, n);
    writer.fields(words, width);
    for (int j = 3; j < 5; ++j)
      writer.plane(planes.data() + j * stride, n);
    ASSERT_EQ(writer.finish(), packed.size());
    for (std::size_t i = 0; i < 3 * n; ++i)
      ASSERT_EQ(packed[i / 8] >> (i % 8) & 1, planes[i / n * stride + i % n / 64] >> (i % n % 64) & 1);

    BitReader reader(packed);
    std::vector<std::uint64_t> out(stride * 5);
    std::vector<R> fields(n);
    for (int j = 0; j < 3; ++j)
      reader.plane(out.data() + j * stride, n);
    reader.fields(fields, width);
    for (int j = 3; j < 5; ++j)
      reader.plane(out.data() + j * stride, n);
    EXPECT_TRUE(reader.finish());
    for (std::size_t i = 0; i < n; ++i) {
      ASSERT_EQ(fields[i], words[i] & ((R{1} << width) - 1));
      for (int j = 0; j < 5; ++j)
        ASSERT_EQ(out[j * stride + i / 64] >> (i % 64) & 1, planes[j * stride + i / 64] >> (i % 64) & 1);
    }
  }
}

TEST(BitPlanes, readerFindsNonZeroPaddingAndLeftOverBytes) {
  const std::vector<std::uint8_t> clean = {0x07}, dirty = {0x0F}, longer = {0x07, 0x00};
  std::uint64_t word = 0;
  for (const auto &[bytes, ok] : {std::pair{clean, true}, {dirty, false}, {longer, false}}) {
    BitReader reader(bytes);
    reader.plane(&word, 3);
    EXPECT_EQ(word, 7u);
    EXPECT_EQ(reader.finish(), ok);
  }
}

TEST(BitPlanes, swapExchangesWhereChosen) {
  auto a = randomPlanes(3, 1), b = randomPlanes(3, 2);
  const auto choice = randomPlanes(3, 3), a0 = a, b0 = b;
  swapPlanes(a.data(), b.data(), choice.data(), 3);
  for (int w = 0; w < 3; ++w) {
    EXPECT_EQ(a[w], (choice[w] & b0[w]) | (~choice[w] & a0[w]));
    EXPECT_EQ(b[w], (choice[w] & a0[w]) | (~choice[w] & b0[w]));
  }
}

} // namespace
} // namespace sd
