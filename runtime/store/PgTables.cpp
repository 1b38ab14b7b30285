#include "runtime/store/PgTables.h"

#include <algorithm>

namespace sd {

namespace {

// What leads from version i to version i + 1.
constexpr const char *kSteps[][8] = {
    {
        "CREATE TABLE sd_meta (version bigint NOT NULL, store bytea NOT NULL, made timestamptz NOT NULL DEFAULT now())",
        "CREATE TABLE sd_pool (pool text COLLATE \"C\" PRIMARY KEY, made timestamptz NOT NULL DEFAULT now())",
        // state: p being written, r ready, t taken. lease: of whoever works on it; none of one that is settled.
        "CREATE TABLE sd_entry (entry bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, "
        "pool text COLLATE \"C\" NOT NULL REFERENCES sd_pool, id text COLLATE \"C\" NOT NULL, "
        "state text NOT NULL CHECK (state IN ('p', 'r', 't')), lease bigint, bytes bigint NOT NULL, "
        "made timestamptz NOT NULL DEFAULT now(), UNIQUE (pool, id))",
        "CREATE TABLE sd_chunk (entry bigint NOT NULL REFERENCES sd_entry ON DELETE CASCADE, at bigint NOT NULL, "
        "data bytea NOT NULL, PRIMARY KEY (entry, at))",
        "ALTER TABLE sd_chunk ALTER COLUMN data SET STORAGE EXTERNAL", // sealed bytes do not compress
        "CREATE TABLE sd_spent (pool text COLLATE \"C\" NOT NULL, id text COLLATE \"C\" NOT NULL, worker text NOT "
        "NULL, "
        "spent timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (pool, id))",
        "CREATE SEQUENCE sd_lease AS integer MINVALUE 1 CYCLE",
        nullptr,
    },
};
static_assert(std::size(kSteps) == kPgVersion);

Expected<void> make(PgConnection &connection, const StoreId &store) {
  SD_TRY(connection.run("SELECT pg_advisory_xact_lock(29540, 0)"));
  SD_ASSIGN(const PgMeta before, readPgMeta(connection));
  for (std::uint64_t version = before.version; version < kPgVersion; ++version)
    for (const char *const *step = kSteps[version]; *step != nullptr; ++step)
      SD_TRY(connection.run(*step));
  if (before.version == 0) {
    SD_TRY(connection.run("INSERT INTO sd_meta (version, store) VALUES ($1, $2)",
                          {PgValue(kPgVersion), PgValue(std::span<const std::uint8_t>(store))}));
  } else if (before.version < kPgVersion) {
    SD_TRY(connection.run("UPDATE sd_meta SET version = $1", {PgValue(kPgVersion)}));
  }
  return {};
}

} // namespace

Expected<PgMeta> readPgMeta(PgConnection &connection) {
  // Not to_regclass(): it may still remember from before the lock that there was no table.
  SD_ASSIGN(const PgResult there,
            connection.run("SELECT FROM pg_class WHERE relname = 'sd_meta' AND pg_table_is_visible(oid)"));
  if (there.rows() == 0) return PgMeta{};
  SD_ASSIGN(const PgResult version, connection.run("SELECT version FROM sd_meta"));
  SD_ASSIGN(const PgResult store, connection.run("SELECT store FROM sd_meta", {}, true));
  PgMeta meta;
  if (version.rows() != 1 || store.rows() != 1 || store.bytes(0, 0).size() != meta.store.size())
    return failHere("the database's table sd_meta is not a store's: it needs one row");
  meta.version = version.number(0, 0);
  std::ranges::copy(store.bytes(0, 0), meta.store.begin());
  return meta;
}

Expected<void> makePgTables(PgConnection &connection, const StoreId &store) {
  SD_TRY(connection.run("BEGIN"));
  SD_TRY(make(connection, store)); // else the connection is given up, and the server takes all of it back
  SD_TRY(connection.run("COMMIT"));
  return {};
}

} // namespace sd
