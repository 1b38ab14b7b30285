// Base transfers: the definition, the receiver's keys on the wire, and invalid points.
#include "runtime/ot/BaseOt.h"

#include <gtest/gtest.h>
#include <openssl/bn.h>

#include <cstring>

#include "runtime/ot/OtTags.h"
#include "test/unit/ot/TamperingConnection.h"
#include "test/unit/ot/TwoParties.h"

namespace sd {
namespace {

struct Transcript {
  std::vector<Block> zero, one, chosen;
  std::vector<std::uint8_t> choices;
  Block nameAtSender, nameAtReceiver;
  std::pair<Expected<void>, Expected<void>> ended;
  std::vector<SeenMessage> seenBySender;
};

Transcript run(std::size_t n, TamperingConnection::Hook atSender = {}, TamperingConnection::Hook atReceiver = {}) {
  TwoParties parties;
  TamperingConnection a(*parties.a, std::move(atSender)), b(*parties.b, std::move(atReceiver));
  Transcript result;
  result.zero.resize(n);
  result.one.resize(n);
  result.chosen.resize(n);
  result.choices.resize(n);
  testPrg("choices").fill(std::span(result.choices));
  for (std::uint8_t &c : result.choices)
    c &= 1;
  result.ended = parties.runBoth(
      [&](Connection &) -> Expected<void> {
        Prg prg = testPrg("sender");
        SD_ASSIGN(result.nameAtSender, sendBaseOts(a.stream(1), prg, result.zero, result.one));
        return {};
      },
      [&](Connection &) -> Expected<void> {
        Prg prg = testPrg("receiver");
        SD_ASSIGN(result.nameAtReceiver, receiveBaseOts(b.stream(1), prg, result.choices, result.chosen));
        return {};
      });
  result.seenBySender = a.seen();
  return result;
}

TEST(BaseOt, ReceiverGetsTheChosenPadAlone) {
  const Transcript result = run(128);
  ASSERT_TRUE(result.ended.first && result.ended.second);
  EXPECT_EQ(result.nameAtSender, result.nameAtReceiver);
  for (std::size_t i = 0; i < 128; ++i) {
    EXPECT_EQ(result.chosen[i], result.choices[i] ? result.one[i] : result.zero[i]);
    EXPECT_NE(result.chosen[i], result.choices[i] ? result.zero[i] : result.one[i]);
    for (std::size_t j = 0; j < i; ++j)
      EXPECT_NE(result.zero[i], result.zero[j]);
  }
}

// x-only scalar multiplication over BIGNUMs, without clamping (RFC 7748, section 5).
class Ladder {
public:
  Ladder() {
    BN_set_bit(p_, 255);
    BN_sub_word(p_, 19);
    // The order of the prime subgroup, 2^252 + 27742317777372353535851937790883648493.
    BIGNUM *tail = nullptr;
    BN_dec2bn(&tail, "27742317777372353535851937790883648493");
    BN_set_bit(order_, 252);
    BN_add(order_, order_, tail);
    BN_free(tail);
  }
  ~Ladder() {
    for (BIGNUM *n : {p_, order_})
      BN_free(n);
    BN_CTX_free(context_);
  }

  // Whether u lies on the curve (not on its twist).
  bool onCurve(const std::uint8_t *bytes) {
    BIGNUM *u = BN_lebin2bn(bytes, 32, nullptr), *v = BN_dup(u);
    BN_add_word(v, 486662);
    BN_mod_mul(v, v, u, p_, context_);
    BN_add_word(v, 1);
    BN_mod_mul(v, v, u, p_, context_);
    const bool good = BN_kronecker(v, p_, context_) == 1;
    BN_free(u);
    BN_free(v);
    return good;
  }

