// Pads as planes and words: one of two at the receiver, by its choice, at every width and boundary size.
#include "runtime/ot/Pads.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>

#include "test/unit/ot/TwoParties.h"

namespace sd {
namespace {

class PadsTest : public testing::Test {
protected:
  void SetUp() override {
    parties.run(
        [&](Connection &c) -> Expected<void> {
          SD_ASSIGN(cotSender, CotSender::create(c.stream(1), testPrg("sender")));
          return {};
        },
        [&](Connection &c) -> Expected<void> {
          SD_ASSIGN(cotReceiver, CotReceiver::create(c.stream(1), testPrg("receiver")));
          return {};
        });
    sender = std::make_unique<PadSender>(*cotSender);
    receiver = std::make_unique<PadReceiver>(*cotReceiver);
  }

  TwoParties parties;
  std::unique_ptr<CotSender> cotSender;
  std::unique_ptr<CotReceiver> cotReceiver;
  std::unique_ptr<PadSender> sender;
  std::unique_ptr<PadReceiver> receiver;
};

using Words = std::vector<std::uint64_t>;

TEST_F(PadsTest, PlanesAtEveryWidthAndBoundary) {
  for (int width = 1; width <= kMaxPadPlanes; ++width)
    for (std::size_t n : {1u, 63u, 64u, 65u, 255u, 257u, 4096u}) {
      const std::size_t stride = (n + 63) / 64;
      Words zero(width * stride), one(width * stride), got(width * stride), choice(stride);
      parties.run(
          [&](Connection &) {
            return sender->planes(n, width, {zero.data(), stride}, {one.data(), stride});
          },
          [&](Connection &) {
            return receiver->planes(n, width, choice.data(), {got.data(), stride});
          });
      const std::uint64_t last = n % 64 ? (std::uint64_t{1} << n % 64) - 1 : ~std::uint64_t{0};
      for (int j = 0; j < width; ++j)
        for (std::size_t w = 0; w < stride; ++w) {
          const std::size_t i = j * stride + w;
          EXPECT_EQ(got[i], (zero[i] & ~choice[w]) | (one[i] & choice[w])) << width << ' ' << n;
          if (w + 1 == stride) {
            EXPECT_EQ((zero[i] | one[i] | got[i] | choice[w]) & ~last, 0u);
          }
        }
    }
}

TEST_F(PadsTest, WordsAndPlanesOfWordsAreUniform) {
  const std::size_t n = kPadTile;
  std::size_t ones = 0, differences = 0;
  const int rounds = 8;
  for (int round = 0; round < rounds; ++round) {
    Words zero(n), one(n), got(n), choice(n / 64);
    parties.run([&](Connection &) { return sender->words(zero, one); },
                [&](Connection &) { return receiver->words(choice.data(), got); });
    for (std::size_t i = 0; i < n; ++i) {
      ASSERT_EQ(got[i], choice[i / 64] >> (i % 64) & 1 ? one[i] : zero[i]);
      ones += std::popcount(zero[i]) + std::popcount(one[i]);
      differences += std::popcount(zero[i] ^ one[i]);
    }
  }
  // Both at 7 standard deviations: odds of a false alarm 6e-12.
  const double bits = 64.0 * n * rounds;
  EXPECT_NEAR(static_cast<double>(ones), bits, 7 * std::sqrt(2 * bits) / 2);
  EXPECT_NEAR(static_cast<double>(differences), bits / 2, 7 * std::sqrt(bits) / 2);
}

} // namespace
} // namespace sd
