#include "runtime/store/Agreement.h"

#include <thread>

#include "runtime/net/MemoryChannel.h"
#include "test/unit/store/StoreFixture.h"

namespace sd {
namespace {

using test::idOf;
using testing::HasSubstr;

struct Side {
  std::vector<EntryId> used;
  std::vector<std::string> problems;
  std::string error;
  StoreReport report{[this](std::string_view text) { problems.emplace_back(text); },
                     [this](const EntryId &id) { used.push_back(id); }};
};

struct Outcome {
  Side service, client;
};

template <class Material>
Expected<void> useAll(const Pool &pool, const Plan &plan, Connection &connection, Side &side, std::uint64_t records) {
  StoredBundles<Material> bundles(pool, plan, connection.stream(0), side.report);
  SD_TRY(bundles.compare(records));
  for (std::uint64_t i = 0; i < records; ++i) {
    SD_ASSIGN(const Bundle<Material> bundle, bundles.next());
    EXPECT_TRUE(bundle.has(2));
  }
  return {};
}

// Both sides use `records`.
template <class Stores>
void use(const Stores &stores, std::uint64_t records, Outcome &outcome) {
  auto [left, right] = makeMemoryConnections({.timeout = std::chrono::milliseconds(5000)});
  std::thread service([&, &far = *left] {
    auto done = useAll<ServiceMaterial<Ring32>>(stores.servicePool, stores.plan, far, outcome.service, records);
    if (!done) outcome.service.error = done.error().message, far.close(done.error().message);
  });
  auto done = useAll<ClientMaterial<Ring32>>(stores.clientPool, stores.plan, *right, outcome.client, records);
  if (!done) outcome.client.error = done.error().message, right->close(done.error().message);
  service.join();
}

std::vector<EntryId> range(std::uint32_t from, std::uint32_t to) {
  std::vector<EntryId> ids;
  for (std::uint32_t i = from; i < to; ++i)
    ids.push_back(idOf(1, i));
  return ids;
}

// All of it for stores in folders and in a database.
template <class Where>
class Agreement : public testing::Test {
protected:
  void SetUp() override {
    if (Where::isMissing()) GTEST_SKIP() << "no PostgreSQL";
  }
};
using Places = testing::Types<test::InFolder, test::InDatabase>;
TYPED_TEST_SUITE(Agreement, Places);

TYPED_TEST(Agreement, bothUseTheSameOnceAndInOrder) {
  test::StoresOf<Ring32, TypeParam> stores;
  for (const EntryId &id : range(0, 25))
    stores.make(id);
  Outcome first, second, third;
  use(stores, 20, first);
  EXPECT_EQ(first.client.error + first.service.error, "");
  EXPECT_EQ(first.client.used, range(0, 20));
  EXPECT_EQ(first.service.used, range(0, 20));
  use(stores, 5, second);
  EXPECT_EQ(second.client.used, range(20, 25));
  EXPECT_TRUE(second.client.problems.empty() && second.service.problems.empty());
  use(stores, 1, third);
  EXPECT_THAT(third.client.error, HasSubstr("the stores hold 0 prepared inference(s)"));
  EXPECT_THAT(third.service.error, HasSubstr("the stores hold 0 prepared inference(s)"));
  EXPECT_TRUE(third.client.used.empty() && third.service.used.empty());
}

TYPED_TEST(Agreement, tooFewSpendsNothing) {
  test::StoresOf<Ring32, TypeParam> stores;
  for (const EntryId &id : range(0, 3))
    stores.make(id);
  Outcome outcome;
  use(stores, 4, outcome);
  EXPECT_THAT(outcome.client.error,
              HasSubstr("hold 3 prepared inference(s) of this program with this peer, 4 are needed"));
  EXPECT_EQ(stores.servicePool.contents()->ready.size(), 3u);
  EXPECT_EQ(stores.clientPool.contents()->ready.size(), 3u);
}

TYPED_TEST(Agreement, whatOneSideAloneHasIsReportedAndDiscarded) {
  test::StoresOf<Ring32, TypeParam> stores;
  stores.make(idOf(1, 0), true, false);
  stores.make(idOf(1, 1), false, true);
  stores.make(idOf(1, 2));
  stores.make(idOf(0, 9), true, false);
  Outcome outcome;
  use(stores, 1, outcome);
  EXPECT_EQ(outcome.client.error + outcome.service.error, "");
  EXPECT_EQ(outcome.client.used, range(2, 3));
  EXPECT_EQ(outcome.service.used, range(2, 3));
  ASSERT_EQ(outcome.service.problems.size(), 1u);
  EXPECT_THAT(outcome.service.problems[0], HasSubstr("discarded 2 stored inference(s) that the peer does not have"));
  ASSERT_EQ(outcome.client.problems.size(), 1u);
  EXPECT_THAT(outcome.client.problems[0], HasSubstr("discarded 1 stored inference(s)"));
  EXPECT_TRUE(stores.servicePool.contents()->all.empty());
  EXPECT_TRUE(stores.clientPool.contents()->all.empty());
}

// Damaged on one side: found before the peer's part is used, reported, and another one taken.
TYPED_TEST(Agreement, damagedInferencesAreSkippedOnBothSides) {
  test::StoresOf<Ring32, TypeParam> stores;
  for (const EntryId &id : range(0, 4))
    stores.make(id);
  const auto damage = [&](const char *side, const Pool &pool, std::uint32_t which) {
    auto bytes = stores.read(side, pool.binding(), idOf(1, which));
    bytes[bytes.size() - 20] ^= 4;
    stores.write(side, pool.binding(), idOf(1, which), bytes);
  };
  damage("service", stores.servicePool, 0);
  damage("client", stores.clientPool, 1);
  Outcome outcome;
  use(stores, 2, outcome);
  EXPECT_EQ(outcome.client.error + outcome.service.error, "");
  EXPECT_EQ(outcome.client.used, range(2, 4));
  EXPECT_EQ(outcome.service.used, range(2, 4));
  ASSERT_FALSE(outcome.client.problems.empty() || outcome.service.problems.empty());
  EXPECT_THAT(outcome.service.problems[0], HasSubstr("damaged"));
  Outcome after;
  use(stores, 1, after);
  EXPECT_THAT(after.client.error, HasSubstr("hold 0 prepared inference(s)"));
}

TYPED_TEST(Agreement, committedOnOneSideAloneWhileBothStillWork) {
  test::StoresOf<Ring32, TypeParam> stores;
  auto [left, right] = makeMemoryConnections({.timeout = std::chrono::milliseconds(5000)});
  std::optional<EntryWriter> previous;
  std::thread service([&, &far = *left] {
    for (const EntryId &id : range(0, 3))
      EXPECT_TRUE(commitService(far.stream(0), stores.written(stores.servicePool, id), previous));
  });
  for (const EntryId &id : range(0, 3))
    EXPECT_TRUE(commitClient(right->stream(0), stores.written(stores.clientPool, id)));
  service.join();
  // The last one is the service's to discard only once the session is over.
  EXPECT_EQ(stores.servicePool.contents()->settled, Inventory(range(0, 2)));
  previous.reset();
  EXPECT_EQ(stores.servicePool.contents()->settled, Inventory(range(0, 3)));
  EXPECT_EQ(stores.clientPool.contents()->settled, Inventory(range(0, 3)));
}

// A peer that names what it should not.
TYPED_TEST(Agreement, hostileNamesAreRefused) {
  const auto answerTo = [](std::span<const std::uint8_t> names, Side &side) {
    test::StoresOf<Ring32, TypeParam> stores;
    stores.make(idOf(1, 0));
    auto [left, right] = makeMemoryConnections({.timeout = std::chrono::milliseconds(5000)});
    std::vector<std::uint8_t> answer;
    std::thread service([&, &far = *left] {
      auto done = useAll<ServiceMaterial<Ring32>>(stores.servicePool, stores.plan, far, side, 1);
      if (!done) side.error = done.error().message;
      far.close("over");
    });
    Channel &channel = right->stream(0);
    EXPECT_TRUE(channel.receive(0x20, {}));
    EXPECT_TRUE(channel.send(0x21, encodeInventory({idOf(1, 0)})));
    EXPECT_TRUE(channel.receiveUpTo(0x21, 1000));
    EXPECT_TRUE(channel.send(0x22, names));
    if (auto got = channel.receiveUpTo(0x23, 100)) answer = *got;
    right->close("enough");
    service.join();
    return answer;
  };
  std::vector<std::uint8_t> id(20, 1);
  std::fill(id.begin() + 16, id.end(), 0);
  std::vector<std::uint8_t> twice = id;
  twice.insert(twice.end(), id.begin(), id.end());
  Side honest, doubled, unknown, cut, none, many;
  EXPECT_EQ(answerTo(id, honest), std::vector<std::uint8_t>{1});
  EXPECT_EQ(answerTo(twice, doubled), (std::vector<std::uint8_t>{1, 0}));
  EXPECT_EQ(doubled.used.size(), 1u);
  EXPECT_EQ(answerTo(std::vector<std::uint8_t>(20, 9), unknown), std::vector<std::uint8_t>{0});
  EXPECT_THAT(unknown.problems.at(0), HasSubstr("which is not here"));
  for (auto &[side, names] : {std::pair<Side &, std::vector<std::uint8_t>>{cut, std::vector<std::uint8_t>(19, 1)},
                              {none, {}},
                              {many, std::vector<std::uint8_t>(65 * 20, 1)}}) {
    EXPECT_TRUE(answerTo(names, side).empty());
    EXPECT_TRUE(side.used.empty());
    EXPECT_FALSE(side.error.empty());
  }
}

} // namespace
} // namespace sd
