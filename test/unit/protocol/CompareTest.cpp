// Truncation + ReLU, ReLU and maximum against the plaintext oracle, over the whole family of schedules and both rings.
#include "runtime/protocol/Compare.h"

#include "test/unit/kernels/Targets.h"
#include "test/unit/protocol/ProtocolFixture.h"

namespace sd {
namespace {

using namespace test;

constexpr std::size_t kSizes[] = {1, 7, 63, 64, 65, 1000};

template <RingWord R>
void checkRelu(const std::vector<R> &values, const std::vector<R> &results, int t) {
  for (std::size_t i = 0; i < values.size(); ++i)
    ASSERT_TRUE(isRounded(results[i], positivePart(values[i]), t))
        << i << ": " << static_cast<SignedOf<R>>(values[i]) << " / 2^" << t << " gives "
        << static_cast<SignedOf<R>>(results[i]);
}

template <RingWord R>
void checkTraffic(const PlanEntry &entry, const Messages &messages) {
  std::uint64_t sent[2] = {};
  for (std::size_t k = 0; k < messages.size(); ++k)
    sent[k % 2] += messages[k].size();
  const ProtocolCost cost = entry.cost(kBitsOf<R>);
  EXPECT_EQ(sent[0], cost.onlineBytes(0, entry.elements));
  EXPECT_EQ(sent[1], cost.onlineBytes(1, entry.elements));
}

// t and bound.
using Shapes = std::vector<std::pair<int, int>>;

class Schedules : public testing::TestWithParam<std::tuple<int, int, int>> {
protected:
  CompareSchedule schedule() const { return {std::get<1>(GetParam()), std::get<2>(GetParam())}; }
  bool wide() const { return std::get<0>(GetParam()) == 64; }
  template <class F>
  void inRing(F &&body) const {
    withRing(std::get<0>(GetParam()), std::forward<F>(body));
  }
};

TEST_P(Schedules, reluIsOffByLessThanAUnit) {
  const Shapes shapes = wide() ? Shapes{{0, 62}, {0, 46}, {1, 62}, {12, 46}, {20, 46}, {24, 62}}
                               : Shapes{{0, 30}, {1, 30}, {6, 30}, {10, 30}, {12, 30}, {15, 30}, {24, 30}};
  inRing([&]<class R>() {
    for (const auto &[t, bound] : shapes) {
      const PlanEntry entry = entryOf(EntryKind::Compare, 3000, {t, bound, schedule()});
      const auto values = boundaryValues<R>(entry.elements, t, bound, 7);
      const auto run = runEntry<R>(entry, {values}, 100 + static_cast<std::uint64_t>(t));
      checkRelu(values, run.result, t);
      checkTraffic<R>(entry, run.messages);
    }
  });
}

TEST_P(Schedules, tighterBoundsHoldAtTheirEdges) {
  const Shapes shapes = wide()
                            ? Shapes{{0, 61}, {0, 33}, {0, 1}, {20, 40}, {23, 24}, {24, 33}, {16, 32}}
                            : Shapes{{0, 20}, {0, 19}, {0, 1}, {0, 2}, {10, 24}, {10, 11}, {10, 12}, {1, 5}, {23, 24}};
  inRing([&]<class R>() {
    for (const auto &[t, bound] : shapes) {
      const PlanEntry entry = entryOf(EntryKind::Compare, 2000, {t, bound, schedule()});
      auto values = boundaryValues<R>(entry.elements, t, bound, 8);
      const R edge = (R{1} << bound) - (R{1} << t);
      std::fill_n(values.begin() + 100, 500, R{0} - edge); // where a missing carry could borrow past zero
      std::fill_n(values.begin() + 600, 500, edge);
      const auto run = runEntry<R>(entry, {values}, 200 + static_cast<std::uint64_t>(t));
      checkRelu(values, run.result, t);
      checkTraffic<R>(entry, run.messages);
    }
  });
}

TEST_P(Schedules, everySize) {
  inRing([&]<class R>() {
    for (const std::size_t n : kSizes) {
      const PlanEntry entry = entryOf(EntryKind::Compare, n, {10, 30, schedule()});
      const auto values = boundaryValues<R>(n, 10, 30, 9);
      const auto run = runEntry<R>(entry, {values}, n);
      checkRelu(values, run.result, 10);
      checkTraffic<R>(entry, run.messages);
    }
  });
}

TEST_P(Schedules, turnedElementsKeepWhatIsNegative) {
  inRing([&]<class R>() {
    for (const int t : {0, 10}) {
      const PlanEntry entry = entryOf(EntryKind::Compare, 1000, {t, kBoundBitsOf<R>, schedule()});
      auto values = boundaryValues<R>(entry.elements, t, kBoundBitsOf<R>, 14);
      std::vector<R> turned(entry.elements);
      std::mt19937 generator(15);
      for (R &turn : turned)
        turn = generator() % 2;
      auto run = runEntry<R>(entry, {values}, 600, nullptr, turned);
      checkTraffic<R>(entry, run.messages);
      for (std::size_t i = 0; i < turned.size(); ++i) // min(y, 0) = -max(-y, 0)
        if (turned[i]) values[i] = 0 - values[i], run.result[i] = 0 - run.result[i];
      checkRelu(values, run.result, t);
    }
  });
}

TEST_P(Schedules, maximumIsExact) {
  inRing([&]<class R>() {
    for (const int bound : {20, kBoundBitsOf<R>}) {
      const PlanEntry entry = entryOf(EntryKind::Maximum, 1000, {0, bound, schedule()});
      const auto difference = boundaryValues<R>(entry.elements, 0, bound, 10);
      std::vector<R> a(entry.elements), b(entry.elements);
      std::mt19937_64 generator(11);
      for (std::size_t i = 0; i < a.size(); ++i) {
        b[i] = static_cast<R>(generator()); // only the difference is bounded
        a[i] = b[i] + difference[i];
      }
      const auto run = runEntry<R>(entry, {a, b}, 300);
      for (std::size_t i = 0; i < a.size(); ++i)
        ASSERT_EQ(run.result[i], static_cast<SignedOf<R>>(difference[i]) > 0 ? a[i] : b[i]) << i;
      checkTraffic<R>(entry, run.messages);
    }
  });
}

INSTANTIATE_TEST_SUITE_P(All, Schedules,
                         testing::Combine(testing::Values(32, 64), testing::Range(1, 5), testing::Range(2, 5)),
                         [](const auto &point) {
                           return fmt::format("ring{}digit{}radix{}", std::get<0>(point.param),
                                              std::get<1>(point.param), std::get<2>(point.param));
                         });

template <class R>
class Compare : public testing::Test {};
TYPED_TEST_SUITE(Compare, Rings);

// Wider truncations than comparisons are for.
TYPED_TEST(Compare, everyTruncationOfEveryBound) {
  using R = TypeParam;
  for (int bound = 1; bound <= kBoundBitsOf<R>; ++bound)
    for (int t = 0; t < bound && t <= maxTruncation(kBitsOf<R>); ++t) {
      const PlanEntry entry = entryOf(EntryKind::Compare, 40, {t, bound, {4, 4}});
      const auto values = boundaryValues<R>(entry.elements, t, bound, 16);
      checkRelu(values, runEntry<R>(entry, {values}, 700).result, t);
    }
}

TYPED_TEST(Compare, roundingIsUnbiased) {
  using R = TypeParam;
  // Values of one sign, far from zero: the error is uniform in (-1, 1) up to the low bits, standard deviation at most
  // 1/sqrt(2), so the mean of 40000 lies within 5 deviations = 0.018 but for odds of 6e-7. Seeds are fixed.
  constexpr std::size_t kCount = 40000;
  for (const int t : {1, 6, 10, 15}) {
    const PlanEntry entry = entryOf(EntryKind::Compare, kCount, {t, 30, {3, 3}});
    std::vector<R> values(kCount);
    std::mt19937 generator(12);
    for (R &value : values)
      value = (1u << 24) + generator() % (1u << 24);
    const auto run = runEntry<R>(entry, {values}, 400);
    double sum = 0;
    for (std::size_t i = 0; i < kCount; ++i)
      sum += roundingError(run.result[i], values[i], t);
    EXPECT_LT(std::abs(sum / kCount), 0.018) << t;
  }
}

TYPED_TEST(Compare, threadsDoNotChangeTheResult) {
  using R = TypeParam;
  ThreadPool pool(3);
  const std::size_t n = (std::size_t{1} << 16) + 77;
  const PlanEntry entry = entryOf(EntryKind::Compare, n, {10, 30, {3, 3}});
  const auto values = boundaryValues<R>(n, 10, 30, 13);
  const auto alone = runEntry<R>(entry, {values}, 500), shared = runEntry<R>(entry, {values}, 500, &pool);
  EXPECT_EQ(alone.result, shared.result);
  EXPECT_EQ(alone.messages, shared.messages);
}

TYPED_TEST(Compare, everyInstructionSetGivesTheSameMessages) {
  using R = TypeParam;
  for (const PlanEntry &entry :
       {entryOf(EntryKind::Compare, 1000, {10, 30, {3, 3}}), entryOf(EntryKind::Compare, 65, {0, 30, {4, 2}}),
        entryOf(EntryKind::Truncate, 1000, {10, 30, {}})}) {
    const auto values = boundaryValues<R>(entry.elements, entry.compare.truncation, 30, 14);
    const auto best = runEntry<R>(entry, {values}, 600);
    onEveryTarget([&] {
      const auto run = runEntry<R>(entry, {values}, 600);
      EXPECT_EQ(run.messages, best.messages);
      EXPECT_EQ(run.result, best.result);
    });
  }
}

TYPED_TEST(Compare, spentOrForeignMaterialIsRefused) {
  using R = TypeParam;
  const PlanEntry entry = entryOf(EntryKind::Compare, 65, {10, 30, {3, 3}});
  const std::vector<R> r(65, 5);
  const auto y = masked(r, r);
  Dealt<R> dealt = deal<R>(entry, {r}, 1);
  auto material = std::get<CompareService<R>>(std::move(dealt.service));
  ASSERT_TRUE(ServiceCompare<R>::makeRelu(entry, std::move(material), y, nullptr));
  auto again = ServiceCompare<R>::makeRelu(entry, std::move(material), y, nullptr);
  ASSERT_FALSE(again);
  EXPECT_THAT(again.error().message, testing::HasSubstr("spent"));

  auto client = std::get<CompareClient<R>>(std::move(dealt.client));
  ASSERT_TRUE(ClientCompare<R>::make(entry, std::move(client), nullptr));
  EXPECT_FALSE(ClientCompare<R>::make(entry, std::move(client), nullptr));

  for (const PlanEntry &other :
       {entryOf(EntryKind::Compare, 64, {10, 30, {3, 3}}), entryOf(EntryKind::Compare, 65, {10, 30, {4, 3}}),
        entryOf(EntryKind::Maximum, 65, {0, 30, {3, 3}})}) {
    Dealt<R> foreign = deal<R>(entry, {r}, 2);
    EXPECT_FALSE(ClientCompare<R>::make(other, std::get<CompareClient<R>>(std::move(foreign.client)), nullptr));
  }
}

TYPED_TEST(Compare, strayBitsInAMessageAreRefused) {
  using R = TypeParam;
  const PlanEntry entry = entryOf(EntryKind::Compare, 7, {10, 30, {3, 3}});
  Dealt<R> dealt = deal<R>(entry, {std::vector<R>(7, 1)}, 3);
  auto client = ClientCompare<R>::make(entry, std::get<CompareClient<R>>(std::move(dealt.client)), nullptr);
  ASSERT_TRUE(client);
  std::vector<std::uint8_t> message((*client)->messageBytes(0), 0xFF);
  auto read = (*client)->read(0, message);
  ASSERT_FALSE(read);
  EXPECT_THAT(read.error().message, testing::HasSubstr("stray bits"));
}

} // namespace
} // namespace sd
