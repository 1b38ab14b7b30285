// The tables of a store in a database, and the statements on them (docs/store.md).
#pragma once

#include "runtime/store/PgConnection.h"
#include "runtime/store/StoreKey.h"

namespace sd {

inline constexpr std::uint64_t kPgVersion = 1; // of the tables

// A lease is an advisory lock (this number, the lease) that its connection holds as long as it lives. 29540 is "sd".
inline constexpr char kPgTakeLease[] = "SELECT n, pg_try_advisory_lock(29540, n) FROM "
                                       "(SELECT nextval('sd_lease')::int AS n) AS next";
// Leases of living connections. Rows are read first, locks second: who wrote a row that is seen had its lock before.
#define SD_PG_ALIVE                                                                                                    \
  "(SELECT objid::bigint FROM pg_locks WHERE locktype = 'advisory' AND classid = 29540 AND objsubid = 2 AND granted "  \
  "AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))"

struct PgMeta {
  std::uint64_t version = 0; // 0: there are no tables
  StoreId store{};
};
Expected<PgMeta> readPgMeta(PgConnection &connection);

// Makes the tables, or brings them to this version, and says whose they are; whoever else does the same waits. `store`
// counts only where there are none.
Expected<void> makePgTables(PgConnection &connection, const StoreId &store);

} // namespace sd
