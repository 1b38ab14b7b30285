// One connection to a PostgreSQL server. No call waits longer than the target's patience; after a connection was lost
// or kept silent, all calls fail at once.
#pragma once

#include <libpq-fe.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "ir/core/Error.h"

namespace sd {

struct PgTarget {
  std::string url;
  std::string shown; // for messages: neither user nor password
  std::chrono::milliseconds patience{15'000};
};

// A parameter of a statement.
struct PgValue {
  std::string text;
  std::span<const std::uint8_t> bytes{};
  bool binary = false;

  PgValue(std::string value) : text(std::move(value)) {}
  PgValue(std::uint64_t value) : text(std::to_string(value)) {}
  PgValue(std::span<const std::uint8_t> value) : bytes(value), binary(true) {}
};
std::string pgArray(std::span<const std::string> items); // items without quotes or commas

class PgResult {
public:
  explicit PgResult(PGresult *result) : result_(result, &PQclear) {}
  int rows() const { return PQntuples(result_.get()); }
  std::string text(int row, int column) const { return PQgetvalue(result_.get(), row, column); }
  std::uint64_t number(int row, int column) const { return std::stoull(text(row, column)); }
  bool flag(int row, int column) const { return text(row, column) == "t"; }
  // Of a result in binary.
  std::span<const std::uint8_t> bytes(int row, int column) const {
    return {reinterpret_cast<const std::uint8_t *>(PQgetvalue(result_.get(), row, column)),
            static_cast<std::size_t>(PQgetlength(result_.get(), row, column))};
  }
  std::uint64_t affected() const; // rows

private:
  std::unique_ptr<PGresult, decltype(&PQclear)> result_;
};

class PgConnection {
public:
  // With a lease, all within the target's patience. A server that is starting or has no place for one more is tried
  // again for some seconds.
  static Expected<std::unique_ptr<PgConnection>> connectWithLease(const PgTarget &target);
  // Without.
  static Expected<std::unique_ptr<PgConnection>> connect(const PgTarget &target);

  // One statement. `binary`: results are in binary. Errors say what to do.
  Expected<PgResult> run(const char *sql, std::span<const PgValue> values = {}, bool binary = false);
  Expected<PgResult> run(const char *sql, std::initializer_list<PgValue> values, bool binary = false) {
    return run(sql, std::span(values.begin(), values.size()), binary);
  }

  // Whether every statement succeeded; a connection on which one failed is not used for another session.
  bool clean() const { return clean_; }

  // Whether the server answers within `most`.
  bool answers(std::chrono::milliseconds most);

  // Of this connection: an advisory lock that the server lets go when the connection ends, however it ends.
  std::uint64_t lease() const { return lease_; }

private:
  explicit PgConnection(const PgTarget &target) : target_(target), connection_(nullptr, &PQfinish) {}
  using Clock = std::chrono::steady_clock;
  static Expected<std::unique_ptr<PgConnection>> connectUntil(const PgTarget &target, Clock::time_point until);
  Expected<void> open(Clock::time_point until);
  Expected<void> setUp();
  Expected<void> takeLease();
  tl::unexpected<Error> silent();
  bool wait(bool write, Clock::time_point until) const; // false: too long
  tl::unexpected<Error> lost(const std::string &why);
  tl::unexpected<Error> failed(const PGresult *result);

  PgTarget target_;
  std::unique_ptr<PGconn, decltype(&PQfinish)> connection_;
  Clock::time_point limit_ = Clock::time_point::max(); // of all calls together, while there is one
  std::uint64_t lease_ = 0;
  bool clean_ = true;
};

} // namespace sd
