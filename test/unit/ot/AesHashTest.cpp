// AES kernels: FIPS 197 known answers, and every backend against the portable one.
#include "runtime/crypto/AesHash.h"

#include <gtest/gtest.h>

#include <bit>
#include <cstring>
#include <vector>

#include "runtime/crypto/Random.h"

namespace sd {
namespace {

Block fromHex(std::string_view hex) {
  std::uint8_t bytes[16];
  for (int i = 0; i < 16; ++i)
    bytes[i] = static_cast<std::uint8_t>(std::stoi(std::string(hex.substr(2 * i, 2)), nullptr, 16));
  Block block;
  std::memcpy(&block, bytes, 16);
  return block;
}

std::vector<Block> randomBlocks(std::size_t n, std::uint8_t seed) {
  std::array<std::uint8_t, 16> bytes{};
  bytes[0] = seed;
  Prg prg{Seed(bytes)};
  std::vector<Block> blocks(n);
  prg.fill(std::span<Block>(blocks));
  return blocks;
}

class AesBackendTest : public testing::TestWithParam<AesBackend> {
protected:
  void SetUp() override {
    kernels = aesKernels(GetParam());
    if (!kernels) GTEST_SKIP() << "this processor lacks the instructions";
  }
  const AesKernels *kernels = nullptr;
  const AesKernels &portable = *aesKernels(AesBackend::Portable);
};

TEST_P(AesBackendTest, KnownAnswerOfFips197) {
  const Block key = fromHex("000102030405060708090a0b0c0d0e0f");
  const Block plain = fromHex("00112233445566778899aabbccddeeff");
  const Block coded = fromHex("69c4e0d86a7b0430d8cdb78070b4c55a");
  const AesKey keys[4] = {AesKey(key), AesKey(plain), AesKey(key), AesKey(coded)};
  Block out[4];
  kernels->stretch(keys, &plain, out, 1);
  EXPECT_EQ(out[0] ^ plain, coded);
  EXPECT_EQ(out[2] ^ plain, coded);
  // H(x) = E(s(x)) ^ s(x): choose x so that s(x) is the known plain text.
  const Block x{plain.hi ^ plain.lo, plain.lo};
  Block hashed;
  kernels->hash(keys[0], Block{}, &x, &hashed, 1);
  EXPECT_EQ(hashed, coded ^ plain);
  // The counter block of the zero key: E_0(0), from the NIST AESAVS tables.
  Block zero;
  kernels->counter(AesKey(Block{}), 0, &zero, 1);
  EXPECT_EQ(zero, fromHex("66e94bd4ef8a2c3b884cfa59ca342b2e"));
}

TEST_P(AesBackendTest, EqualsPortableAtEverySize) {
  const std::vector<Block> in = randomBlocks(600, 1);
  const AesKey key(in[0]);
  for (std::size_t n : {0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 255, 256, 257, 600}) {
    std::vector<Block> a(n), b(n), c(4 * n), d(4 * n);
    std::vector<std::uint64_t> e(n), f(n);
    kernels->counter(key, ~std::uint64_t{0} - 5, a.data(), n);
    portable.counter(key, ~std::uint64_t{0} - 5, b.data(), n);
    EXPECT_EQ(a, b) << n;
    kernels->hash(key, in[1], in.data(), a.data(), n);
    portable.hash(key, in[1], in.data(), b.data(), n);
    EXPECT_EQ(a, b) << n;
    kernels->hashLow(key, in[2], in.data(), e.data(), n);
    portable.hashLow(key, in[2], in.data(), f.data(), n);
    EXPECT_EQ(e, f) << n;
    const AesKey keys[4] = {AesKey(in[3]), AesKey(in[4]), AesKey(in[5]), AesKey(in[6])};
    kernels->stretch(keys, in.data(), c.data(), n);
    portable.stretch(keys, in.data(), d.data(), n);
    EXPECT_EQ(c, d) << n;
  }
}

TEST_P(AesBackendTest, TreeLevelEqualsPortable) {
  for (std::size_t n : {1, 2, 4, 8, 16, 32, 64, 512}) {
    std::vector<Block> a = randomBlocks(2 * n, 2), b = a;
    const AesKey key(a[0]);
    for (Block mask : {kAllOnes, kClearLowBit}) {
      EXPECT_EQ(kernels->expandLevel(key, mask, a.data(), n), portable.expandLevel(key, mask, b.data(), n));
      EXPECT_EQ(a, b) << n;
    }
  }
}

std::string nameOf(const testing::TestParamInfo<AesBackend> &each) {
  return std::vector{"Portable", "AesNi", "Vaes256", "Vaes512"}[static_cast<std::size_t>(each.param)];
}

INSTANTIATE_TEST_SUITE_P(All, AesBackendTest,
                         testing::Values(AesBackend::Portable, AesBackend::AesNi, AesBackend::Vaes256,
                                         AesBackend::Vaes512),
                         nameOf);

TEST(PadHash, BothPartiesAgreeAndKeysChange) {
  const std::vector<Block> q = randomBlocks(1000, 3);
  const Block delta = q[999];
  std::vector<Block> t = q;
  for (std::size_t i = 0; i < t.size(); i += 2)
    t[i] ^= delta;
  PadHash sender(q[0]), receiver(q[0]);
  std::vector<std::uint64_t> zero(q.size()), one(q.size()), got(q.size());
  for (int round = 0; round < 2; ++round) {
    std::vector<std::uint64_t> before = zero;
    sender.pairs(q, delta, zero.data(), one.data());
    receiver.single(t, got.data());
    for (std::size_t i = 0; i < t.size(); ++i) {
      EXPECT_EQ(got[i], i % 2 == 0 ? one[i] : zero[i]);
      EXPECT_NE(zero[i], one[i]);
      EXPECT_NE(zero[i], before[i]); // a second use of the same q has other pads (odds of a false alarm 2^-53)
    }
  }
}

} // namespace
} // namespace sd
