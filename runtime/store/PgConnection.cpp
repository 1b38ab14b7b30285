#include "runtime/store/PgConnection.h"

#include <poll.h>

#include <algorithm>
#include <thread>

#include "runtime/store/PgTables.h"

namespace sd {

namespace {

constexpr std::chrono::seconds kRetry{5};
constexpr std::chrono::milliseconds kPause{100};
constexpr std::chrono::seconds kForgotten{10}; // that the server works on for whoever has given up already

// A claim must be durable when its statement returns, whatever the server's default is. A statement that nobody waits
// for any more ends, and so does the connection, with its lease, of a machine that has vanished.
constexpr char kSetUp[] =
    "SELECT set_config(name, value, false) FROM (VALUES ('synchronous_commit', 'on', '{off,local}'::text[]), "
    "('statement_timeout', $1, '{0}'), ('tcp_keepalives_idle', '30', NULL), ('tcp_keepalives_interval', '10', NULL), "
    "('tcp_keepalives_count', '3', NULL)) AS wanted (name, value, instead) "
    "WHERE instead IS NULL OR current_setting(name) = ANY(instead)";

std::string oneLine(std::string text) {
  while (!text.empty() && text.back() == '\n')
    text.pop_back();
  std::ranges::replace(text, '\n', ' ');
  return text;
}

struct Advice {
  std::string_view state; // SQLSTATE, or its first digits
  std::string_view text;
};
constexpr Advice kAdvice[] = {
    {"53100", "its disk is full: make room there, or remove old inferences (sd-store prune)"},
    {"53", "it has run out of memory or connections: raise its limits, or allow fewer sessions"},
    {"25006", "it can only be read: name the primary server, or several with target_session_attrs=read-write"},
    {"42501", "the service's role may not use the store's tables: grant it SELECT, INSERT, UPDATE and DELETE on tables "
              "sd_*, USAGE on sequence sd_lease, and, for the first start, CREATE on the schema"},
    {"42P01", "the store's tables are not there (any more); check the database and the search path"},
    {"57014", "a statement took longer than the server allows: look for what is slow there (statement_timeout)"},
    {"55P03", "a lock was not free in time: look for what holds it there (lock_timeout)"},
    {"23505", "an inference of this name has been made or used before; was an old copy of the database brought back? "
              "Remove what is left of it (sd-store prune --all) and prepare anew"},
};

std::string_view adviceFor(std::string_view state) {
  for (const Advice &advice : kAdvice)
    if (state.starts_with(advice.state)) return advice.text;
  return "see the server's log";
}

// Servers say these without a code while a connection is made.
bool passes(const std::string &message) {
  for (const char *text : {"starting up", "shutting down", "too many clients", "connection slots",
                           "too many connections", "recovery mode"})
    if (message.find(text) != std::string::npos) return true;
  return false;
}

tl::unexpected<Error> failedBecause(std::string text) {
  return tl::unexpected<Error>(Error{std::move(text), true, ErrorKind::Resources});
}

} // namespace

std::string pgArray(std::span<const std::string> items) { return fmt::format("{{{}}}", fmt::join(items, ",")); }

std::uint64_t PgResult::affected() const {
  const std::string_view count = PQcmdTuples(result_.get());
  return count.empty() ? 0 : std::stoull(std::string(count));
}

bool PgConnection::wait(bool write, Clock::time_point until) const {
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - Clock::now()).count();
  if (left <= 0) return false;
  pollfd descriptor{PQsocket(connection_.get()), static_cast<short>(write ? POLLIN | POLLOUT : POLLIN), 0};
  const int ready = ::poll(&descriptor, 1, static_cast<int>(std::min<std::int64_t>(left, 1'000'000)));
  return ready > 0 || (ready < 0 && errno == EINTR);
}

tl::unexpected<Error> PgConnection::lost(const std::string &why) {
  clean_ = false;
  connection_.reset();
  return failedBecause(
      fmt::format("{}: {}; see that the server runs and is reached, then repeat the run", target_.shown, why));
}

tl::unexpected<Error> PgConnection::failed(const PGresult *result) {
  clean_ = false;
  if (PQstatus(connection_.get()) != CONNECTION_OK)
    return lost(fmt::format("the connection was lost ({})", oneLine(PQerrorMessage(connection_.get()))));
  const char *code = PQresultErrorField(result, PG_DIAG_SQLSTATE);
  const std::string_view state = code ? code : "";
  const char *primary = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
  return failedBecause(fmt::format("{}: the database refused: {}; {}", target_.shown,
                                   oneLine(primary ? primary : PQerrorMessage(connection_.get())), adviceFor(state)));
}

tl::unexpected<Error> PgConnection::silent() {
  return lost(fmt::format("the database did not answer within {} s", target_.patience.count() / 1000.0));
}

