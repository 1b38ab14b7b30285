#include "runtime/store/Pool.h"

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <mutex>
#include <set>
#include <thread>

#include "test/unit/store/StoreFixture.h"

namespace sd {
namespace {

using test::idOf;
using testing::HasSubstr;

std::vector<TakenEntry> takeOne(const Pool &pool, const EntryId &id) {
  auto taken = pool.take({&id, 1});
  EXPECT_TRUE(taken);
  return std::move(*taken);
}

// All of it for stores in folders and in a database.
template <class Where>
class PoolIn : public testing::Test {
protected:
  void SetUp() override {
    if (Where::isMissing()) GTEST_SKIP() << "no PostgreSQL";
  }
};
using Places = testing::Types<test::InFolder, test::InDatabase>;
TYPED_TEST_SUITE(PoolIn, Places);

template <class RingAndPlace>
class PoolRings : public PoolIn<typename RingAndPlace::second_type> {};
using RingsAndPlaces = testing::Types<std::pair<Ring32, test::InFolder>, std::pair<Ring64, test::InFolder>,
                                      std::pair<Ring32, test::InDatabase>, std::pair<Ring64, test::InDatabase>>;
TYPED_TEST_SUITE(PoolRings, RingsAndPlaces);

TYPED_TEST(PoolRings, givesBackWhatWasPut) {
  using R = typename TypeParam::first_type;
  test::StoresOf<R, typename TypeParam::second_type> stores;
  stores.make(idOf(1, 4));
  const auto service = takeOne(stores.servicePool, idOf(1, 4)), client = takeOne(stores.clientPool, idOf(1, 4));
  ASSERT_TRUE(service.size() == 1 && client.size() == 1);
  auto serviceBundle = service[0].template load<ServiceMaterial<R>>(stores.plan);
  auto clientBundle = client[0].template load<ClientMaterial<R>>(stores.plan);
  ASSERT_TRUE(serviceBundle && clientBundle);
  stores.deal(4, [&](std::size_t i, const test::Dealt<R> &dealt) {
    const PlanEntry &entry = stores.plan.entries[i];
    const auto same = [&](const auto &material, const auto &expected) {
      EXPECT_TRUE(std::ranges::equal(pack(material, entry).span(), pack(expected, entry).span())) << i;
    };
    if (entry.kind == EntryKind::Linear)
      same(ServiceMaterial<R>(*serviceBundle->template take<LinearMaterial<R>>(i)), dealt.service);
    if (entry.kind == EntryKind::Compare) {
      same(ServiceMaterial<R>(*serviceBundle->template take<CompareService<R>>(i)), dealt.service);
      same(ClientMaterial<R>(*clientBundle->template take<CompareClient<R>>(i)), dealt.client);
    }
    if (entry.kind == EntryKind::Output)
      same(ClientMaterial<R>(*clientBundle->template take<OutputMaterial<R>>(i)), dealt.client);
  });
}

TYPED_TEST(PoolIn, nothingIsTakenTwice) {
  test::StoresOf<Ring32, TypeParam> stores;
  stores.make(idOf(1, 0));
  auto first = takeOne(stores.servicePool, idOf(1, 0));
  EXPECT_EQ(first.size(), 1u);
  EXPECT_EQ(takeOne(stores.servicePool, idOf(1, 0)).size(), 0u);
  const auto reopened = Store::open(stores.place("service"));
  const auto pool = reopened->existingPool(stores.servicePool.binding());
  EXPECT_EQ(takeOne(*pool, idOf(1, 0)).size(), 0u);
  EXPECT_EQ(pool->contents()->all, Inventory{idOf(1, 0)}); // in use
  first.clear();
  EXPECT_EQ(pool->contents()->all, Inventory{});
  EXPECT_EQ(takeOne(stores.servicePool, idOf(1, 0)).size(), 0u);
}

TYPED_TEST(PoolIn, manyThreadsNeverTakeTheSame) {
  test::StoresOf<Ring32, TypeParam> stores;
  constexpr std::uint32_t kEntries = 60;
  for (std::uint32_t i = 0; i < kEntries; ++i)
    stores.make(idOf(1, i), true, false);
  std::vector<EntryId> ids;
  for (std::uint32_t i = 0; i < kEntries; ++i)
    ids.push_back(idOf(1, i));
  std::mutex mutex;
  std::multiset<EntryId> seen;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 6; ++t)
      threads.emplace_back([&] {
        const Pool pool = *Store::open(stores.place("service"))->existingPool(stores.servicePool.binding());
        for (std::size_t at = 0; at < ids.size(); at += 3) {
          auto taken = pool.take(std::span(ids).subspan(at, 3));
          ASSERT_TRUE(taken);
          EXPECT_TRUE(pool.contents()); // looks while others take
          const std::lock_guard lock(mutex);
          for (const TakenEntry &entry : *taken)
            seen.insert(entry.id());
        }
      });
  }
  EXPECT_EQ(seen.size(), ids.size());
  EXPECT_EQ(std::set<EntryId>(seen.begin(), seen.end()).size(), ids.size());
}

