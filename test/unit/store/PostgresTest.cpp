// What only a store in a database can meet: other machines' workers, a server that dies, fills up, refuses or is slow.
#include <sys/wait.h>
#include <unistd.h>

#include <set>
#include <thread>

#include "runtime/store/PgConnection.h"
#include "test/unit/store/PostgresRelay.h"
#include "test/unit/store/StoreFixture.h"

namespace sd {
namespace {

using test::idOf;
using test::InDatabase;
using test::PostgresServer;
using testing::HasSubstr;
using Stores = test::StoresOf<Ring32, InDatabase>;

class Postgres : public testing::Test {
protected:
  void SetUp() override {
    if (InDatabase::isMissing()) GTEST_SKIP() << "no PostgreSQL";
  }
};

template <class T>
std::string messageOf(const Expected<T> &result) {
  return result ? "no error" : result.error().message;
}

// Whether `done` becomes true within a minute, which no working machine takes.
bool eventually(const std::function<bool()> &done) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  while (!done()) {
    if (std::chrono::steady_clock::now() > until) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

std::vector<EntryId> idsTo(std::uint32_t count) {
  std::vector<EntryId> ids;
  for (std::uint32_t i = 0; i < count; ++i)
    ids.push_back(idOf(1, i));
  return ids;
}

// Names of what this process' threads took, all of them trying for all of `ids`.
std::string takeInThreads(const StorePlace &place, const EntryBinding &binding, std::span<const EntryId> ids,
                          int threads) {
  std::vector<std::string> taken(static_cast<std::size_t>(threads));
  {
    std::vector<std::jthread> running;
    for (std::string &mine : taken)
      running.emplace_back([&] {
        const auto store = Store::open(place);
        const auto pool = store ? store->existingPool(binding) : tl::unexpected(store.error());
        for (std::size_t at = 0; pool && at < ids.size(); at += 2) {
          const auto got = pool->take(ids.subspan(at, 2));
          if (!got) mine += "error " + got.error().message + "\n";
          for (std::size_t i = 0; got && i < got->size(); ++i)
            mine += toString((*got)[i].id()) + "\n";
        }
        if (!pool) mine += "error " + pool.error().message + "\n";
      });
  }
  return fmt::format("{}", fmt::join(taken, ""));
}

TEST_F(Postgres, twoProcessesOfFourThreadsNeverTakeTheSame) {
  Stores stores;
  constexpr std::uint32_t kEntries = 400;
  const auto ids = idsTo(kEntries);
  for (const EntryId &id : ids)
    stores.make(id, true, false);
  const StorePlace place = stores.place("service");
  const EntryBinding binding = stores.servicePool.binding();
  int pipe[2];
  ASSERT_EQ(::pipe(pipe), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const std::string text = takeInThreads(place, binding, ids, 4);
    ::_exit(::write(pipe[1], text.data(), text.size()) == static_cast<ssize_t>(text.size()) ? 0 : 1);
  }
  ::close(pipe[1]);
  std::string all = takeInThreads(place, binding, ids, 4);
  char buffer[4096];
  for (ssize_t count; (count = ::read(pipe[0], buffer, sizeof buffer)) > 0;)
    all.append(buffer, static_cast<std::size_t>(count));
  ::close(pipe[0]);
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  std::multiset<std::string> seen;
  for (std::size_t at = 0, end; (end = all.find('\n', at)) != std::string::npos; at = end + 1)
    seen.insert(all.substr(at, end - at));
  EXPECT_EQ(seen.size(), kEntries);
  for (const EntryId &id : ids)
    EXPECT_EQ(seen.count(toString(id)), 1u);
  EXPECT_EQ(stores.sql("service", "SELECT count(*), count(DISTINCT id) FROM sd_spent"), "400|400");
}

TEST_F(Postgres, workersOfOneKeyShareOneStore) {
  Stores stores;
  stores.make(idOf(1, 0));
  const auto other = Store::open(stores.place("service")); // as another machine's
  ASSERT_TRUE(other);
  EXPECT_EQ(other->id(), stores.service.id());
  const auto pool = other->existingPool(stores.servicePool.binding());
  ASSERT_TRUE(pool);
  const auto ids = idsTo(1);
  EXPECT_EQ(pool->take(ids)->size(), 1u);
  EXPECT_EQ(stores.servicePool.take(ids)->size(), 0u);
}

TEST_F(Postgres, manyStartAtOnceAndMakeTheTablesOnce) {
  InDatabase where;
  const StorePlace place = where.place("service");
  std::vector<std::string> ids(6);
  {
    std::vector<std::jthread> threads;
    for (std::string &id : ids)
      threads.emplace_back([&] {
        const auto store = Store::openOrCreate(place);
        id = store ? toHex(store->id()) : store.error().message;
      });
  }
  EXPECT_EQ(std::set<std::string>(ids.begin(), ids.end()).size(), 1u) << ids[0];
  EXPECT_EQ(where.sql("service", "SELECT count(*) FROM sd_meta"), "1");
}

// The claim is on its way and no answer comes: whatever the server did with it, nothing is used, then or later.
TEST_F(Postgres, aClaimWithoutAnAnswerCountsAsSpent) {
  Stores stores;
  stores.make(idOf(1, 0), true, false);
  StorePlace place = stores.place("service");
  place.patience = std::chrono::milliseconds(300);
  const auto store = Store::open(place);
  ASSERT_TRUE(store);
  const auto ids = idsTo(1);
  {
    const auto pool = store->existingPool(stores.servicePool.binding());
    const auto blocker = PgConnection::connect({place.where, "the blocker"});
    ASSERT_TRUE(blocker && (*blocker)->run("BEGIN") && (*blocker)->run("LOCK TABLE sd_spent IN ACCESS EXCLUSIVE MODE"));
    const auto taken = pool->take(ids);
    EXPECT_THAT(messageOf(taken), HasSubstr("no stored inference was used"));
    EXPECT_THAT(messageOf(taken), HasSubstr("did not answer within 0.3 s"));
    EXPECT_THAT(messageOf(pool->take(ids)), HasSubstr("the connection was lost")); // and stays so
    ASSERT_TRUE((*blocker)->run("COMMIT"));
  }
  // The server has done it meanwhile, for a client that is gone.
  ASSERT_TRUE(eventually([&] { return stores.sql("service", "SELECT count(*) FROM sd_spent") == "1"; }));
  EXPECT_EQ(stores.servicePool.take(ids)->size(), 0u);
  // Until the server has noticed that the client is gone.
  ASSERT_TRUE(eventually([&] {
    const auto contents = stores.servicePool.contents();
    return contents && contents->all.empty();
  }));
  EXPECT_EQ(stores.sql("service", "SELECT count(*) FROM sd_entry"), "0");
}

TEST_F(Postgres, serverThatIsKilledLosesNoClaim) {
  const auto server = PostgresServer::start();
  ASSERT_TRUE(server);
  test::TemporaryFolder keys;
  const StorePlace place(server->url("one"), keys / "key");
  const auto store = Store::openOrCreate(place);
  ASSERT_TRUE(store) << messageOf(store);
  const EntryBinding binding{Digest{7}, 0, StoreId{5}};
  const auto ids = idsTo(3);
  const Plan plan = test::smallPlan<Ring32>();
  auto pool = store->pool(binding);
  ASSERT_TRUE(pool);
  for (const EntryId &id : ids) {
    auto writer = pool->create(id, plan);
    ASSERT_TRUE(writer);
    for (std::size_t i = 0; i < plan.entries.size(); ++i)
      ASSERT_TRUE(writer->put(i, test::deal<Ring32>(plan.entries[i], {std::vector<Ring32>(3, 5)}, i).service));
    ASSERT_TRUE(writer->finish() && writer->commit());
  }
  auto half = pool->create(idOf(2, 0), plan);
  ASSERT_TRUE(half);
  auto taken = pool->take(std::span(ids).first(1));
  ASSERT_TRUE(taken && taken->size() == 1);
  server->kill9();
  EXPECT_THAT(messageOf(pool->take(std::span(ids).subspan(1, 1))), HasSubstr("no stored inference was used"));
  EXPECT_FALSE(half->commit());
  EXPECT_THAT(messageOf(store->existingPool(binding)), HasSubstr("see that the server runs"));
  ASSERT_TRUE(server->run());
  // The same store object goes on. What was taken is burnt, what was half is gone.
  const auto again = store->existingPool(binding);
  ASSERT_TRUE(again) << messageOf(again);
  EXPECT_EQ(again->take(std::span(ids).first(1))->size(), 0u);
  const auto contents = again->contents();
  EXPECT_EQ(contents->cleared, 2u);
  EXPECT_EQ(contents->all, (Inventory{ids[1], ids[2]}));
  EXPECT_EQ(again->take(ids)->size(), 2u);
}

TEST_F(Postgres, nothingOfAnEntryThatWasSpentOnceIsTakenAgain) {
  Stores stores;
  stores.make(idOf(1, 0), true, false);
  const auto bytes = stores.read("service", stores.servicePool.binding(), idOf(1, 0));
  const auto ids = idsTo(1);
  EXPECT_EQ(stores.servicePool.take(ids)->size(), 1u);
  EXPECT_TRUE(stores.servicePool.contents()->all.empty());
  stores.sql("service", "CREATE TABLE kept AS SELECT * FROM sd_spent");
  stores.write("service", stores.servicePool.binding(), idOf(1, 0), bytes); // a copy of the tables is brought back
  stores.sql("service", "INSERT INTO sd_spent SELECT * FROM kept");
  const auto again = Store::open(stores.place("service"))->existingPool(stores.servicePool.binding());
  EXPECT_THAT(messageOf(again->take(ids)), HasSubstr("made or used before"));
}

TEST_F(Postgres, refusesWhatDoesNotFit) {
  Stores stores;
  const StorePlace place = stores.place("service");
  EXPECT_THAT(messageOf(Store::open(StorePlace(place.where))), HasSubstr("needs a key file"));
  EXPECT_THAT(messageOf(Store::open(StorePlace("dir:/tmp", place.key))), HasSubstr("has its key there"));
  EXPECT_THAT(messageOf(Store::open({place.where, stores.keys / "none"})), HasSubstr("copy it from a machine"));
  EXPECT_THAT(messageOf(Store::open({place.where, stores.place("client").key})), HasSubstr("is the key of store"));
  EXPECT_THAT(messageOf(Store::open({place.where + "&password=x", place.key})), HasSubstr("could be read by others"));
  EXPECT_THAT(messageOf(Store::open({"postgresql://u:secret@localhost/x", place.key})), HasSubstr("PGPASSFILE"));
  EXPECT_THAT(messageOf(Store::open({"postgresql:///x?nonsense=1", place.key})), HasSubstr("nonsense"));
  EXPECT_THAT(messageOf(Store::open({PostgresServer::shared()->url("empty_one"), stores.keys / "new"})),
              HasSubstr("there is no store; --prepare N makes one"));
  EXPECT_FALSE(std::filesystem::exists(stores.keys / "new"));
  stores.sql("service", "UPDATE sd_meta SET version = 9");
  EXPECT_THAT(messageOf(Store::open(place)), HasSubstr("its tables are of version 9; this release knows version 1"));
  EXPECT_THAT(messageOf(Store::openOrCreate(place)), HasSubstr("of version 9"));
  stores.sql("service", "UPDATE sd_meta SET version = 1");
  EXPECT_TRUE(Store::open(place));
}

TEST_F(Postgres, saysWhatToDoWhereTheServerRefuses) {
  Stores stores;
  stores.make(idOf(1, 0), true, false);
  const StorePlace place = stores.place("service");
  const EntryBinding binding = stores.servicePool.binding();
  const auto ids = idsTo(1);
  PostgresServer &server = *PostgresServer::shared();
  const std::string schema = stores.schemas.at("service");
  const auto takeAt = [&](const std::string &url) -> std::string {
    const auto store = Store::open({url, place.key});
    if (!store) return store.error().message;
    const auto pool = store->existingPool(binding);
    return pool ? messageOf(pool->take(ids)) : pool.error().message;
  };
  EXPECT_THAT(takeAt(place.where + "%20-cdefault_transaction_read_only%3Don"), HasSubstr("name the primary server"));
  server.sql("public", "CREATE ROLE poor LOGIN; CREATE ROLE narrow LOGIN CONNECTION LIMIT 1");
  server.sql(schema, "GRANT USAGE ON SCHEMA " + schema +
                         " TO poor, narrow; GRANT SELECT, INSERT, UPDATE, DELETE ON ALL "
                         "TABLES IN SCHEMA " +
                         schema + " TO narrow; GRANT USAGE ON ALL SEQUENCES IN SCHEMA " + schema + " TO narrow");
  EXPECT_THAT(takeAt(server.url(schema, "&user=poor")), HasSubstr("grant it SELECT, INSERT"));
  {
    StorePlace narrow(server.url(schema, "&user=narrow"), place.key);
    narrow.patience = std::chrono::milliseconds(2000);
    const auto store = Store::open(narrow);
    ASSERT_TRUE(store) << messageOf(store);
    auto held = store->existingPool(binding);
    ASSERT_TRUE(held) << messageOf(held);
    EXPECT_THAT(messageOf(store->existingPool(binding)), HasSubstr("too many connections"));
    held = tl::unexpected(Error{});
    EXPECT_TRUE(store->existingPool(binding)); // its connection is used again
  }
  stores.sql("service",
             "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'No "
             "space left on device' USING ERRCODE = 'disk_full'; END $$; CREATE TRIGGER full_disk BEFORE INSERT "
             "ON sd_spent EXECUTE FUNCTION full_disk()");
  EXPECT_THAT(takeAt(place.where), HasSubstr("its disk is full: make room there"));
  stores.sql("service", "DROP TRIGGER full_disk ON sd_spent");
  EXPECT_THAT(takeAt(place.where), HasSubstr("no error")); // nothing was lost by all that
}

TEST_F(Postgres, serverThatIsSilentIsGivenUp) {
  const auto server = PostgresServer::start();
  ASSERT_TRUE(server);
  test::TemporaryFolder keys;
  StorePlace place(server->url("one"), keys / "key");
  place.patience = std::chrono::milliseconds(500);
  const auto store = Store::openOrCreate(place);
  ASSERT_TRUE(store) << messageOf(store);
  const auto pool = store->pool({Digest{7}, 0, StoreId{5}});
  ASSERT_TRUE(pool);
  server->stopAll();
  EXPECT_THAT(messageOf(pool->contents()), HasSubstr("did not answer within 0.5 s"));
  EXPECT_THAT(messageOf(store->pool({Digest{7}, 0, StoreId{5}})), HasSubstr("did not answer within 0.5 s"));
  server->goOn();
  EXPECT_TRUE(store->pool({Digest{7}, 0, StoreId{5}}));
}

// The link takes all that is sent and brings nothing: TCP notices nothing. Many connections were idle on it.
TEST_F(Postgres, linkThatStopsForwardingIsGivenUpOnceNotForEachConnection) {
  PostgresServer &server = *PostgresServer::shared();
  test::PostgresRelay relay(server.folder() + "/.s.PGSQL.5432");
  test::TemporaryFolder keys;
  StorePlace place(relay.url(server.url(server.freshSchema())), keys / "key");
  place.patience = std::chrono::milliseconds(1500);
  const auto store = Store::openOrCreate(place);
  ASSERT_TRUE(store) << messageOf(store);
  const EntryBinding binding{Digest{7}, 0, StoreId{5}};
  constexpr int kIdle = 8;
  {
    std::vector<Expected<Pool>> held;
    for (int i = 0; i < kIdle; ++i)
      held.push_back(store->pool(binding));
    for (const auto &pool : held)
      ASSERT_TRUE(pool) << messageOf(pool);
  }
  const int before = relay.accepted();
  relay.stall();
  const auto begun = std::chrono::steady_clock::now();
  EXPECT_THAT(messageOf(store->pool(binding)), HasSubstr("did not answer within 1.5 s"));
  // One idle connection was asked, for a third of the patience, and one new one: not all of them, 12 s in all.
  EXPECT_LT(std::chrono::steady_clock::now() - begun, (kIdle - 1) * place.patience);
  EXPECT_EQ(relay.accepted(), before + 1);
  relay.goOn();
  EXPECT_TRUE(store->pool(binding)); // by itself
}

TEST_F(Postgres, sessionOnALinkThatStopsForwardingWaitsOnce) {
  PostgresServer &server = *PostgresServer::shared();
  test::PostgresRelay relay(server.folder() + "/.s.PGSQL.5432");
  test::TemporaryFolder keys;
  StorePlace place(relay.url(server.url(server.freshSchema())), keys / "key");
  place.patience = std::chrono::milliseconds(1500);
  const auto store = Store::openOrCreate(place);
  ASSERT_TRUE(store) << messageOf(store);
  const auto pool = store->pool({Digest{7}, 0, StoreId{5}});
  ASSERT_TRUE(pool) << messageOf(pool);
  relay.stall();
  const auto ids = idsTo(1);
  EXPECT_THAT(messageOf(pool->take(ids)), HasSubstr("no stored inference was used"));
  for (int i = 0; i < 100; ++i) // none of these waits: 150 s if they did
    EXPECT_THAT(messageOf(pool->contents()), HasSubstr("the connection was lost"));
}

// Nobody waits for an answer, so the server stops as well; what the URL says itself is left as it is.
TEST_F(Postgres, serverEndsStatementsThatNobodyWaitsFor) {
  PostgresServer &server = *PostgresServer::shared();
  const std::string url = server.url(server.freshSchema());
  const auto shows = [](const std::string &where, const char *setting) -> std::string {
    const auto connection = PgConnection::connect({where, "the database", std::chrono::milliseconds(20'000)});
    if (!connection) return connection.error().message;
    const auto row = (*connection)->run("SELECT current_setting($1)", {PgValue(std::string(setting))});
    return row ? row->text(0, 0) : row.error().message;
  };
  EXPECT_EQ(shows(url, "statement_timeout"), "30s");
  EXPECT_EQ(shows(url + "%20-cstatement_timeout%3D7s", "statement_timeout"), "7s");
  EXPECT_EQ(shows(url + "%20-csynchronous_commit%3Doff", "synchronous_commit"), "on");
  EXPECT_EQ(shows(url + "%20-csynchronous_commit%3Dremote_apply", "synchronous_commit"), "remote_apply");
}

} // namespace
} // namespace sd