Expected<void> PgConnection::open(Clock::time_point until) {
  // What comes before the URL is overruled by it. A host that has vanished leaves time for the next one of the URL.
  const std::string unacknowledged = std::to_string(std::max<std::int64_t>(target_.patience.count() / 3, 1));
  const char *const names[] = {"keepalives_idle", "keepalives_interval",       "keepalives_count", "tcp_user_timeout",
                               "dbname",          "fallback_application_name", "client_encoding",  nullptr};
  const char *const values[] = {"30",        "10",   "3",    unacknowledged.c_str(), target_.url.c_str(),
                                "sdc store", "UTF8", nullptr};
  connection_.reset(PQconnectStartParams(names, values, 1));
  if (!connection_) return lost("no memory for a connection");
  for (PostgresPollingStatusType status = PGRES_POLLING_WRITING; status != PGRES_POLLING_OK;
       status = PQconnectPoll(connection_.get())) {
    if (status == PGRES_POLLING_FAILED || PQstatus(connection_.get()) == CONNECTION_BAD)
      return lost(fmt::format("can't connect to the database: {}", oneLine(PQerrorMessage(connection_.get()))));
    if (!wait(status == PGRES_POLLING_WRITING, until)) return silent();
  }
  PQsetnonblocking(connection_.get(), 1);
  PQsetNoticeProcessor(
      connection_.get(), [](void *, const char *) {}, nullptr);
  return {};
}

Expected<void> PgConnection::setUp() {
  const auto most = std::chrono::duration_cast<std::chrono::milliseconds>(target_.patience + kForgotten).count();
  SD_TRY(run(kSetUp, {PgValue(static_cast<std::uint64_t>(most))}));
  return {};
}

Expected<std::unique_ptr<PgConnection>> PgConnection::connectUntil(const PgTarget &target, Clock::time_point until) {
  const auto now = Clock::now();
  const auto retry = std::min<Clock::time_point>(now + kRetry, until - (until - now) / 3); // leaves time for an answer
  for (;; std::this_thread::sleep_for(kPause)) {
    std::unique_ptr<PgConnection> made(new PgConnection(target));
    made->limit_ = until;
    const Expected<void> opened = made->open(until);
    if (!opened && passes(opened.error().message) && Clock::now() < retry) continue;
    SD_TRY(opened);
    SD_TRY(made->setUp());
    return made;
  }
}

Expected<std::unique_ptr<PgConnection>> PgConnection::connect(const PgTarget &target) {
  SD_ASSIGN(std::unique_ptr<PgConnection> made, connectUntil(target, Clock::now() + target.patience));
  made->limit_ = Clock::time_point::max();
  return made;
}

Expected<std::unique_ptr<PgConnection>> PgConnection::connectWithLease(const PgTarget &target) {
  SD_ASSIGN(std::unique_ptr<PgConnection> made, connectUntil(target, Clock::now() + target.patience));
  SD_TRY(made->takeLease());
  made->limit_ = Clock::time_point::max();
  return made;
}

bool PgConnection::answers(std::chrono::milliseconds most) {
  limit_ = Clock::now() + most;
  const bool answered = run("SELECT 1").has_value();
  limit_ = Clock::time_point::max();
  return answered;
}

Expected<void> PgConnection::takeLease() {
  for (;;) { // a number whose connection still lives somewhere is passed over
    SD_ASSIGN(const PgResult result, run(kPgTakeLease));
    lease_ = result.number(0, 0);
    if (result.flag(0, 1)) return {};
    if (Clock::now() >= limit_) return silent();
  }
}

Expected<PgResult> PgConnection::run(const char *sql, std::span<const PgValue> values, bool binary) {
  if (!connection_) return lost("the connection was lost");
  std::vector<const char *> data;
  std::vector<int> lengths, formats;
  for (const PgValue &value : values) {
    data.push_back(value.binary ? reinterpret_cast<const char *>(value.bytes.data()) : value.text.c_str());
    lengths.push_back(static_cast<int>(value.bytes.size()));
    formats.push_back(value.binary);
  }
  PGconn *connection = connection_.get();
  const auto until = std::min(Clock::now() + target_.patience, limit_);
  if (PQsendQueryParams(connection, sql, static_cast<int>(values.size()), nullptr, data.data(), lengths.data(),
                        formats.data(), binary) != 1)
    return failed(nullptr);
  for (int flushed; (flushed = PQflush(connection)) != 0;) {
    if (flushed < 0) return failed(nullptr);
    if (!wait(true, until)) return silent();
    if (PQconsumeInput(connection) != 1) return failed(nullptr);
  }
  PgResult last(nullptr);
  Expected<void> outcome;
  for (;;) {
    while (PQisBusy(connection) == 1) {
      if (!wait(false, until)) return silent();
      if (PQconsumeInput(connection) != 1) return failed(nullptr);
    }
    PGresult *result = PQgetResult(connection);
    if (result == nullptr) break;
    PgResult owned(result);
    const ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
      outcome = failed(result);
      if (!connection_) break;
    }
    last = std::move(owned);
  }
  SD_TRY(outcome);
  return last;
}

} // namespace sd