TYPED_TEST(PoolRings, everyDamagedByteAndEveryCutIsRefused) {
  using R = typename TypeParam::first_type;
  test::StoresOf<R, typename TypeParam::second_type> stores;
  stores.make(idOf(1, 0), true, false);
  const EntryBinding &pool = stores.servicePool.binding();
  const auto good = stores.read("service", pool, idOf(1, 0));
  ASSERT_GT(good.size(), EntryHeader::kBytes);
  ASSERT_EQ(*stores.servicePool.discard({idOf(1, 0)}), 1u);
  std::uint32_t tried = 0;
  const auto loads = [&](std::span<const std::uint8_t> bytes) {
    stores.write("service", pool, idOf(1, 0), bytes);
    auto taken = takeOne(stores.servicePool, idOf(1, 0));
    EXPECT_EQ(taken.size(), 1u);
    ++tried;
    return taken.at(0).template load<ServiceMaterial<R>>(stores.plan).has_value();
  };
  ASSERT_TRUE(loads(good));
  for (std::size_t i = 0; i < good.size(); ++i) {
    auto bad = good;
    bad[i] ^= static_cast<std::uint8_t>(1u << (i % 8));
    ASSERT_FALSE(loads(bad)) << "byte " << i;
  }
  for (std::size_t length = 0; length < good.size(); length += 1 + length / 8)
    ASSERT_FALSE(loads(std::span(good).first(length))) << length;
  auto longer = good;
  longer.push_back(0);
  EXPECT_FALSE(loads(longer));
  EXPECT_TRUE(loads(good));
  EXPECT_GT(tried, good.size());
}

TYPED_TEST(PoolIn, refusesAnEntryOfAnotherStoreNamePlanOrProgram) {
  test::StoresOf<Ring32, TypeParam> stores;
  stores.make(idOf(1, 0));
  stores.make(idOf(1, 1));
  const EntryBinding mine = stores.servicePool.binding();
  const auto other1 = stores.read("service", mine, idOf(1, 1));
  const auto bytes = stores.read("service", mine, idOf(1, 0));
  const auto clients = stores.read("client", stores.clientPool.binding(), idOf(1, 0));
  const auto load = [&](const Pool &pool, const Plan &plan) {
    auto bundle = takeOne(pool, idOf(1, 0)).at(0).load<ServiceMaterial<Ring32>>(plan);
    return bundle ? std::string() : bundle.error().message;
  };
  stores.write("service", mine, idOf(1, 0), other1); // under another's name
  EXPECT_THAT(load(stores.servicePool, stores.plan),
              HasSubstr("it is inference 01010101010101010101010101010101-00000001"));
  stores.write("service", mine, idOf(1, 0), clients); // another store's
  EXPECT_THAT(load(stores.servicePool, stores.plan), HasSubstr("was not written by this store"));

  // Another program's, peer's, role's pool of the same store.
  std::vector<std::pair<EntryBinding, std::string>> others(3, {mine, ""});
  others[0].first.program[0] ^= 1, others[0].second = "another program";
  others[1].first.peer[0] ^= 1, others[1].second = "another peer";
  others[2].first.party = 1, others[2].second = "made for party 0";
  for (const auto &[binding, text] : others) {
    const Pool pool = *stores.service.pool(binding);
    stores.write("service", binding, idOf(1, 0), bytes);
    EXPECT_THAT(load(pool, stores.plan), HasSubstr(text));
  }
  Plan other = stores.plan;
  other.ringBits = 64;
  stores.write("service", mine, idOf(1, 0), bytes);
  EXPECT_THAT(load(stores.servicePool, other), HasSubstr("not those that the program needs"));
  stores.write("service", mine, idOf(1, 0), bytes);
  Plan wider = stores.plan;
  wider.entries[1].elements = 4;
  EXPECT_THAT(load(stores.servicePool, wider), HasSubstr("not those that the program needs"));
}

