#include "runtime/store/PgPool.h"

#include <unistd.h>

#include <algorithm>

#include "runtime/store/PgTables.h"

namespace sd {

namespace {

constexpr std::size_t kChunkBytes = std::size_t{1} << 20; // of material in one row
constexpr char kReadChunks[] =
    "SELECT at::text::bytea, data FROM sd_chunk WHERE entry = $1 AND at >= "
    "(SELECT max(at) FROM sd_chunk WHERE entry = $1 AND at <= $2) ORDER BY sd_chunk.at LIMIT 4";

// What need not be durable when its statement returns: a later one that is makes it so, or it may get lost.
#define SD_PG_SOON "(SELECT set_config('synchronous_commit', 'off', true)) AS soon"
constexpr char kWrite[] =
    "INSERT INTO sd_chunk (entry, at, data) SELECT $1::bigint, $2::bigint, $3::bytea FROM " SD_PG_SOON;
constexpr char kRemove[] = "DELETE FROM sd_entry USING " SD_PG_SOON " WHERE entry = $1";
constexpr char kSettle[] = "UPDATE sd_entry SET lease = NULL FROM " SD_PG_SOON " WHERE entry = $1 AND lease = $2";
constexpr char kCreate[] =
    "INSERT INTO sd_entry (pool, id, state, lease, bytes) SELECT $1, $2, 'p', $3::bigint, $4::bigint "
    "FROM " SD_PG_SOON " RETURNING entry";

constexpr char kClear[] = "DELETE FROM sd_entry WHERE entry IN (SELECT entry FROM sd_entry WHERE pool = $1 "
                          "AND state <> 'r' AND lease NOT IN " SD_PG_ALIVE " FOR UPDATE SKIP LOCKED)";
constexpr char kContents[] =
    "SELECT id, state, coalesce(lease IN " SD_PG_ALIVE ", false) FROM sd_entry WHERE pool = $1 "
    "AND state <> 'p' ORDER BY id";

// One statement is one transaction. Rows that others have locked are theirs. The row in sd_spent stays when the entry
// is gone: a name that comes back, from a copy of the tables that was brought back, can't be spent again.
constexpr char kTake[] =
    "WITH free AS (SELECT entry FROM sd_entry WHERE pool = $1 AND state = 'r' AND id = ANY($2::text[]) ORDER BY id "
    "FOR UPDATE SKIP LOCKED), "
    "taken AS (UPDATE sd_entry AS e SET state = 't', lease = $3 FROM free WHERE e.entry = free.entry "
    "RETURNING e.entry, e.id, e.bytes), "
    "spent AS (INSERT INTO sd_spent (pool, id, worker) SELECT $1, id, $4 FROM taken RETURNING id) "
    "SELECT taken.entry, taken.id, taken.bytes FROM taken JOIN spent USING (id)";

constexpr char kDiscard[] =
    "DELETE FROM sd_entry WHERE entry IN (SELECT entry FROM sd_entry WHERE pool = $1 AND state = 'r' "
    "AND id = ANY($2::text[]) AND (lease IS NULL OR lease NOT IN " SD_PG_ALIVE ") ORDER BY id FOR UPDATE SKIP LOCKED)";

std::string workerName() {
  char host[256] = {};
  ::gethostname(host, sizeof host - 1);
  return fmt::format("{}:{}", host, ::getpid());
}

std::vector<std::string> namesOf(std::span<const EntryId> ids) {
  std::vector<std::string> names;
  for (const EntryId &id : ids)
    names.push_back(toString(id));
  return names;
}

class PgPool : public PoolBackend, public std::enable_shared_from_this<PgPool> {
public:
  PgPool(PgLoan connection, std::string pool)
      : pool_(std::move(pool)), lease_(connection->lease()), connection_(std::move(connection)) {}

  Expected<std::unique_ptr<EntrySink>> create(const EntryId &id, std::uint64_t bytes) override;
  Expected<PoolContents> contents() override;
  Expected<std::vector<TakenSource>> take(std::span<const EntryId> ids) override;
  Expected<std::size_t> discard(const Inventory &ids) override;
  Expected<std::vector<Listed>> list() override;
  Expected<std::unique_ptr<EntrySource>> look(const EntryId &id) override;

