// Nothing of the transfers is used twice: Delta, correlations, rows of the code, keys of trees. Seeds are fixed; the
// odds of a false alarm for a fresh seed stand beside each limit.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "runtime/ot/Cot.h"
#include "runtime/ot/OtTags.h"
#include "runtime/ot/SessionKeys.h"
#include "test/unit/ot/TwoParties.h"

namespace sd {
namespace {

struct Session {
  TwoParties parties;
  std::unique_ptr<CotSender> sender;
  std::unique_ptr<CotReceiver> receiver;

  explicit Session(std::string_view name) {
    parties.run(
        [&](Connection &c) -> Expected<void> {
          SD_ASSIGN(sender, CotSender::create(c.stream(1), testPrg(fmt::format("{} sender", name))));
          return {};
        },
        [&](Connection &c) -> Expected<void> {
          SD_ASSIGN(receiver, CotReceiver::create(c.stream(1), testPrg(fmt::format("{} receiver", name))));
          return {};
        });
  }

  // In several requests, which don't end with batches.
  std::vector<Block> take(std::size_t n, std::size_t piece) {
    std::vector<Block> q(n), t(n);
    const auto each = [&](auto &side, std::span<Block> out) -> Expected<void> {
      for (; !out.empty(); out = out.subspan(std::min(piece, out.size())))
        SD_TRY(side.extend(out.first(std::min(piece, out.size()))));
      return {};
    };
    sender->reserve(n);
    receiver->reserve(n);
    parties.run([&](Connection &) { return each(*sender, q); }, [&](Connection &) { return each(*receiver, t); });
    return t;
  }
};

double choices(const Block &block) { return static_cast<double>(block.lo & 1); }

TEST(Freshness, DeltaIsTheSessions) {
  const Session one("one"), two("two");
  EXPECT_NE(one.sender->delta(), two.sender->delta()); // odds of 2^-127
  EXPECT_NE(one.sender->session(), two.sender->session());
}

// By either extension: n blocks of 127 random bits, all different but for odds of n^2 2^-128.
TEST(Freshness, NoTransferComesTwice) {
  for (const std::size_t n : {std::size_t{20'000}, std::size_t{400'000}}) {
    std::vector<Block> t = Session("repeats").take(n, 3001);
    std::ranges::sort(t, {}, [](const Block &b) { return std::pair(b.hi, b.lo); });
    EXPECT_EQ(std::ranges::adjacent_find(t), t.end()) << n;
  }
}

// The silent extension's choice bits are A s + e: fair, and independent from batch to batch, which have rows of A of
// their own. 6 deviations: 2^-29 a comparison.
TEST(Freshness, ChoiceBitsOfBatchesAreFairAndIndependent) {
  constexpr std::size_t kBatch = 32768;
  const std::vector<Block> t = Session("batches").take(12 * kBatch, 12 * kBatch);
  ASSERT_EQ(planCots({}, 12 * kBatch).after.set >= 0, true);
  const double n = kBatch, limit = 6 * std::sqrt(n) / 2;
  for (std::size_t i = 0; i < 12; ++i) {
    double ones = 0;
    for (std::size_t k = 0; k < kBatch; ++k)
      ones += choices(t[i * kBatch + k]);
    EXPECT_NEAR(ones, n / 2, limit) << i;
    for (std::size_t j = 0; j < i; ++j) {
      double agree = 0;
      for (std::size_t k = 0; k < kBatch; ++k)
        agree += choices(t[i * kBatch + k]) == choices(t[j * kBatch + k]);
      EXPECT_NEAR(agree, n / 2, limit) << i << " and " << j;
    }
  }
}

// SoftSpoken's first message from its definition: each of the 16 trees under two keys of its own.
TEST(Freshness, SubspaceTreesHaveKeysOfTheirOwn) {
  TwoParties parties;
  const Block session{3, 4};
  std::vector<Block> zero(kBaseTransfers), one(kBaseTransfers), message(2 * kBaseTransfers);
  for (int i = 0; i < kBaseTransfers; ++i)
    zero[i] = Block{1, static_cast<std::uint64_t>(i)}, one[i] = Block{2, static_cast<std::uint64_t>(i)};
  Prg prg = testPrg("trees"), roots = testPrg("trees");
  parties.run(
      [&](Connection &c) -> Expected<void> {
        return SoftSpokenReceiver::create(c.stream(1), prg, session, zero, one).map([](auto &&) {});
      },
      [&](Connection &c) {
        return c.stream(1).receive(tag::kTreeSums,
                                   std::span(reinterpret_cast<std::uint8_t *>(message.data()), softSpokenSetupBytes()));
      });
  const AesKey source = sessionKey(session, KeyUse::SubspaceTrees);
  for (int tree = 0; tree < kSubspaceTrees; ++tree) {
    Block keys[2];
    aesKernels().counter(source, 2 * static_cast<std::uint64_t>(tree), keys, 2);
    std::vector<Block> nodes{roots.next<Block>()};
    for (int level = 0; level < kSubspaceBits; ++level) {
      std::vector<Block> next(2 * nodes.size());
      Block sums[2];
      for (int side = 0; side < 2; ++side) {
        aesKernels().hash(AesKey(keys[side]), Block{}, nodes.data(), next.data() + side * nodes.size(), nodes.size());
        for (std::size_t i = 0; i < nodes.size(); ++i)
          sums[side] ^= next[side * nodes.size() + i];
      }
      const int at = tree * kSubspaceBits + level;
      EXPECT_EQ(message[2 * at], zero[at] ^ sums[1]) << tree;
      EXPECT_EQ(message[2 * at + 1], one[at] ^ sums[0]) << tree;
      nodes = std::move(next);
    }
  }
}

} // namespace
} // namespace sd
