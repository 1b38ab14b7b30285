#include "runtime/crypto/Random.h"

#include <gtest/gtest.h>

#include <numeric>
#include <set>

#include "test/unit/crypto/Hex.h"

namespace sd {
namespace {

using test::fromHex;
using test::toHex;

Seed seedOf(std::string_view hex) {
  const std::vector<std::uint8_t> bytes = fromHex(hex);
  return Seed(std::span<const std::uint8_t, Seed::kBytes>(bytes.data(), Seed::kBytes));
}

std::string stream(const Seed &seed, std::size_t size) {
  std::vector<std::uint8_t> out(size);
  Prg(seed).fill(std::span(out));
  return toHex(out);
}

// Blocks 0, 1 and 2 of the counter are the hash key, the tag and the ciphertext of test cases 1 and 2 of
// McGrew and Viega's GCM vectors (as in NIST SP 800-38D's validation), which encrypt zeros.
TEST(Prg, AnswersOfAesCtr) {
  EXPECT_EQ(stream(seedOf("00000000000000000000000000000000"), 48), "66e94bd4ef8a2c3b884cfa59ca342b2e"
                                                                    "58e2fccefa7e3061367f1d57a4e7455a"
                                                                    "0388dace60b6a392f328c2b971b2fe78");
  EXPECT_EQ(stream(seedOf("feffe9928665731c6d6a8f9467308308"), 16), "b83b533708bf535d0aa6e52980d53b78");
}

// E_0(80 00 ... 00), of the AESAVS variable text tests.
TEST(Prg, NonceIsTheCountersUpperHalf) {
  std::vector<std::uint8_t> out(16);
  Prg(seedOf("00000000000000000000000000000000"), 0x80).fill(std::span(out));
  EXPECT_EQ(toHex(out), "3ad78e726c1ec02b7ebfe92b23d9ec34");
}

TEST(Prg, SlicingDoesNotChangeTheStream) {
  const Seed seed = seedOf("000102030405060708090a0b0c0d0e0f");
  const std::size_t total = 200'000;
  const std::string whole = stream(seed, total);
  for (std::size_t slice : {1, 7, 16, 255, 256, 257, 4095, 4096, 4097, 16384, 70'001}) {
    Prg prg(seed);
    std::vector<std::uint8_t> out(total);
    for (std::size_t done = 0; done < total; done += slice)
      prg.fill(std::span(out).subspan(done, std::min(slice, total - done)));
    EXPECT_EQ(toHex(out), whole) << "slices of " << slice;
  }
}

TEST(Prg, WordsAreLittleEndianPiecesOfTheStream) {
  Prg prg(seedOf("00000000000000000000000000000000"));
  EXPECT_EQ(prg.next<std::uint32_t>(), 0xd44be966u);
  EXPECT_EQ(prg.next<std::uint8_t>(), 0xefu);
  std::vector<std::uint16_t> words(2);
  prg.fill(std::span(words));
  EXPECT_EQ(words, (std::vector<std::uint16_t>{0x2c8a, 0x883b}));
}

TEST(Prg, MovingKeepsThePosition) {
  const Seed seed = seedOf("000102030405060708090a0b0c0d0e0f");
  Prg whole(seed), first(seed);
  EXPECT_EQ(first.next<std::uint64_t>(), whole.next<std::uint64_t>());
  Prg second(std::move(first));
  EXPECT_EQ(second.next<std::uint64_t>(), whole.next<std::uint64_t>());
}

TEST(Prg, BytesAreBalanced) {
  Prg prg(seedOf("0f0e0d0c0b0a09080706050403020100"));
  std::vector<std::uint8_t> out(1 << 20);
  prg.fill(std::span(out));
  std::vector<double> counts(256);
  for (std::uint8_t byte : out)
    ++counts[byte];
  const double mean = static_cast<double>(out.size()) / 256;
  const double chiSquare = std::accumulate(counts.begin(), counts.end(), 0.0, [&](double sum, double count) {
    return sum + (count - mean) * (count - mean) / mean;
  });
  EXPECT_GT(chiSquare, 150); // 255 degrees of freedom: outside this range once in 10^6 seeds, and the seed is fixed
  EXPECT_LT(chiSquare, 380);
}

TEST(Seed, DerivesByName) {
  // HKDF-SHA256, no salt, computed with Python's hmac module.
  const Seed seed = seedOf("000102030405060708090a0b0c0d0e0f");
  EXPECT_EQ(toHex(seed.derive("").bytes()), "4e24185f0cf7d7413ccbe2ba72d38dfc");
  EXPECT_EQ(toHex(seed.derive("masks").bytes()), "16568c21b87fe593a4a7d23a04f99b14");
  EXPECT_EQ(toHex(seed.derive("masks2").bytes()), "e214cab14c360ebfa721a9ac313ce9d6");
}

TEST(Seed, FreshOnesDiffer) {
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) {
    const Expected<Seed> seed = Seed::fresh();
    ASSERT_TRUE(seed);
    seen.insert(toHex(seed->bytes()));
  }
  EXPECT_EQ(seen.size(), 1000u);
}

} // namespace
} // namespace sd
