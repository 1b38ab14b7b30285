// The two-party provider's bit correlations: each against its definition (runtime/offline/Material.h), and the declared
// cost against what the transport counted.
#include "runtime/offline/TwoParty.h"

#include <gtest/gtest.h>

#include <map>

#include "ir/core/ScheduleChoice.h"

#include "test/unit/ot/TwoParties.h"

namespace sd {
namespace {

// Gives every operand a mask of its own: what a network between the entries would make of them is not the matter here.
template <RingWord R>
class FixedWalk final : public MaskWalk<R> {
public:
  FixedWalk(const Plan &plan, Prg prg) {
    for (const PlanEntry &entry : plan.entries)
      for (int which = 0; which < 2; ++which) {
        operands_.push_back(randomRing<R>(entry.elements, prg));
        // Words at the edges of the ring first.
        constexpr R kTop = R{1} << (kBitsOf<R> - 1);
        constexpr R kEdges[] = {0, 1, ~R{0}, kTop, kTop - 1, kTop / 2 - 1, 1023, 1024};
        for (std::size_t i = 0; i < std::min<std::size_t>(entry.elements / 2, 8); ++i)
          operands_.back()[i] = kEdges[i];
      }
  }
  Expected<void> announce(std::size_t entry, std::span<const R> mask) override {
    announced[entry] = std::vector<R>(mask.begin(), mask.end());
    return {};
  }
  bool ready(std::size_t) const override { return true; }
  Expected<SecretVector<R>> operand(std::size_t entry, int which) override {
    return operands_[2 * entry + static_cast<std::size_t>(which)].clone();
  }
  std::map<std::size_t, std::vector<R>> announced;

private:
  std::vector<SecretVector<R>> operands_;
};

PlanEntry entry(EntryKind kind, std::uint64_t elements, CompareShape shape = {}) {
  PlanEntry e;
  e.kind = kind;
  e.elements = elements;
  e.compare = shape;
  return e;
}

template <RingWord R>
struct Session {
  TwoParties parties;
  Program program;
  WeightSet<R> weights;
  TwoPartyService<R> service{{*parties.a, Seed(bytes(1))}};
  TwoPartyClient<R> client{{*parties.b, Seed(bytes(2))}};
  std::uint8_t inference = 10;

  static std::array<std::uint8_t, 16> bytes(std::uint8_t first) { return {first}; }

  struct Result {
    ServiceBundle<R> service;
    ClientBundle<R> client;
    std::map<std::size_t, std::vector<R>> masks;
  };

