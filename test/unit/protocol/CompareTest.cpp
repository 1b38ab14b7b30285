// Truncation + ReLU, ReLU and maximum against the plaintext oracle, over the whole family of schedules.
#include "runtime/protocol/Compare.h"

#include "test/unit/kernels/Targets.h"
#include "test/unit/protocol/ProtocolFixture.h"

namespace sd {
namespace {

using namespace test;

constexpr std::size_t kSizes[] = {1, 7, 63, 64, 65, 1000};

struct Errors {
  double largest = 0, sum = 0;
};

Errors errorsOf(const std::vector<Ring> &values, const std::vector<Ring> &results, int t) {
  Errors errors;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double exact = std::max(static_cast<SignedRing>(values[i]), 0) / std::ldexp(1.0, t);
    const double error = static_cast<SignedRing>(results[i]) - exact;
    errors.largest = std::max(errors.largest, std::abs(error));
    errors.sum += error;
  }
  return errors;
}

void checkTraffic(const PlanEntry &entry, const Messages &messages) {
  std::uint64_t sent[2] = {};
  for (std::size_t k = 0; k < messages.size(); ++k)
    sent[k % 2] += messages[k].size();
  EXPECT_EQ(sent[0], entry.cost().onlineBytes(0, entry.elements));
  EXPECT_EQ(sent[1], entry.cost().onlineBytes(1, entry.elements));
}

class Schedules : public testing::TestWithParam<std::tuple<int, int>> {
protected:
  CompareSchedule schedule() const { return {std::get<0>(GetParam()), std::get<1>(GetParam())}; }
};

TEST_P(Schedules, reluIsOffByLessThanAUnit) {
  for (const int t : {0, 1, 6, 10, 12, 15, 24}) {
    const PlanEntry entry = entryOf(EntryKind::Compare, 3000, {t, 30, schedule()});
    const auto values = boundaryValues(entry.elements, t, 30, 7);
    const Trial run = runEntry(entry, {values}, 100 + static_cast<std::uint64_t>(t));
    EXPECT_LT(errorsOf(values, run.result, t).largest, t ? 1.0 : 1e-9) << t;
    checkTraffic(entry, run.messages);
  }
}

TEST_P(Schedules, tighterBoundsHoldAtTheirEdges) {
  for (const auto &[t, bound] :
       {std::pair{0, 20}, {0, 19}, {0, 1}, {0, 2}, {10, 24}, {10, 11}, {10, 12}, {1, 5}, {23, 24}}) {
    const PlanEntry entry = entryOf(EntryKind::Compare, 2000, {t, bound, schedule()});
    auto values = boundaryValues(entry.elements, t, bound, 8);
    const Ring edge = (Ring{1} << bound) - (Ring{1} << t);
    std::fill_n(values.begin() + 100, 500, Ring{0} - edge); // where a missing carry could borrow past zero
    std::fill_n(values.begin() + 600, 500, edge);
    const Trial run = runEntry(entry, {values}, 200 + static_cast<std::uint64_t>(t));
    EXPECT_LT(errorsOf(values, run.result, t).largest, t ? 1.0 : 1e-9) << t << ' ' << bound;
    checkTraffic(entry, run.messages);
  }
}

TEST_P(Schedules, everySize) {
  for (const std::size_t n : kSizes) {
    const PlanEntry entry = entryOf(EntryKind::Compare, n, {10, 30, schedule()});
    const auto values = boundaryValues(n, 10, 30, 9);
    const Trial run = runEntry(entry, {values}, n);
    EXPECT_LT(errorsOf(values, run.result, 10).largest, 1.0);
    checkTraffic(entry, run.messages);
  }
}

TEST_P(Schedules, turnedElementsKeepWhatIsNegative) {
  for (const int t : {0, 10}) {
    const PlanEntry entry = entryOf(EntryKind::Compare, 1000, {t, 30, schedule()});
    auto values = boundaryValues(entry.elements, t, 30, 14);
    std::vector<Ring> turned(entry.elements);
    std::mt19937 generator(15);
    for (Ring &turn : turned)
      turn = generator() % 2;
    Trial run = runEntry(entry, {values}, 600, nullptr, turned);
    checkTraffic(entry, run.messages);
    for (std::size_t i = 0; i < turned.size(); ++i) // min(y, 0) = -max(-y, 0)
      if (turned[i]) values[i] = 0 - values[i], run.result[i] = 0 - run.result[i];
    EXPECT_LT(errorsOf(values, run.result, t).largest, t ? 1.0 : 1e-9) << t;
  }
}

TEST_P(Schedules, maximumIsExact) {
  for (const int bound : {20, 30}) {
    const PlanEntry entry = entryOf(EntryKind::Maximum, 1000, {0, bound, schedule()});
    const auto difference = boundaryValues(entry.elements, 0, bound, 10);
    std::vector<Ring> a(entry.elements), b(entry.elements);
    std::mt19937 generator(11);
    for (std::size_t i = 0; i < a.size(); ++i) {
      b[i] = generator(); // only the difference is bounded
      a[i] = b[i] + difference[i];
    }
    const Trial run = runEntry(entry, {a, b}, 300);
    for (std::size_t i = 0; i < a.size(); ++i)
      ASSERT_EQ(run.result[i], static_cast<SignedRing>(difference[i]) > 0 ? a[i] : b[i]) << i;
    checkTraffic(entry, run.messages);
  }
}

INSTANTIATE_TEST_SUITE_P(All, Schedules, testing::Combine(testing::Range(1, 5), testing::Range(2, 5)),
                         [](const auto &point) {
                           return fmt::format("digit{}radix{}", std::get<0>(point.param), std::get<1>(point.param));
                         });

TEST(Compare, roundingIsUnbiased) {
  // Values of one sign, far from zero: the error is uniform in (-1, 1) up to the low bits, standard deviation at most
  // 1/sqrt(2), so the mean of 40000 lies within 5 deviations = 0.018 but for odds of 6e-7. Seeds are fixed.
  constexpr std::size_t kCount = 40000;
  for (const int t : {1, 6, 10, 15}) {
    const PlanEntry entry = entryOf(EntryKind::Compare, kCount, {t, 30, {3, 3}});
    std::vector<Ring> values(kCount);
    std::mt19937 generator(12);
    for (Ring &value : values)
      value = (1u << 24) + generator() % (1u << 24);
    const Trial run = runEntry(entry, {values}, 400);
    EXPECT_LT(std::abs(errorsOf(values, run.result, t).sum / kCount), 0.018) << t;
  }
}

TEST(Compare, threadsDoNotChangeTheResult) {
  ThreadPool pool(3);
  const std::size_t n = (std::size_t{1} << 16) + 77;
  const PlanEntry entry = entryOf(EntryKind::Compare, n, {10, 30, {3, 3}});
  const auto values = boundaryValues(n, 10, 30, 13);
  const Trial alone = runEntry(entry, {values}, 500), shared = runEntry(entry, {values}, 500, &pool);
  EXPECT_EQ(alone.result, shared.result);
  EXPECT_EQ(alone.messages, shared.messages);
}

TEST(Compare, everyInstructionSetGivesTheSameMessages) {
  for (const PlanEntry &entry :
       {entryOf(EntryKind::Compare, 1000, {10, 30, {3, 3}}), entryOf(EntryKind::Compare, 65, {0, 30, {4, 2}}),
        entryOf(EntryKind::Truncate, 1000, {10, 30, {}})}) {
    const auto values = boundaryValues(entry.elements, entry.compare.truncation, 30, 14);
    const Trial best = runEntry(entry, {values}, 600);
    onEveryTarget([&] {
      const Trial run = runEntry(entry, {values}, 600);
      EXPECT_EQ(run.messages, best.messages);
      EXPECT_EQ(run.result, best.result);
    });
  }
}

TEST(Compare, spentOrForeignMaterialIsRefused) {
  const PlanEntry entry = entryOf(EntryKind::Compare, 65, {10, 30, {3, 3}});
  const std::vector<Ring> r(65, 5);
  const MaskedTensor y = masked(r, r);
  Dealt dealt = deal(entry, {r}, 1);
  auto material = std::get<CompareService>(std::move(dealt.service));
  ASSERT_TRUE(ServiceCompare::makeRelu(entry, std::move(material), y, nullptr));
  auto again = ServiceCompare::makeRelu(entry, std::move(material), y, nullptr);
  ASSERT_FALSE(again);
  EXPECT_THAT(again.error().message, testing::HasSubstr("spent"));

  auto client = std::get<CompareClient>(std::move(dealt.client));
  ASSERT_TRUE(ClientCompare::make(entry, std::move(client), nullptr));
  EXPECT_FALSE(ClientCompare::make(entry, std::move(client), nullptr));

  for (const PlanEntry &other :
       {entryOf(EntryKind::Compare, 64, {10, 30, {3, 3}}), entryOf(EntryKind::Compare, 65, {10, 30, {4, 3}}),
        entryOf(EntryKind::Maximum, 65, {0, 30, {3, 3}})}) {
    Dealt foreign = deal(entry, {r}, 2);
    EXPECT_FALSE(ClientCompare::make(other, std::get<CompareClient>(std::move(foreign.client)), nullptr));
  }
}

TEST(Compare, strayBitsInAMessageAreRefused) {
  const PlanEntry entry = entryOf(EntryKind::Compare, 7, {10, 30, {3, 3}});
  const std::vector<Ring> r(7, 1);
  Dealt dealt = deal(entry, {r}, 3);
  auto client = ClientCompare::make(entry, std::get<CompareClient>(std::move(dealt.client)), nullptr);
  ASSERT_TRUE(client);
  std::vector<std::uint8_t> message((*client)->messageBytes(0), 0xFF);
  auto read = (*client)->read(0, message);
  ASSERT_FALSE(read);
  EXPECT_THAT(read.error().message, testing::HasSubstr("stray bits"));
}

} // namespace
} // namespace sd