  Expected<PgResult> run(const char *sql, std::initializer_list<PgValue> values, bool binary = false) {
    const std::lock_guard lock(mutex_);
    return connection_->run(sql, values, binary);
  }
  std::uint64_t lease() const { return lease_; }

private:
  const std::string pool_;
  const std::uint64_t lease_;
  std::mutex mutex_;
  PgLoan connection_;
};

class RowSink : public EntrySink {
public:
  RowSink(std::shared_ptr<PgPool> pool, std::uint64_t entry) : pool_(std::move(pool)), entry_(entry) {}
  ~RowSink() override {
    if (committed_)
      (void)pool_->run(kSettle, {PgValue(entry_), PgValue(pool_->lease())});
    else
      (void)pool_->run(kRemove, {PgValue(entry_)});
  }

  // Pieces that follow each other share rows.
  Expected<void> write(std::uint64_t offset, std::span<const std::uint8_t> bytes) override {
    if (offset != at_ + buffer_.size()) SD_TRY(writeBuffer());
    if (buffer_.empty()) at_ = offset;
    while (!bytes.empty()) {
      const auto part = bytes.first(std::min(bytes.size(), kChunkBytes - buffer_.size()));
      buffer_.insert(buffer_.end(), part.begin(), part.end());
      bytes = bytes.subspan(part.size());
      if (buffer_.size() == kChunkBytes) SD_TRY(writeBuffer());
    }
    return {};
  }
  Expected<void> finish() override { return writeBuffer(); }
  Expected<void> commit() override {
    SD_ASSIGN(const PgResult made,
              pool_->run("UPDATE sd_entry SET state = 'r' WHERE entry = $1 AND state = 'p'", {PgValue(entry_)}));
    committed_ = made.affected() == 1;
    if (!committed_)
      return failHere("an inference that was being prepared was cleared away: the database took this service for dead");
    return {};
  }

private:
  Expected<void> writeBuffer() {
    if (buffer_.empty()) return {};
    SD_TRY(pool_->run(kWrite, {PgValue(entry_), PgValue(at_), PgValue(std::span<const std::uint8_t>(buffer_))}));
    at_ += buffer_.size();
    buffer_.clear();
    return {};
  }

  std::shared_ptr<PgPool> pool_;
  std::uint64_t entry_;
  std::uint64_t at_ = 0;
  std::vector<std::uint8_t> buffer_; // sealed
  bool committed_ = false;
};

class RowSource : public EntrySource {
public:
  RowSource(std::shared_ptr<PgPool> pool, std::uint64_t entry, bool taken)
      : pool_(std::move(pool)), entry_(entry), taken_(taken) {}
  ~RowSource() override {
    // What can't be removed now is cleared away once this connection is gone.
    if (taken_) (void)pool_->run(kRemove, {PgValue(entry_)});
  }

  Expected<std::uint64_t> size() override {
    SD_ASSIGN(const PgResult size,
              pool_->run("SELECT coalesce(sum(length(data)), 0) FROM sd_chunk WHERE entry = $1", {PgValue(entry_)}));
    return size.number(0, 0);
  }
  Expected<void> read(std::uint64_t offset, std::span<std::uint8_t> bytes) override {
    while (!bytes.empty()) {
      SD_ASSIGN(const std::span<const std::uint8_t> there, from(offset));
      const std::size_t count = std::min(bytes.size(), there.size());
      std::ranges::copy(there.first(count), bytes.begin());
      bytes = bytes.subspan(count), offset += count;
    }
    return {};
  }

private:
  struct Chunk {
    std::uint64_t at = 0;
    std::vector<std::uint8_t> data;
    bool has(std::uint64_t offset) const { return at <= offset && offset - at < data.size(); }
  };

  // Bytes from `offset` on, at least one. A few rows are read ahead.
  Expected<std::span<const std::uint8_t>> from(std::uint64_t offset) {
    const auto here = [&] { return std::ranges::find_if(ahead_, [&](const Chunk &c) { return c.has(offset); }); };
    if (here() == ahead_.end()) {
      ahead_.clear();
      SD_ASSIGN(const PgResult rows, pool_->run(kReadChunks, {PgValue(entry_), PgValue(offset)}, true));
      for (int row = 0; row < rows.rows(); ++row) {
        const auto at = rows.bytes(row, 0), data = rows.bytes(row, 1);
        ahead_.push_back({std::stoull(std::string(at.begin(), at.end())), {data.begin(), data.end()}});
      }
    }
    const auto chunk = here();
    if (chunk == ahead_.end()) return failHere("a part of it is missing in the database");
    return std::span<const std::uint8_t>(chunk->data).subspan(offset - chunk->at);
  }