  // Whether order times the point is the point at infinity.
  bool inSubgroup(const std::uint8_t *bytes) {
    BIGNUM *u = BN_lebin2bn(bytes, 32, nullptr);
    BIGNUM *x2 = BN_new(), *z2 = BN_new(), *x3 = BN_dup(u), *z3 = BN_new();
    BN_one(x2);
    BN_one(z3);
    BIGNUM *a = BN_new(), *b = BN_new(), *c = BN_new(), *d = BN_new(), *e = BN_new();
    for (int i = 252; i >= 0; --i) {
      const bool bit = BN_is_bit_set(order_, i);
      if (bit) {
        BN_swap(x2, x3);
        BN_swap(z2, z3);
      }
      BN_mod_add(a, x2, z2, p_, context_);
      BN_mod_sub(b, x2, z2, p_, context_);
      BN_mod_add(c, x3, z3, p_, context_);
      BN_mod_sub(d, x3, z3, p_, context_);
      BN_mod_mul(d, d, a, p_, context_);
      BN_mod_mul(c, c, b, p_, context_);
      BN_mod_add(x3, d, c, p_, context_);
      BN_mod_sqr(x3, x3, p_, context_);
      BN_mod_sub(z3, d, c, p_, context_);
      BN_mod_sqr(z3, z3, p_, context_);
      BN_mod_mul(z3, z3, u, p_, context_);
      BN_mod_sqr(a, a, p_, context_);
      BN_mod_sqr(b, b, p_, context_);
      BN_mod_mul(x2, a, b, p_, context_);
      BN_mod_sub(e, a, b, p_, context_);
      BN_set_word(z2, 121665);
      BN_mod_mul(z2, z2, e, p_, context_);
      BN_mod_add(z2, z2, a, p_, context_);
      BN_mod_mul(z2, z2, e, p_, context_);
      if (bit) {
        BN_swap(x2, x3);
        BN_swap(z2, z3);
      }
    }
    const bool good = BN_is_zero(z2);
    for (BIGNUM *n : {u, x2, z2, x3, z3, a, b, c, d, e})
      BN_free(n);
    return good;
  }

private:
  BIGNUM *p_ = BN_new(), *order_ = BN_new();
  BN_CTX *context_ = BN_CTX_new();
};

// What tells a real key from a sampled one: nothing may. A random u would fail one of these with odds 15/16.
TEST(BaseOt, BothKeysLieInThePrimeSubgroup) {
  const Transcript result = run(40);
  ASSERT_EQ(result.seenBySender.size(), 1u);
  Ladder ladder;
  const std::uint8_t *keys = result.seenBySender[0].payload.data();
  for (std::size_t i = 0; i < 80; ++i) {
    EXPECT_TRUE(ladder.onCurve(keys + 32 * i)) << i;
    EXPECT_TRUE(ladder.inSubgroup(keys + 32 * i)) << i;
  }
  const std::uint8_t notInSubgroup[32] = {1}; // u = 1, of order 4
  EXPECT_FALSE(ladder.inSubgroup(notInSubgroup));
}

// Bit statistics of the sender's view: each key's bits are balanced whatever the choice; 2 * 255 tests over 600
// transfers at 6 standard deviations, a false alarm below 1e-6 (and the seeds are fixed).
TEST(BaseOt, SendersViewIsUniform) {
  const std::size_t n = 600;
  const Transcript result = run(n);
  ASSERT_TRUE(result.ended.first && result.ended.second);
  const std::uint8_t *keys = result.seenBySender[0].payload.data();
  for (int bit = 0; bit < 254; ++bit) {
    std::size_t ones[2] = {};
    for (std::size_t i = 0; i < n; ++i)
      for (int real = 0; real < 2; ++real) {
        const std::uint8_t *key = keys + 64 * i + 32 * (result.choices[i] ^ real ^ 1);
        ones[real] += key[bit / 8] >> (bit % 8) & 1;
      }
    for (int real = 0; real < 2; ++real)
      EXPECT_NEAR(static_cast<double>(ones[real]), n / 2.0, 6 * 12.3) << bit;
  }
}

TEST(BaseOt, PointsOfLowOrderAreRefused) {
  const auto zeroPoint = [](std::size_t, SeenMessage &message) {
    std::fill_n(message.payload.begin(), 32, std::uint8_t{0});
  };
  EXPECT_FALSE(run(4, zeroPoint).ended.first);
  EXPECT_FALSE(run(4, {}, zeroPoint).ended.second);
}

TEST(BaseOt, ATamperedKeyGivesOtherPads) {
  const Transcript result = run(8, [](std::size_t, SeenMessage &message) { message.payload[3] ^= 4; });
  ASSERT_TRUE(result.ended.second);
  EXPECT_NE(result.nameAtSender, result.nameAtReceiver);
}

} // namespace
} // namespace sd
