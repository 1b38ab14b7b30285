// What the two parties see of an offline phase, and what it leaves with them, against each other's material: no bit
// that a party receives agrees with one of the other's, and entries, records and sessions share no randomness.
//
// Agreement of two bit vectors of 4096 elements with 7 deviations of a coin: odds of a false alarm below 3e-12 for each
// of some 10^6 comparisons. Seeds are fixed: a run that passes always does.
#include <gtest/gtest.h>

#include <cstring>

#include "runtime/offline/TwoParty.h"
#include "test/unit/ot/TamperingConnection.h"
#include "test/unit/ot/TwoParties.h"
#include "test/unit/protocol/Planes.h"

namespace sd {
namespace {

using test::addPlanes, test::deviation, test::Plane, test::operator^;

constexpr std::size_t kCount = kPadTile; // one tile an entry: its planes are whole in a message

Seed seed(std::uint8_t first) { return Seed(std::array<std::uint8_t, 16>{first}); }

// All operands' masks are zero, so that what depends on them stands out.
class ZeroWalk final : public MaskWalk<Ring32> {
public:
  Expected<void> announce(std::size_t, std::span<const Ring32> mask) override {
    announced.emplace_back(mask.begin(), mask.end());
    return {};
  }
  bool ready(std::size_t) const override { return true; }
  Expected<SecretVector<Ring32>> operand(std::size_t, int) override { return SecretVector<Ring32>(kCount, 0); }
  std::vector<std::vector<Ring32>> announced;
};

// Planes of both parties' material of an entry: what is random in it, and all of it.
struct Material {
  std::vector<Plane> random, all;
};

template <class Compare>
Material planesOf(const Compare &m) {
  Material planes;
  addPlanes(m.masks, planes.random);
  addPlanes(m.ends, planes.random);
  if constexpr (requires { m.c; }) {
    addPlanes(m.c, planes.random);
    addPlanes(m.wrapChoice, planes.random);
  }
  planes.all = planes.random;
  addPlanes(m.tables, planes.all);
  addPlanes(m.products, planes.all);
  return planes;
}

struct Record {
  std::vector<Material> service, client;        // by entry
  std::vector<std::vector<Ring32>> newMasks;    // by entry
  std::vector<SeenMessage> toService, toClient; // of this record alone
};

struct Session {
  std::uint8_t serviceSeed = 1, clientSeed = 2;
  unsigned threads = 1;
};

// Prepares two records of the plan.
std::vector<Record> prepare(const Plan &plan, const Session &session = {}) {
  TwoParties parties;
  TamperingConnection a(*parties.a), b(*parties.b);
  TwoPartyService<Ring32> service{{a, seed(session.serviceSeed)}};
  TwoPartyClient<Ring32> client{{b, seed(session.clientSeed)}};
  const Program program;
  const WeightSet<Ring32> weights;
  std::vector<Record> records(2);
  std::size_t seenByService = 0, seenByClient = 0;
  for (std::uint8_t k = 0; k < 2; ++k) {
    Record &record = records[k];
    ZeroWalk walk;
    ThreadPool servicePool(session.threads), clientPool(session.threads);
    const auto keep = [](std::vector<Material> &to, const auto &material) {
      to.push_back(std::visit(
          [](const auto &m) {
            if constexpr (requires { m.tables; })
              return planesOf(m);
            else
              return Material{};
          },
          material));
      return Expected<void>();
    };
    const auto jobSeed = [&](std::uint8_t own, std::string_view name) {
      return seed(own).derive(fmt::format("{} {}", name, k));
    };
    parties.run(
        [&](Connection &) {
          return service.prepare(
              {program, plan, jobSeed(session.serviceSeed, "service"), &servicePool}, weights,
              [&](std::size_t, const ServiceMaterial<Ring32> &m) { return keep(record.service, m); });
        },
        [&](Connection &) {
          return client.prepare({program, plan, jobSeed(session.clientSeed, "client"), &clientPool}, walk,
                                [&](std::size_t, const ClientMaterial<Ring32> &m) { return keep(record.client, m); });
        });
    record.newMasks = std::move(walk.announced);
    record.toService.assign(a.seen().begin() + static_cast<std::ptrdiff_t>(seenByService), a.seen().end());
    record.toClient.assign(b.seen().begin() + static_cast<std::ptrdiff_t>(seenByClient), b.seen().end());
    seenByService = a.seen().size(), seenByClient = b.seen().size();
  }
  return records;
}

PlanEntry compare(CompareShape shape, EntryKind kind = EntryKind::Compare) {
  PlanEntry entry;
  entry.kind = kind;
  entry.elements = kCount;
  entry.compare = shape;
  return entry;
}

double chiSquare(const std::vector<std::uint8_t> &bytes) {
  std::array<double, 256> counts{};
  for (const std::uint8_t byte : bytes)
    ++counts[byte];
  const double expected = static_cast<double>(bytes.size()) / 256;
  double sum = 0;
  for (const double count : counts)
    sum += (count - expected) * (count - expected) / expected;
  return sum;
}

// Every 4096 bits of a message, against the planes of the one who sent it.
void expectHidden(const std::vector<SeenMessage> &messages, const std::vector<Plane> &planes, const std::string &who) {
  std::size_t compared = 0;
  for (const SeenMessage &message : messages) {
    if (message.stream != kBitStream || message.payload.size() < kCount / 8) continue;
    EXPECT_LT(chiSquare(message.payload), 400) << who << ", tag " << message.tag; // odds of 1e-8
    for (std::size_t at = 0; at + kCount / 8 <= message.payload.size(); at += kCount / 8) {
      Plane bits(kCount / 64);
      std::memcpy(bits.data(), message.payload.data() + at, kCount / 8);
      EXPECT_LT(deviation(bits), 7) << who << ", tag " << message.tag << ", byte " << at;
      for (std::size_t k = 0; k < planes.size(); ++k, ++compared)
        EXPECT_LT(deviation(bits ^ planes[k]), 7)
            << who << ", tag " << message.tag << ", byte " << at << ", plane " << k;
    }
  }
  EXPECT_GT(compared, 0u) << who;
}

void expectIndependent(const std::vector<Plane> &one, const std::vector<Plane> &two, const std::string &what) {
  for (std::size_t i = 0; i < one.size(); ++i)
    for (std::size_t j = 0; j < two.size(); ++j)
      EXPECT_LT(deviation(one[i] ^ two[j]), 7) << what << ", planes " << i << " and " << j;
}

void expectFresh(const std::vector<Ring32> &one, const std::vector<Ring32> &two, const std::string &what) {
  std::size_t equal = 0;
  for (std::size_t i = 0; i < one.size(); ++i)
    equal += one[i] == two[i];
  EXPECT_LE(equal, 2u) << what; // three of 4096 words: odds of 1e-19
}

TEST(OfflineView, MessagesShowNothingOfTheSendersMaterial) {
  for (const CompareShape &shape : {standardShape(10, 30), evenShape(10, 30, 3, 3), evenShape(0, 30, 2, 4)}) {
    Plan plan;
    plan.entries = {compare(shape)};
    for (const Record &record : prepare(plan)) {
      ASSERT_EQ(record.service.size(), 1u);
      ASSERT_EQ(record.client.size(), 1u);
      expectHidden(record.toService, record.client[0].all, "to P0");
      expectHidden(record.toClient, record.service[0].all, "to P1");
    }
  }
}

TEST(OfflineView, EntriesRecordsSessionsShareNoRandomness) {
  Plan plan;
  plan.entries = {compare(standardShape(10, 30)), compare(standardShape(10, 30)),
                  compare(standardShape(10, 30, false), EntryKind::Truncate)};
  const auto ours = prepare(plan), threads = prepare(plan, {.threads = 3}),
             otherService = prepare(plan, {.serviceSeed = 7}), otherClient = prepare(plan, {.clientSeed = 8});
  const auto unlike = [](const Material &a, const Material &b, const std::string &what) {
    expectIndependent(a.random, b.random, what);
  };
  for (std::size_t i = 0; i < plan.entries.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      unlike(ours[0].service[i], ours[0].service[j], "P0's entries");
      unlike(ours[0].client[i], ours[0].client[j], "P1's entries");
      expectFresh(ours[0].newMasks[i], ours[0].newMasks[j], "masks of entries");
    }
    unlike(ours[0].service[i], ours[1].service[i], "P0's records");
    unlike(ours[0].client[i], ours[1].client[i], "P1's records");
    expectFresh(ours[0].newMasks[i], ours[1].newMasks[i], "masks of records");
    unlike(ours[0].service[i], otherService[0].service[i], "P0's sessions");
    unlike(ours[0].client[i], otherClient[0].client[i], "P1's sessions");
    expectFresh(ours[0].newMasks[i], otherClient[0].newMasks[i], "masks of sessions");
    EXPECT_EQ(ours[1].service[i].all, threads[1].service[i].all); // threads change nothing
    EXPECT_EQ(ours[1].client[i].all, threads[1].client[i].all);
    // Within an entry: P0's digits' masks, wires' and results' are all different, and P1's wires' and results'.
    for (const auto *own : {&ours[0].service[i].random, &ours[0].client[i].random})
      for (std::size_t k = 0; k < own->size(); ++k)
        for (std::size_t j = 0; j < k; ++j)
          EXPECT_LT(deviation((*own)[k] ^ (*own)[j]), 7) << "planes " << k << " and " << j;
  }
}

} // namespace
} // namespace sd