TYPED_TEST(PoolIn, halfWrittenEntriesAreNoEntries) {
  test::StoresOf<Ring32, TypeParam> stores;
  {
    auto writer = stores.servicePool.create(idOf(1, 0), stores.plan);
    ASSERT_TRUE(writer);
    EXPECT_THAT(writer->finish().error().message, HasSubstr("left entry 1 out"));
    EXPECT_EQ(stores.servicePool.contents()->all.size(), 0u);
    EXPECT_EQ(stores.servicePool.contents()->cleared, 0u); // somebody works on it
    EXPECT_EQ(stores.count("service", 'p'), 1u);
  }
  EXPECT_EQ(stores.count("service", 'p'), 0u);
  auto writer = stores.servicePool.create(idOf(1, 0), stores.plan);
  const auto dealt = test::deal<Ring32>(stores.plan.entries[1], {std::vector<Ring32>(3, 5)}, 1);
  EXPECT_TRUE(writer->put(1, dealt.service));
  EXPECT_THAT(writer->put(1, dealt.service).error().message, HasSubstr("made already"));
  EXPECT_FALSE(writer->put(2, dealt.service)); // of another kind
  EXPECT_FALSE(writer->put(9, dealt.service));
  EXPECT_FALSE(writer->put(1, dealt.client));
}

// What a killed process leaves: a child that ends without a destructor.
TYPED_TEST(PoolIn, clearsUpAfterAProcessThatDied) {
  test::StoresOf<Ring32, TypeParam> stores;
  stores.make(idOf(1, 0));
  const pid_t child = ::fork();
  if (child == 0) {
    const auto store = Store::open(stores.place("service"));
    const auto pool = store->existingPool(stores.servicePool.binding());
    auto half = pool->create(idOf(1, 1), stores.plan);
    const EntryId id = idOf(1, 0);
    auto taken = pool->take({&id, 1});
    ::kill(::getpid(), half && taken && taken->size() == 1 ? SIGKILL : SIGTERM);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));
  ASSERT_EQ(WTERMSIG(status), SIGKILL);
  EXPECT_EQ(stores.count("service", 'p'), 1u);
  EXPECT_EQ(stores.count("service", 't'), 1u);
  EXPECT_EQ(takeOne(stores.servicePool, idOf(1, 0)).size(), 0u); // burnt
  const auto contents = stores.servicePool.contents();
  ASSERT_TRUE(contents);
  EXPECT_EQ(contents->cleared, 2u);
  EXPECT_TRUE(contents->all.empty());
  EXPECT_EQ(stores.count("service", 'p') + stores.count("service", 'r') + stores.count("service", 't'), 0u);
}

TYPED_TEST(PoolIn, discardsWhatNobodyWorksOn) {
  test::StoresOf<Ring32, TypeParam> stores;
  stores.make(idOf(1, 0));
  EntryWriter busy = stores.written(stores.servicePool, idOf(1, 1));
  ASSERT_TRUE(busy.commit());
  const auto contents = stores.servicePool.contents();
  EXPECT_EQ(contents->ready, (Inventory{idOf(1, 0), idOf(1, 1)}));
  EXPECT_EQ(contents->settled, Inventory{idOf(1, 0)});
  EXPECT_EQ(*stores.servicePool.discard({idOf(1, 0), idOf(1, 1), idOf(1, 2)}), 1u);
  EXPECT_EQ(stores.servicePool.contents()->all, Inventory{idOf(1, 1)});
}

} // namespace
} // namespace sd