  Result prepare(const Plan &plan) {
    FixedWalk<R> walk(plan, testPrg("walk"));
    const OfflineJob jobA{program, plan, Seed(bytes(inference++)), nullptr};
    const OfflineJob jobB{program, plan, Seed(bytes(inference++)), nullptr};
    std::optional<ServiceBundle<R>> forService;
    std::optional<ClientBundle<R>> forClient;
    parties.run(
        [&](Connection &) -> Expected<void> {
          SD_ASSIGN(forService, prepareService(service, jobA, weights));
          return {};
        },
        [&](Connection &) -> Expected<void> {
          SD_ASSIGN(forClient, prepareClient(client, jobB, walk));
          return {};
        });
    return {std::move(*forService), std::move(*forClient), walk.announced};
  }
};

template <RingWord R>
R maskBits(int bits) {
  return (R{1} << bits) - 1;
}

template <RingWord R>
void checkTruncation(const CompareService<R> &s, const CompareClient<R> &c, const CompareShape &shape) {
  const int rho = shape.results() - 1;
  for (std::size_t i = 0; i < c.r.size(); ++i) {
    const R nr = notTop(c.r[i]);
    ASSERT_EQ((s.wrapA[i] + c.wrapA[i] - s.wrapChoice.bit(0, i) * nr) & maskBits<R>(shape.truncation), 0u) << i;
    ASSERT_EQ(s.carry[i] + c.carry[i], R{s.ends.bit(rho, i) != c.ends.bit(rho, i)}) << i;
  }
}

template <RingWord R>
void checkProduct(const ProductService<R> &s, const ProductClient<R> &c) {
  for (std::size_t i = 0; i < c.r.size(); ++i)
    ASSERT_EQ(s.product[i] + c.product[i], s.alpha[i] * c.s[i] + s.beta[i] * c.r[i]) << i;
}

template <RingWord R>
void checkTables(const CompareService<R> &s, const CompareClient<R> &c, const CompareTree &tree) {
  for (std::size_t i = 0; i < c.r.size(); ++i) {
    const R b = ~c.r[i];
    int plane = 0;
    for (const auto &digit : tree.digits) {
      const R size = R{1} << digit.bits, own = b >> digit.firstBit & (size - 1);
      R mask = 0;
      for (int k = 0; k < digit.bits; ++k)
        mask |= R{s.c.bit(digit.firstBit + k, i)} << k;
      for (int table = 0; table < digit.tables(); ++table)
        for (R e = 0; e < size; ++e, ++plane) {
          const bool wanted = table ? (e ^ mask) == own : (e ^ mask) > own;
          ASSERT_EQ(s.tables.bit(plane, i) ^ c.tables.bit(plane, i), wanted) << i << ' ' << digit.firstBit << ' ' << e;
        }
    }
  }
}

template <RingWord R>
void checkTrees(const CompareService<R> &s, const CompareClient<R> &c, const CompareTree &tree) {
  for (std::size_t i = 0; i < c.r.size(); ++i) {
    int wire = 0, product = 0;
    for (const auto &level : tree.levels) {
      std::vector<bool> nodes;
      for (int w = 0; w < level.wireCount(); ++w, ++wire)
        nodes.push_back(s.masks.bit(wire, i) ^ c.masks.bit(wire, i));
      for (const auto &p : level.products) {
        nodes.push_back(nodes[p.a] && nodes[p.b]);
        ASSERT_EQ(s.products.bit(product, i) ^ c.products.bit(product, i), nodes.back()) << i << ' ' << product;
        ++product;
      }
    }
  }
}

template <RingWord R>
void checkSelection(const CompareService<R> &s, const CompareClient<R> &c, int t) {
  for (std::size_t i = 0; i < c.r.size(); ++i) {
    const R q = c.r[i] >> t, l0 = s.ends.bit(0, i), l1 = c.ends.bit(0, i);
    ASSERT_EQ(s.select[i] + c.select[i], (l0 ^ l1) * q - l1 * s.d[i]) << i;
    if (t == 0) continue;
    const R nr = notTop(c.r[i]), a = s.wrapChoice.bit(0, i), b = s.wrapChoice.bit(1, i);
    ASSERT_EQ((s.wrapLA[i] + c.wrapLA[i] - a * l1 * nr) & maskBits<R>(t), 0u) << i;
    ASSERT_EQ((s.wrapB[i] + c.wrapB[i] - b * (1 - 2 * l1) * nr) & maskBits<R>(t), 0u) << i;
  }
}

template <RingWord R>
void checkAll(const Plan &plan, typename Session<R>::Result &result) {
  for (std::size_t i = 0; i < plan.entries.size(); ++i) {
    const PlanEntry &e = plan.entries[i];
    SCOPED_TRACE(i);
    if (e.kind == EntryKind::Product) {
      checkProduct(*result.service.template take<ProductService<R>>(i),
                   *result.client.template take<ProductClient<R>>(i));
    } else if (compares(e.kind)) {
      const auto s = *result.service.template take<CompareService<R>>(i);
      const auto c = *result.client.template take<CompareClient<R>>(i);
      const CompareTree tree = e.compare.tree();
      checkTables(s, c, tree);
      checkTrees(s, c, tree);
      if (e.compare.selects) checkSelection(s, c, e.compare.truncation);
      if (e.compare.truncation) checkTruncation(s, c, e.compare);
      EXPECT_EQ(c.addend.size(), e.kind == EntryKind::Maximum ? e.elements : 0);
      EXPECT_EQ(std::vector<R>(c.mask.span().begin(), c.mask.span().end()), result.masks.at(i));
    }
  }
}

// Runs `plan` in the session; the traffic of each side must be what was declared before.
template <RingWord R>
void prepareAndCheck(Session<R> &session, const Plan &plan) {
  const TwoPartyCost cost = session.service.bitCost(plan);
  EXPECT_EQ(cost, session.client.bitCost(plan));
  const Traffic before = session.parties.a->traffic();
  typename Session<R>::Result result = session.prepare(plan);
  const Traffic used = session.parties.a->traffic() - before;
  EXPECT_EQ(used.bytesSent, cost.bytesFromP0);
  EXPECT_EQ(used.bytesReceived, cost.bytesFromP1);
  EXPECT_EQ(used.messagesSent, cost.messagesFromP0);
  EXPECT_EQ(used.messagesReceived, cost.messagesFromP1);
  checkAll<R>(plan, result);
}

template <class R>
class TwoPartyRings : public testing::Test {
protected:
  static Plan planOf(std::vector<PlanEntry> entries) { return {std::move(entries), kBitsOf<R>}; }
};
using Rings = testing::Types<Ring32, Ring64>;
TYPED_TEST_SUITE(TwoPartyRings, Rings);

TYPED_TEST(TwoPartyRings, EverySchedule) {
  Session<TypeParam> session;
  for (int t : {0, 1, 10, maxTruncation(kBitsOf<TypeParam>)})
    for (int bound : {t + 1, kBoundBitsOf<TypeParam> - 4, kBoundBitsOf<TypeParam>}) {
      Plan plan = this->planOf({});
      for (int width = 1; width <= 4; ++width)
        for (int radix = 2; radix <= 4; ++radix) {
          plan.entries.push_back(entry(EntryKind::Compare, 66, evenShape(t, bound, width, radix)));
          if (t > 0) plan.entries.push_back(entry(EntryKind::Truncate, 66, evenShape(t, bound, width, radix, false)));
        }
      prepareAndCheck(session, plan);
    }
}

TYPED_TEST(TwoPartyRings, EverySizeAndKind) {
  Session<TypeParam> session;
  for (std::uint64_t n : {1u, 7u, 63u, 64u, 65u, 511u, 513u, 4095u, 4097u, 8193u}) {
    Plan plan = this->planOf({});
    plan.entries = {entry(EntryKind::Input, n),
                    entry(EntryKind::Compare, n, evenShape(10, 30, 3, 3)),
                    entry(EntryKind::Truncate, n, standardShape(10, 30, false)),
                    entry(EntryKind::Maximum, n, evenShape(0, 20, 4, 4)),
                    entry(EntryKind::Product, (n + 3) / 4),
                    entry(EntryKind::Output, n)};
    prepareAndCheck(session, plan);
  }
}

// A network larger than a window: each window has its own messages, and the OTs go on from one to the next.
TEST(TwoParty, SeveralWindows) {
  Session<Ring32> session;
  Plan plan;
  plan.entries = {entry(EntryKind::Truncate, 1'200'001, standardShape(1, 30, false)),
                  entry(EntryKind::Compare, 3000, evenShape(0, 5, 2, 4)),
                  entry(EntryKind::Truncate, 1'100'003, standardShape(2, 30, false))};
  EXPECT_EQ(TwoPartyLayout::make(plan).windows.size(), 2u);
  prepareAndCheck(session, plan);
  prepareAndCheck(session, plan);
}

TEST(TwoParty, NothingInteractiveNeedsNoTransfers) {
  Session<Ring32> session;
  Plan plan;
  plan.entries = {entry(EntryKind::Input, 5), entry(EntryKind::Output, 5)};
  prepareAndCheck(session, plan);
  EXPECT_EQ(session.parties.a->traffic().bytesSent + session.parties.a->traffic().bytesReceived, 0u);
}

TYPED_TEST(TwoPartyRings, BitsOfTheChartAreTheCostModels) {
  constexpr int kBits = kBitsOf<TypeParam>;
  for (int t : {0, 10})
    for (const bool selects : {true, false}) {
      if (t == 0 && !selects) continue;
      CompareShape shape{t, 30, {}, selects};
      for (const ScheduleCost &each : usefulSchedules(kBits, shape)) {
        shape.schedule = each.schedule;
        const PlanEntry e = entry(selects ? EntryKind::Compare : EntryKind::Truncate, 1, shape);
        const EntryLayout layout = EntryLayout::make(e, kBits);
        std::uint64_t toP0 = 0, toP1 = 0;
        for (std::size_t k = 0; k < layout.messageBits.size(); ++k)
          (k % 2 ? toP1 : toP0) += layout.messageBits[k];
        EXPECT_EQ(toP0, e.cost(kBits).offlineBitsToP0);
        EXPECT_EQ(toP1, e.cost(kBits).offlineBitsToP1);
        EXPECT_EQ(layout.messageBits.size(), e.cost(kBits).offlineMessages);
        for (const ProductLayout &level : layout.levels)
          for (const auto &choice : level.choices)
            EXPECT_LE(choice.width, kMaxPadPlanes);
      }
    }
}

TEST(TwoParty, SixtyOneBytesAnElementInAll) {
  Plan plan;
  plan.entries = {entry(EntryKind::Compare, 200'000, {12, 30, {2, {6, 3}, {4, 4}}})};
  const TwoPartyCost cost = costOf(TwoPartyLayout::make(plan), {});
  EXPECT_LE(static_cast<double>(cost.bytes()) / 200'000, 61.0);
}

TEST(TwoParty, RoundTripsDontGrowWithTheNetwork) {
  Plan small, large;
  for (int i = 0; i < 2; ++i)
    small.entries.push_back(entry(EntryKind::Compare, 100, evenShape(10, 30, 3, 3)));
  for (int i = 0; i < 50; ++i)
    large.entries.push_back(entry(EntryKind::Compare, 20'000, evenShape(10, 30, 3, 3)));
  EXPECT_EQ(TwoPartyLayout::make(small).windows.size(), 1u);
  EXPECT_EQ(TwoPartyLayout::make(large).windows.size(), 1u);
  EXPECT_EQ(TwoPartyLayout::make(small).windows[0].messages, TwoPartyLayout::make(large).windows[0].messages);
}

} // namespace
} // namespace sd
