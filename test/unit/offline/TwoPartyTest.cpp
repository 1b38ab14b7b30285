// The two-party provider's bit correlations: each against its definition (runtime/offline/Material.h), and the declared
// cost against what the transport counted.
#include "runtime/offline/TwoParty.h"

#include <gtest/gtest.h>

#include <map>

#include "test/unit/ot/TwoParties.h"

namespace sd {
namespace {

// Gives every operand a mask of its own: what a network between the entries would make of them is not the matter here.
class FixedWalk final : public MaskWalk {
public:
  FixedWalk(const Plan &plan, Prg prg) {
    for (const PlanEntry &entry : plan.entries)
      for (int which = 0; which < 2; ++which) {
        operands_.push_back(randomRing(entry.elements, prg));
        // Words at the edges of the ring first.
        constexpr Ring kEdges[] = {0, 1, ~Ring{0}, Ring{1} << 31, (Ring{1} << 31) - 1, (Ring{1} << 30) - 1, 1023, 1024};
        for (std::size_t i = 0; i < std::min<std::size_t>(entry.elements / 2, 8); ++i)
          operands_.back()[i] = kEdges[i];
      }
  }
  Expected<void> announce(std::size_t entry, std::span<const Ring> mask) override {
    announced[entry] = std::vector<Ring>(mask.begin(), mask.end());
    return {};
  }
  bool ready(std::size_t) const override { return true; }
  Expected<SecretVector<Ring>> operand(std::size_t entry, int which) override {
    return operands_[2 * entry + static_cast<std::size_t>(which)].clone();
  }
  std::map<std::size_t, std::vector<Ring>> announced;

private:
  std::vector<SecretVector<Ring>> operands_;
};

PlanEntry entry(EntryKind kind, std::uint64_t elements, CompareShape shape = {}) {
  PlanEntry e;
  e.kind = kind;
  e.elements = elements;
  e.compare = shape;
  return e;
}

struct Session {
  TwoParties parties;
  Program program;
  WeightSet<Ring32> weights;
  TwoPartyService service{{*parties.a, Seed(bytes(1))}};
  TwoPartyClient client{{*parties.b, Seed(bytes(2))}};
  std::uint8_t inference = 10;

  static std::array<std::uint8_t, 16> bytes(std::uint8_t first) { return {first}; }

  struct Result {
    ServiceBundle service;
    ClientBundle client;
    std::map<std::size_t, std::vector<Ring>> masks;
  };

