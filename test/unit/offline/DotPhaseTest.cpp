// Products of matrices in the two-party provider: right, and with factors that serve one op of one inference.
#include <cmath>
#include <optional>
#include <set>

#include <gtest/gtest.h>

#include "ir/core/ScheduleAttr.h"
#include "runtime/offline/TwoParty.h"
#include "runtime/vm/MaskWalk.h"
#include "test/unit/ot/TamperingConnection.h"
#include "test/unit/ot/TwoParties.h"
#include "test/unit/vm/Programs.h"

namespace sd {
namespace {

Seed seed(std::uint8_t first, std::uint8_t second = 0) { return Seed(std::array<std::uint8_t, 16>{first, second}); }

// x [1, 24] -> rows, columns -> rows columns^T -> truncation -> that, times rows -> output; no layer with weights.
template <RingWord R>
struct Scores {
  test::ProgramBuilder<R> builder;
  Plan plan;

  Scores() {
    const Shape in{1, 96};
    const SlotId x = builder.add(OpKind::ShareInput, {builder.input("x", in)}, {}, Type::share(in, 10));
    const auto shaped = [&](SlotId of, Shape dims) {
      return builder.add(OpKind::ShareReshape, {of}, {{Attr::Dims, std::move(dims)}});
    };
    const SlotId rows = shaped(x, {2, 6, 8}), columns = shaped(x, {2, 6, 8});
    SlotId scores = builder.add(OpKind::ShareDot, {rows, columns});
    scores = builder.add(
        OpKind::ShareTruncate, {scores},
        withSchedule(OpKind::ShareTruncate, {{Attr::Bits, std::int64_t{10}}, {Attr::Bound, std::int64_t{30}}}));
    const SlotId turned =
        builder.add(OpKind::ShareTranspose, {columns}, {{Attr::Perm, std::vector<std::int64_t>{0, 2, 1}}});
    builder.add(OpKind::ShareOutput, {builder.add(OpKind::ShareDot, {scores, turned})});
    plan = *makePlan(builder.program());
  }
};

template <class R>
class DotPhase : public testing::Test {};
TYPED_TEST_SUITE(DotPhase, test::ProgramRings);

TYPED_TEST(DotPhase, GivesCorrelationsOfFreshUniformFactors) {
  using R = TypeParam;
  const Scores<R> net;
  constexpr int kInferences = 4;
  std::vector<R> factors;  // of all ops and inferences
  std::vector<R> products; // the service's shares
  const auto session = [&](std::uint8_t number) {
    TwoParties parties;
    TwoPartyService<R> service{{*parties.a, seed(1, number)}};
    TwoPartyClient<R> client{{*parties.b, seed(2, number)}};
    for (std::uint8_t inference = 0; inference < kInferences; ++inference) {
      ThreadPool pool(1);
      ProgramMaskWalk<R> walk(net.builder.program(), net.plan, pool);
      std::optional<ServiceBundle<R>> left;
      std::optional<ClientBundle<R>> right;
      const auto ended = parties.runBoth(
          [&](Connection &) -> Expected<void> {
            const OfflineJob job{net.builder.program(), net.plan, seed(3 + inference, number), nullptr};
            SD_ASSIGN(left, prepareService(service, job, net.builder.weightSet()));
            return {};
          },
          [&](Connection &) -> Expected<void> {
            const OfflineJob job{net.builder.program(), net.plan, seed(103 + inference, number), nullptr};
            SD_ASSIGN(right, prepareClient(client, job, walk));
            return {};
          });
      ASSERT_TRUE(ended.first) << ended.first.error().message;
      ASSERT_TRUE(ended.second) << ended.second.error().message;
      for (std::size_t i = 0; i < net.plan.entries.size(); ++i) {
        const PlanEntry &entry = net.plan.entries[i];
        if (entry.kind != EntryKind::Dot) continue;
        const auto s = *left->template take<ProductService<R>>(i);
        const auto c = *right->template take<ProductClient<R>>(i);
        const DotShape &shape = entry.dot;
        for (std::int64_t k = 0; k < shape.result(); ++k) {
          const std::int64_t row = k / shape.columns * shape.length,
                             column =
                                 (k / (shape.rows * shape.columns) * shape.columns + k % shape.columns) * shape.length;
          R sum = 0;
          for (std::int64_t l = 0; l < shape.length; ++l)
            sum += s.alpha[row + l] * c.s[column + l] + c.r[row + l] * s.beta[column + l];
          ASSERT_EQ(static_cast<R>(s.product[k] + c.product[k]), sum) << i << ' ' << k;
        }
        for (const auto *words : {&s.alpha, &s.beta})
          factors.insert(factors.end(), words->span().begin(), words->span().end());
        products.insert(products.end(), s.product.span().begin(), s.product.span().end());
      }
    }
  };
  session(0), session(1);
  ASSERT_GT(factors.size(), 2000U);
  for (const auto &words : {factors, products}) {
    const double n = static_cast<double>(words.size());
    for (int bit = 0; bit < kBitsOf<R>; ++bit) {
      double ones = 0;
      for (const R word : words)
        ones += static_cast<double>(word >> bit & 1);
      EXPECT_LT(std::abs(ones - n / 2), 7 * std::sqrt(n) / 2) << bit; // odds of a false alarm: 2^-38 each
    }
    // Of some 3000 words, 3 pairs of equal ones by chance have odds below 2^-30.
    EXPECT_GE(std::set<R>(words.begin(), words.end()).size() + 2, words.size());
  }
}

// Every message changed, cut short or made longer, from either side: the session ends with an error or with material
// that is of no use, and neither party crashes or waits for ever.
TEST(DotPhaseAttacked, TamperedMessagesNeitherCrashNorHang) {
  const Scores<Ring32> net;
  enum Change { kFlip, kCut, kStretch, kChanges };
  const auto run = [&](std::size_t target, bool atService, int change, std::size_t *count) {
    TwoParties parties;
    const auto hook = [=](std::size_t number, SeenMessage &message) {
      if (number != target || message.payload.empty()) return;
      if (change == kCut) message.payload.pop_back();
      if (change == kStretch) message.payload.push_back(0);
      for (std::size_t i = 0; change == kFlip && i < message.payload.size(); i += 7)
        message.payload[i] ^= 0xff;
    };
    TamperingConnection a(*parties.a, atService ? hook : TamperingConnection::Hook{}),
        b(*parties.b, atService ? TamperingConnection::Hook{} : hook);
    TwoPartyService<Ring32> service{{a, seed(1)}};
    TwoPartyClient<Ring32> client{{b, seed(2)}};
    ThreadPool pool(1);
    ProgramMaskWalk<Ring32> walk(net.builder.program(), net.plan, pool);
    const auto ended = parties.runBoth(
        [&](Connection &) -> Expected<void> {
          SD_ASSIGN(const auto made, prepareService(service, {net.builder.program(), net.plan, seed(3), nullptr},
                                                    net.builder.weightSet()));
          return {};
        },
        [&](Connection &) -> Expected<void> {
          SD_ASSIGN(const auto made, prepareClient(client, {net.builder.program(), net.plan, seed(4), nullptr}, walk));
          return {};
        });
    if (count) *count = atService ? a.seen().size() : b.seen().size();
    return ended.first && ended.second;
  };
  for (const bool atService : {true, false}) {
    std::size_t messages = 0;
    EXPECT_TRUE(run(~std::size_t{0}, atService, kFlip, &messages));
    for (std::size_t i = 0; i < messages; ++i)
      for (int change = 0; change < kChanges; ++change) {
        const bool well = run(i, atService, change, nullptr);
        EXPECT_TRUE(change == kFlip || !well) << "message " << i << " of party " << !atService << ", change " << change;
      }
  }
}

} // namespace
} // namespace sd
