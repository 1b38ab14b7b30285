// Truncation + ReLU, ReLU and maximum against the plaintext oracle, over the whole family of schedules and both rings.
#include "runtime/protocol/Compare.h"

#include "ir/core/ScheduleAttr.h"
#include "ir/core/ScheduleChoice.h"
#include "test/unit/kernels/Targets.h"
#include "test/unit/protocol/ProtocolFixture.h"

namespace sd {
namespace {

using namespace test;

constexpr std::size_t kSizes[] = {1, 7, 63, 64, 65, 1000};

template <RingWord R>
void checkResults(EntryKind kind, const std::vector<R> &values, const std::vector<R> &results, int t) {
  for (std::size_t i = 0; i < values.size(); ++i)
    ASSERT_EQ(results[i], expectedOf(kind, values[i], t))
        << i << ": " << static_cast<SignedOf<R>>(values[i]) << " / 2^" << t;
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

// Every schedule that is of use, of truncations with ReLU and alone, at the edges of their bounds.
template <class R>
class EverySchedule : public testing::Test {
protected:
  static void check(EntryKind kind, std::size_t n, const CompareShape &shape) {
    SCOPED_TRACE(fmt::format("t {}, bound {}, schedule {}", shape.truncation, shape.bound,
                             fmt::join(toIntegers(shape.schedule), " ")));
    const PlanEntry entry = entryOf(kind, n, shape);
    const auto values = boundaryValues<R>(n, shape.truncation, shape.bound, 7);
    const auto run = runEntry<R>(entry, {values}, 100 + static_cast<std::uint64_t>(shape.truncation));
    checkResults(kind, values, run.result, shape.truncation);
    checkTraffic<R>(entry, run.messages);
  }
  static void checkUseful(EntryKind kind, std::size_t n, CompareShape shape) {
    shape.selects = kind != EntryKind::Truncate;
    for (const ScheduleCost &each : usefulSchedules(kBitsOf<R>, shape)) {
      shape.schedule = each.schedule;
      check(kind, n, shape);
    }
  }
};
TYPED_TEST_SUITE(EverySchedule, Rings);

TYPED_TEST(EverySchedule, isTheReferenceBitForBit) {
  const Shapes shapes = kBitsOf<TypeParam> == 64
                            ? Shapes{{0, 62}, {1, 62}, {12, 46}, {20, 46}, {24, 62}, {20, 40}, {16, 32}}
                            : Shapes{{0, 30}, {1, 30}, {6, 30}, {10, 30}, {12, 30}, {20, 30}, {24, 30}};
  for (const auto &[t, bound] : shapes) {
    this->checkUseful(EntryKind::Compare, 200, {t, bound, {}});
    if (t > 0) this->checkUseful(EntryKind::Truncate, 200, {t, bound, {}});
  }
}

TYPED_TEST(EverySchedule, ofTightBounds) {
  for (const auto &[t, bound] : Shapes{{0, 20}, {0, 1}, {0, 2}, {10, 25}, {10, 11}, {10, 12}, {1, 2}, {1, 5}, {23, 24}})
    this->checkUseful(EntryKind::Compare, 130, {t, bound, {}});
}

// All there are, of use or not.
TYPED_TEST(EverySchedule, ofASmallComparison) {
  int tried = 0;
  for (const int t : {0, 3})
    for (int levels = 0; levels <= kMaxCompareLevels; ++levels)
      for (int high = 1; high <= 6; ++high)
        for (int low = 0; low <= 3; ++low)
          for (int radices = 0; radices < 16; ++radices) {
            const CompareShape shape{t, 6 + t, {levels, {high, 1 + radices % 4}, {low, 1 + radices / 4}}};
            if (!shape.makesTree()) continue;
            this->check(EntryKind::Compare, 66, shape);
            ++tried;
          }
  EXPECT_GT(tried, 300);
}

TYPED_TEST(EverySchedule, everyTruncationOfEveryBound) {
  for (int bound = 1; bound <= kBoundBitsOf<TypeParam>; ++bound)
    for (int t = 0; t < bound && t <= maxTruncation(kBitsOf<TypeParam>); ++t) {
      this->check(EntryKind::Compare, 40, standardShape(t, bound));
      if (t > 0) this->check(EntryKind::Truncate, 40, standardShape(t, bound, false));
    }
}

// Digits of even width, merged evenly.
class Schedules : public testing::TestWithParam<std::tuple<int, int, int>> {
protected:
  static CompareShape shape(int t, int bound) {
    return evenShape(t, bound, std::get<1>(GetParam()), std::get<2>(GetParam()));
  }
  template <class F>
  void inRing(F &&body) const {
    withRing(std::get<0>(GetParam()), std::forward<F>(body));
  }
};

TEST_P(Schedules, everySize) {
  inRing([&]<class R>() {
    for (const std::size_t n : kSizes) {
      const PlanEntry entry = entryOf(EntryKind::Compare, n, shape(10, 30));
      const auto values = boundaryValues<R>(n, 10, 30, 9);
      const auto run = runEntry<R>(entry, {values}, n);
      checkResults(entry.kind, values, run.result, 10);
      checkTraffic<R>(entry, run.messages);
    }
  });
}

TEST_P(Schedules, turnedElementsKeepWhatIsNegative) {
  inRing([&]<class R>() {
    for (const int t : {0, 10}) {
      const PlanEntry entry = entryOf(EntryKind::Compare, 1000, shape(t, kBoundBitsOf<R>));
      const auto values = boundaryValues<R>(entry.elements, t, kBoundBitsOf<R>, 14);
      std::vector<R> turned(entry.elements);
      std::mt19937 generator(15);
      for (R &turn : turned)
        turn = generator() % 2;
      const auto run = runEntry<R>(entry, {values}, 600, nullptr, turned);
      checkTraffic<R>(entry, run.messages);
      for (std::size_t i = 0; i < turned.size(); ++i) {
        const R rounded = expectedOf(EntryKind::Truncate, values[i], t);
        const bool kept = (static_cast<SignedOf<R>>(rounded) < 0) == (turned[i] == 1);
        ASSERT_EQ(run.result[i], kept ? rounded : 0) << static_cast<SignedOf<R>>(values[i]) << ", turned " << turned[i];
      }
    }
  });
}

TEST_P(Schedules, maximumIsExact) {
  inRing([&]<class R>() {
    for (const int bound : {20, kBoundBitsOf<R>}) {
      const PlanEntry entry = entryOf(EntryKind::Maximum, 1000, shape(0, bound));
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

// The masks, the correlations and P0's coins say nothing in the result: 50 runs give one.
TYPED_TEST(Compare, theResultIsAFunctionOfTheValueAlone) {
  using R = TypeParam;
  for (const EntryKind kind : {EntryKind::Compare, EntryKind::Truncate}) {
    const PlanEntry entry = entryOf(kind, 200, standardShape(10, 30, kind == EntryKind::Compare));
    const auto values = boundaryValues<R>(entry.elements, 10, 30, 12);
    const auto first = runEntry<R>(entry, {values}, 0);
    for (std::uint64_t seed = 1; seed < 50; ++seed) {
      const auto again = runEntry<R>(entry, {values}, seed, nullptr, {}, seed);
      EXPECT_EQ(again.result, first.result);
      EXPECT_NE(again.messages, first.messages);
    }
  }
}

TYPED_TEST(Compare, threadsDoNotChangeTheResult) {
  using R = TypeParam;
  ThreadPool pool(3);
  const std::size_t n = (std::size_t{1} << 16) + 77;
  const PlanEntry entry = entryOf(EntryKind::Compare, n, evenShape(10, 30, 3, 3));
  const auto values = boundaryValues<R>(n, 10, 30, 13);
  const auto alone = runEntry<R>(entry, {values}, 500), shared = runEntry<R>(entry, {values}, 500, &pool);
  EXPECT_EQ(alone.result, shared.result);
  EXPECT_EQ(alone.messages, shared.messages);
}

TYPED_TEST(Compare, everyInstructionSetGivesTheSameMessages) {
  using R = TypeParam;
  for (const PlanEntry &entry : {entryOf(EntryKind::Compare, 1000, evenShape(10, 30, 3, 3)),
                                 entryOf(EntryKind::Compare, 65, evenShape(0, 30, 4, 2)),
                                 entryOf(EntryKind::Truncate, 1000, standardShape(10, 30, false))}) {
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
  const PlanEntry entry = entryOf(EntryKind::Compare, 65, evenShape(10, 30, 3, 3));
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

  for (const PlanEntry &other : {entryOf(EntryKind::Compare, 64, evenShape(10, 30, 3, 3)),
                                 entryOf(EntryKind::Compare, 65, evenShape(10, 30, 4, 3)),
                                 entryOf(EntryKind::Maximum, 65, evenShape(0, 30, 3, 3))}) {
    Dealt<R> foreign = deal<R>(entry, {r}, 2);
    EXPECT_FALSE(ClientCompare<R>::make(other, std::get<CompareClient<R>>(std::move(foreign.client)), nullptr));
  }
}

TYPED_TEST(Compare, strayBitsInAMessageAreRefused) {
  using R = TypeParam;
  const PlanEntry entry = entryOf(EntryKind::Compare, 7, evenShape(10, 30, 3, 3));
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