  std::shared_ptr<PgPool> pool_;
  std::uint64_t entry_;
  bool taken_;
  std::vector<Chunk> ahead_;
};

Expected<std::unique_ptr<EntrySink>> PgPool::create(const EntryId &id, std::uint64_t bytes) {
  SD_ASSIGN(const PgResult made,
            run(kCreate, {PgValue(pool_), PgValue(toString(id)), PgValue(lease_), PgValue(bytes)}));
  return std::make_unique<RowSink>(shared_from_this(), made.number(0, 0));
}

Expected<PoolContents> PgPool::contents() {
  PoolContents found;
  SD_ASSIGN(const PgResult cleared, run(kClear, {PgValue(pool_)}));
  found.cleared = cleared.affected();
  SD_ASSIGN(const PgResult rows, run(kContents, {PgValue(pool_)}));
  for (int row = 0; row < rows.rows(); ++row) {
    const auto id = parseEntryId(rows.text(row, 0));
    if (!id) return failHere("the database names an inference '{}', which is none of a store's", rows.text(row, 0));
    found.all.push_back(*id);
    if (rows.text(row, 1) != "r") continue;
    found.ready.push_back(*id);
    if (!rows.flag(row, 2)) found.settled.push_back(*id);
  }
  return found;
}

Expected<std::vector<TakenSource>> PgPool::take(std::span<const EntryId> ids) {
  const auto rows =
      run(kTake, {PgValue(pool_), PgValue(pgArray(namesOf(ids))), PgValue(lease_), PgValue(workerName())});
  // Whether the server did it is not known if the connection was lost: then it counts as done, and none is used.
  if (!rows) return failAs(rows.error(), "no stored inference was used: {}", rows.error().message);
  std::vector<TakenSource> taken;
  for (int row = 0; row < rows->rows(); ++row)
    if (const auto id = parseEntryId(rows->text(row, 1)))
      taken.push_back({*id, std::make_unique<RowSource>(shared_from_this(), rows->number(row, 0), true)});
  const auto place = [&](const TakenSource &one) { return std::ranges::find(ids, one.id) - ids.begin(); };
  std::ranges::sort(taken, {}, place);
  return taken;
}

Expected<std::size_t> PgPool::discard(const Inventory &ids) {
  SD_ASSIGN(const PgResult gone, run(kDiscard, {PgValue(pool_), PgValue(pgArray(namesOf(ids)))}));
  return gone.affected();
}

Expected<std::vector<PoolBackend::Listed>> PgPool::list() {
  SD_ASSIGN(const PgResult rows, run("SELECT id, bytes, extract(epoch FROM made)::bigint FROM sd_entry WHERE pool = $1 "
                                     "AND state = 'r' ORDER BY id",
                                     {PgValue(pool_)}));
  std::vector<Listed> listed;
  for (int row = 0; row < rows.rows(); ++row)
    if (const auto id = parseEntryId(rows.text(row, 0)))
      listed.push_back({*id, rows.number(row, 1),
                        std::chrono::system_clock::from_time_t(static_cast<std::time_t>(rows.number(row, 2)))});
  return listed;
}

Expected<std::unique_ptr<EntrySource>> PgPool::look(const EntryId &id) {
  SD_ASSIGN(const PgResult row, run("SELECT entry FROM sd_entry WHERE pool = $1 AND id = $2 AND state = 'r'",
                                    {PgValue(pool_), PgValue(toString(id))}));
  if (row.rows() == 0) return failHere("{}: it is not there any more", toString(id));
  return std::make_unique<RowSource>(shared_from_this(), row.number(0, 0), false);
}

} // namespace

std::shared_ptr<PoolBackend> makePgPool(PgLoan connection, std::string pool) {
  return std::make_shared<PgPool>(std::move(connection), std::move(pool));
}

} // namespace sd
