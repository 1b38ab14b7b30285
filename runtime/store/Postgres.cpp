#include "runtime/store/Postgres.h"

#include <fcntl.h>

#include "runtime/store/KeyFile.h"
#include "runtime/store/PgPool.h"
#include "runtime/store/PgTables.h"

namespace sd {

namespace {

constexpr std::size_t kIdle = 8; // connections that are kept for the next session

// Host and database of a URL that libpq takes; what it takes from the environment stays out.
Expected<std::string> describe(const std::string &url) {
  char *why = nullptr;
  const std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> options(PQconninfoParse(url.c_str(), &why),
                                                                             &PQconninfoFree);
  if (!options) {
    std::string text = why ? why : "no memory";
    PQfreemem(why);
    while (text.ends_with('\n'))
      text.pop_back();
    return fail("the store's URL is not one of PostgreSQL's: {}", text);
  }
  std::string host, database;
  for (const PQconninfoOption *option = options.get(); option->keyword != nullptr; ++option) {
    if (option->val == nullptr) continue;
    const std::string_view key = option->keyword;
    if (key == "password" || key == "sslpassword")
      return fail(
          "a password in the store's URL could be read by others; put it into a file (PGPASSFILE, ~/.pgpass, or "
          "a service file)");
    if (key == "host") host = option->val;
    if (key == "dbname") database = option->val;
  }
  return fmt::format("database {}{}{}", database.empty() ? "of the user's name" : database, host.empty() ? "" : " at ",
                     host);
}

class PostgresBackend : public StoreBackend, public std::enable_shared_from_this<PostgresBackend> {
public:
  explicit PostgresBackend(PgTarget target) : target_(std::move(target)) {}

  const std::string &name() const override { return target_.shown; }
  Expected<PgLoan> borrow();

  Expected<std::shared_ptr<PoolBackend>> pool(const std::string &pool, bool create) override {
    SD_ASSIGN(PgLoan connection, borrow());
    if (create) {
      SD_TRY(connection->run("INSERT INTO sd_pool (pool) VALUES ($1) ON CONFLICT DO NOTHING", {PgValue(pool)}));
    } else {
      SD_ASSIGN(const PgResult there, connection->run("SELECT 1 FROM sd_pool WHERE pool = $1", {PgValue(pool)}));
      if (there.rows() == 0) return nullptr;
    }
    return makePgPool(std::move(connection), pool);
  }

  Expected<std::vector<std::string>> pools() override {
    SD_ASSIGN(const PgLoan connection, borrow());
    SD_ASSIGN(const PgResult rows, connection->run("SELECT pool FROM sd_pool ORDER BY pool"));
    std::vector<std::string> names;
    for (int row = 0; row < rows.rows(); ++row)
      names.push_back(rows.text(row, 0));
    return names;
  }

  Expected<bool> removeEmpty(const std::string &pool) override {
    SD_ASSIGN(const PgLoan connection, borrow());
    SD_ASSIGN(const PgResult gone, connection->run("DELETE FROM sd_pool AS p WHERE pool = $1 AND NOT EXISTS "
                                                   "(SELECT FROM sd_entry AS e WHERE e.pool = p.pool)",
                                                   {PgValue(pool)}));
    return gone.affected() > 0;
  }

  Expected<std::uint64_t> forgetSpent(std::chrono::system_clock::time_point before) override {
    SD_ASSIGN(const PgLoan connection, borrow());
    const auto seconds = static_cast<std::uint64_t>(std::chrono::system_clock::to_time_t(before));
    SD_ASSIGN(const PgResult gone,
              connection->run("DELETE FROM sd_spent WHERE spent < to_timestamp($1::bigint)", {PgValue(seconds)}));
    return gone.affected();
  }

private:
  void giveBack(std::unique_ptr<PgConnection> connection) {
    const std::lock_guard lock(mutex_);
    if (connection->clean() && idle_.size() < kIdle) idle_.push_back(std::move(connection));
  }

  PgTarget target_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<PgConnection>> idle_;
};

// In all it takes the target's patience and a third.
Expected<PgLoan> PostgresBackend::borrow() {
  std::unique_ptr<PgConnection> connection;
  {
    const std::lock_guard lock(mutex_);
    if (!idle_.empty()) {
      connection = std::move(idle_.back());
      idle_.pop_back();
    }
  }
  if (connection && !connection->answers(target_.patience / 3)) {
    // The server was restarted, or something between has forgotten the connection: so it is with the others.
    connection.reset();
    const std::lock_guard lock(mutex_);
    idle_.clear();
  }
  if (!connection) {
    SD_ASSIGN(connection, PgConnection::connectWithLease(target_));
  }
  return PgLoan(connection.release(), [self = shared_from_this()](PgConnection *back) {
    self->giveBack(std::unique_ptr<PgConnection>(back));
  });
}

Expected<void> checkMeta(const PgMeta &meta, const StoreKey &key, const std::string &shown,
                         const std::string &keyFile) {
  if (meta.version > kPgVersion)
    return failHere("{}: its tables are of version {}; this release knows version {}: install the newer release on all "
                    "machines",
                    shown, meta.version, kPgVersion);
  if (meta.store != key.id)
    return failHere("{} holds store {}, and {} is the key of store {}; copy the key file from a machine that uses the "
                    "database, or use another database or schema",
                    shown, toHex(meta.store), keyFile, toHex(key.id));
  return {};
}

} // namespace

Expected<void> checkPostgresUrl(const std::string &url) {
  SD_TRY(describe(url));
  return {};
}

Expected<OpenedStore> openPostgresStore(const std::string &url, const std::string &keyFile,
                                        std::chrono::milliseconds patience, bool create) {
  PgTarget target{url, "", patience};
  SD_ASSIGN(target.shown, describe(url));
  SD_ASSIGN(const std::unique_ptr<PgConnection> connection, PgConnection::connect(target));
  SD_ASSIGN(PgMeta meta, readPgMeta(*connection));
  if (meta.version == 0 && !create) return failHere("{}: there is no store; --prepare N makes one", target.shown);
  if (!hasKeyFile(AT_FDCWD, keyFile)) {
    if (meta.version != 0)
      return failHere(
          "{} holds store {}, and its key file {} is not here; copy it from a machine that uses the database",
          target.shown, toHex(meta.store), keyFile);
    SD_TRY(makeKeyFile(AT_FDCWD, keyFile, keyFile));
  }
  SD_ASSIGN(StoreKey key, readKeyFile(AT_FDCWD, keyFile, keyFile));
  if (meta.version < kPgVersion) {
    SD_TRY(makePgTables(*connection, key.id));
    SD_ASSIGN(meta, readPgMeta(*connection));
  }
  SD_TRY(checkMeta(meta, key, target.shown, keyFile));
  return OpenedStore{std::make_shared<PostgresBackend>(std::move(target)), std::move(key)};
}

} // namespace sd