  Result prepare(const Plan &plan) {
    FixedWalk walk(plan, testPrg("walk"));
    const OfflineJob jobA{program, plan, Seed(bytes(inference++)), nullptr};
    const OfflineJob jobB{program, plan, Seed(bytes(inference++)), nullptr};
    std::optional<ServiceBundle> forService;
    std::optional<ClientBundle> forClient;
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

Ring maskBits(int bits) { return bits == 32 ? ~Ring{0} : (Ring{1} << bits) - 1; }

void checkTruncate(const TruncateService &s, const TruncateClient &c, int t) {
  for (std::size_t i = 0; i < c.r.size(); ++i) {
    const Ring nr = 1 - (c.r[i] >> 31);
    ASSERT_EQ((s.wrap[i] + c.wrap[i] - s.c.bit(0, i) * nr) & maskBits(t), 0u) << i;
  }
}

void checkProduct(const ProductService &s, const ProductClient &c) {
  for (std::size_t i = 0; i < c.r.size(); ++i)
    ASSERT_EQ(s.product[i] + c.product[i], s.alpha[i] * c.s[i] + s.beta[i] * c.r[i]) << i;
}

void checkTables(const CompareService &s, const CompareClient &c, const CompareTree &tree, int t) {
  for (std::size_t i = 0; i < c.r.size(); ++i) {
    const Ring b = ~(c.r[i] >> t);
    int plane = 0;
    for (const auto &digit : tree.digits) {
      const Ring size = Ring{1} << digit.bits, own = b >> digit.firstBit & (size - 1);
      Ring mask = 0;
      for (int k = 0; k < digit.bits; ++k)
        mask |= Ring{s.c.bit(digit.firstBit + k, i)} << k;
      for (int table = 0; table < digit.tables(); ++table)
        for (Ring e = 0; e < size; ++e, ++plane) {
          const bool wanted = table ? (e ^ mask) == own : (e ^ mask) > own;
          ASSERT_EQ(s.tables.bit(plane, i) ^ c.tables.bit(plane, i), wanted) << i << ' ' << digit.firstBit << ' ' << e;
        }
    }
  }
}

void checkTrees(const CompareService &s, const CompareClient &c, const CompareTree &tree) {
  for (std::size_t i = 0; i < c.r.size(); ++i) {
    int wire = 0, product = 0;
    for (const auto &level : tree.levels) {
      std::vector<bool> nodes;
      for (int w = 0; w < level.wires; ++w, ++wire)
        nodes.push_back(s.masks.bit(wire, i) ^ c.masks.bit(wire, i));
      for (const auto &p : level.products) {
        nodes.push_back(nodes[p.rest] && nodes[p.last]);
        ASSERT_EQ(s.products.bit(product, i) ^ c.products.bit(product, i), nodes.back()) << i << ' ' << product;
        ++product;
      }
    }
  }
}

void checkSelection(const CompareService &s, const CompareClient &c, int t) {
  for (std::size_t i = 0; i < c.r.size(); ++i) {
    const Ring q = c.r[i] >> t, l0 = s.l.bit(0, i), l1 = c.l.bit(0, i);
    ASSERT_EQ(s.select[i] + c.select[i], (l0 ^ l1) * q - l1 * s.d[i]) << i;
    if (t == 0) continue;
    const Ring nr = 1 - (c.r[i] >> 31), a = s.wrapChoice.bit(0, i), b = s.wrapChoice.bit(1, i);
    ASSERT_EQ((s.wrapA[i] + c.wrapA[i] - a * nr) & maskBits(t), 0u) << i;
    ASSERT_EQ((s.wrapLA[i] + c.wrapLA[i] - a * l1 * nr) & maskBits(t), 0u) << i;
    ASSERT_EQ((s.wrapB[i] + c.wrapB[i] - b * (1 - 2 * l1) * nr) & maskBits(t), 0u) << i;
  }
}

void checkAll(const Plan &plan, Session::Result &result) {
  for (std::size_t i = 0; i < plan.entries.size(); ++i) {
    const PlanEntry &e = plan.entries[i];
    SCOPED_TRACE(i);
    if (e.kind == EntryKind::Truncate) {
      const auto s = *result.service.take<TruncateService>(i);
      const auto c = *result.client.take<TruncateClient>(i);
      checkTruncate(s, c, e.compare.truncation);
      EXPECT_EQ(std::vector<Ring>(c.mask.span().begin(), c.mask.span().end()), result.masks.at(i));
    } else if (e.kind == EntryKind::Product) {
      checkProduct(*result.service.take<ProductService>(i), *result.client.take<ProductClient>(i));
    } else if (e.kind == EntryKind::Compare || e.kind == EntryKind::Maximum) {
      const auto s = *result.service.take<CompareService>(i);
      const auto c = *result.client.take<CompareClient>(i);
      const CompareTree tree = CompareTree::make(e.compare.bits(), e.compare.schedule);
      checkTables(s, c, tree, e.compare.truncation);
      checkTrees(s, c, tree);
      checkSelection(s, c, e.compare.truncation);
      EXPECT_EQ(c.addend.size(), e.kind == EntryKind::Maximum ? e.elements : 0);
      EXPECT_EQ(std::vector<Ring>(c.mask.span().begin(), c.mask.span().end()), result.masks.at(i));
    }
  }
}

// Runs `plan` in the session; the traffic of each side must be what was declared before.
void prepareAndCheck(Session &session, const Plan &plan) {
  const TwoPartyCost cost = session.service.bitCost(plan);
  EXPECT_EQ(cost, session.client.bitCost(plan));
  const Traffic before = session.parties.a->traffic();
  Session::Result result = session.prepare(plan);
  const Traffic used = session.parties.a->traffic() - before;
  EXPECT_EQ(used.bytesSent, cost.bytesFromP0);
  EXPECT_EQ(used.bytesReceived, cost.bytesFromP1);
  EXPECT_EQ(used.messagesSent, cost.messagesFromP0);
  EXPECT_EQ(used.messagesReceived, cost.messagesFromP1);
  checkAll(plan, result);
}

TEST(TwoParty, EverySchedule) {
  Session session;
  for (int t : {0, 1, 10, 24})
    for (int bound : {t + 1, 26, 30}) {
      Plan plan;
      for (int digit = 1; digit <= 4; ++digit)
        for (int radix = 2; radix <= 4; ++radix)
          plan.entries.push_back(entry(EntryKind::Compare, 66, {t, bound, {digit, radix}}));
      prepareAndCheck(session, plan);
    }
}

TEST(TwoParty, EverySizeAndKind) {
  Session session;
  for (std::uint64_t n : {1u, 7u, 63u, 64u, 65u, 511u, 513u, 4095u, 4097u, 8193u}) {
    Plan plan;
    plan.entries = {entry(EntryKind::Input, n),
                    entry(EntryKind::Compare, n, {10, 30, {3, 3}}),
                    entry(EntryKind::Truncate, n, {10, 30, {}}),
                    entry(EntryKind::Maximum, n, {0, 20, {4, 4}}),
                    entry(EntryKind::Product, (n + 3) / 4),
                    entry(EntryKind::Output, n)};
    prepareAndCheck(session, plan);
  }
}

// A network larger than a window: each window has its own messages, and the OTs go on from one to the next.
TEST(TwoParty, SeveralWindows) {
  Session session;
  Plan plan;
  plan.entries = {entry(EntryKind::Truncate, 1'200'001, {1, 30, {}}), entry(EntryKind::Compare, 3000, {0, 5, {2, 4}}),
                  entry(EntryKind::Truncate, 1'100'003, {2, 30, {}})};
  EXPECT_EQ(TwoPartyLayout::make(plan).windows.size(), 2u);
  prepareAndCheck(session, plan);
  prepareAndCheck(session, plan);
}

TEST(TwoParty, NothingInteractiveNeedsNoTransfers) {
  Session session;
  Plan plan;
  plan.entries = {entry(EntryKind::Input, 5), entry(EntryKind::Output, 5)};
  prepareAndCheck(session, plan);
  EXPECT_EQ(session.parties.a->traffic().bytesSent + session.parties.a->traffic().bytesReceived, 0u);
}

TEST(TwoParty, BitsOfTheChartAreTheCostModels) {
  for (int digit = 1; digit <= 4; ++digit)
    for (int radix = 2; radix <= 4; ++radix)
      for (int t : {0, 10}) {
        const PlanEntry e = entry(EntryKind::Compare, 1, {t, 30, {digit, radix}});
        const EntryLayout layout = EntryLayout::make(e);
        std::uint64_t toP0 = 0, toP1 = 0;
        for (std::size_t k = 0; k < layout.messageBits.size(); ++k)
          (k % 2 ? toP1 : toP0) += layout.messageBits[k];
        EXPECT_EQ(toP0, e.cost().offlineBitsToP0);
        EXPECT_EQ(toP1, e.cost().offlineBitsToP1);
      }
}

TEST(TwoParty, FortyBytesAnElementInAll) {
  Plan plan;
  plan.entries = {entry(EntryKind::Compare, 200'000, {10, 30, {3, 3}})};
  const TwoPartyCost cost = costOf(TwoPartyLayout::make(plan), {});
  EXPECT_LE(static_cast<double>(cost.bytes()) / 200'000, 40.0);
}

TEST(TwoParty, RoundTripsDontGrowWithTheNetwork) {
  Plan small, large;
  for (int i = 0; i < 2; ++i)
    small.entries.push_back(entry(EntryKind::Compare, 100, {10, 30, {3, 3}}));
  for (int i = 0; i < 50; ++i)
    large.entries.push_back(entry(EntryKind::Compare, 20'000, {10, 30, {3, 3}}));
  EXPECT_EQ(TwoPartyLayout::make(small).windows.size(), 1u);
  EXPECT_EQ(TwoPartyLayout::make(large).windows.size(), 1u);
  EXPECT_EQ(TwoPartyLayout::make(small).windows[0].messages, TwoPartyLayout::make(large).windows[0].messages);
}

} // namespace
} // namespace sd
