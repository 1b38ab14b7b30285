// The parts of the extensions by themselves: every path of small trees, the code against its definition, transposition;
// and the known answer of a whole run, which pins every message and key derivation.
#include <gtest/gtest.h>
#include <openssl/sha.h>

#include "runtime/ot/BitMatrix.h"
#include "runtime/ot/CorrelatedTree.h"
#include "runtime/ot/LocalCode.h"
#include "runtime/ot/LpnParameters.h"
#include "runtime/ot/Pads.h"
#include "test/unit/ot/TamperingConnection.h"
#include "test/unit/ot/TwoParties.h"

namespace sd {
namespace {

TEST(CorrelatedTree, EveryPathOfEveryDepth) {
  Prg prg = testPrg("tree");
  for (std::size_t depth = 2; depth <= 8; ++depth)
    for (std::size_t path = 0; path < std::size_t{1} << depth; ++path) {
      const AesKey key(prg.next<Block>());
      Block delta = prg.next<Block>();
      delta.lo |= 1;
      std::vector<Block> v(std::size_t{1} << depth), w(v.size()), sums(depth), sides(depth);
      growTree(key, prg.next<Block>(), delta, v, sums);
      std::array<std::uint8_t, 8> choices{};
      for (std::size_t level = 0; level < depth; ++level) {
        choices[level] = (~path >> level) & 1;
        sides[level] = sums[level] ^ (delta & Block::mask(choices[level]));
      }
      openTree(key, std::span(choices).first(depth), sides, w);
      for (std::size_t i = 0; i < v.size(); ++i) {
        EXPECT_EQ(v[i].lo & 1, 0u);
        ASSERT_EQ(v[i] ^ w[i], i == path ? delta : Block{}) << depth << ' ' << path << ' ' << i;
      }
    }
}

TEST(LocalCode, RowsAreWhatTheyAreDefinedToBe) {
  Prg prg = testPrg("code");
  const AesKey code(prg.next<Block>());
  for (int logSecret : {4, 9, 16}) {
    std::vector<Block> secret(std::size_t{1} << logSecret);
    prg.fill(std::span(secret));
    for (std::size_t n : {1u, 2u, 511u, 512u, 513u, 1025u}) {
      const std::uint64_t first = 6;
      std::vector<Block> words(n), wanted(n), draws(5 * (n / 2 + 1));
      prg.fill(std::span(words));
      aesKernels(AesBackend::Portable)->counter(code, first / 2 * 5, draws.data(), draws.size());
      const auto *places = reinterpret_cast<const std::uint32_t *>(draws.data());
      for (std::size_t i = 0; i < n; ++i) {
        wanted[i] = words[i];
        for (int j = 0; j < kCodeWeight; ++j)
          wanted[i] ^= secret[places[kCodeWeight * i + j] >> 4 & (secret.size() - 1)];
      }
      addCodeRows(code, first, secret.data(), logSecret, words);
      EXPECT_EQ(words, wanted) << logSecret << ' ' << n;
    }
  }
}

TEST(BitMatrix, RowsOfColumns) {
  Prg prg = testPrg("matrix");
  const std::size_t rows = 192, stride = 5;
  std::vector<std::uint64_t> planes(128 * stride);
  prg.fill(std::span(planes));
  std::vector<Block> out(rows);
  transposeToRows(planes.data(), stride, out);
  for (std::size_t i = 0; i < rows; ++i)
    for (std::size_t c = 0; c < 128; ++c)
      ASSERT_EQ((c < 64 ? out[i].lo >> c : out[i].hi >> (c - 64)) & 1, planes[c * stride + i / 64] >> (i % 64) & 1);
}

std::string hex(const std::uint8_t *bytes, std::size_t n) {
  std::string text;
  for (std::size_t i = 0; i < n; ++i)
    text += fmt::format("{:02x}", bytes[i]);
  return text;
}

// A change of any of these changes the protocol: parties of different versions would no longer understand each other.
TEST(KnownAnswers, WholeRunsWithFixedSeeds) {
  TwoParties parties;
  TamperingConnection a(*parties.a), b(*parties.b);
  const std::size_t n = 100'000;
  std::array<std::uint8_t, 32> digest;
  std::vector<Block> q(n), t(n);
  std::vector<std::uint64_t> pads(64), choices(1);
  parties.run(
      [&](Connection &) -> Expected<void> {
        SD_ASSIGN(const auto cot, CotSender::create(a.stream(1), testPrg("sender")));
        SD_TRY(cot->extend(q));
        PadSender sender(*cot);
        std::vector<std::uint64_t> zero(64), one(64);
        return sender.words(zero, one);
      },
      [&](Connection &) -> Expected<void> {
        SD_ASSIGN(const auto cot, CotReceiver::create(b.stream(1), testPrg("receiver")));
        SD_TRY(cot->extend(t));
        PadReceiver receiver(*cot);
        return receiver.words(choices.data(), pads);
      });
  const auto digestOf = [&](const auto &blocks) {
    const auto bytes = std::as_bytes(std::span(blocks));
    return hex(SHA256(reinterpret_cast<const std::uint8_t *>(bytes.data()), bytes.size(), digest.data()), 8);
  };
  EXPECT_EQ(digestOf(q), "6dc8ebfa4deb91a4");
  EXPECT_EQ(digestOf(t), "cf9c865b82252825");
  EXPECT_EQ(digestOf(pads), "b00df86ec58a6b57");
  const auto digestOfMessages = [&](const TamperingConnection &side) {
    std::vector<std::uint8_t> all;
    for (const SeenMessage &message : side.seen())
      all.insert(all.end(), message.payload.begin(), message.payload.end());
    return digestOf(all);
  };
  EXPECT_EQ(digestOfMessages(a), "0c2911c1a5156bca");
  EXPECT_EQ(digestOfMessages(b), "2bb2481012b5e4f2");
}

} // namespace
} // namespace sd
