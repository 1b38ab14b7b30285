// One connection to a PostgreSQL server. No call waits longer than the target's patience; after a connection was lost
// or kept silent, all calls fail.
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
  std::chrono::milliseconds patience{30'000};
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
  // A server that is starting or has no place for one more is tried again for some seconds.
  static Expected<std::unique_ptr<PgConnection>> connect(const PgTarget &target);

  // One statement. `binary`: results are in binary. Errors say what to do.
  Expected<PgResult> run(const char *sql, std::span<const PgValue> values = {}, bool binary = false);
  Expected<PgResult> run(const char *sql, std::initializer_list<PgValue> values, bool binary = false) {
    return run(sql, std::span(values.begin(), values.size()), binary);
  }

  // Whether every statement succeeded; a connection on which one failed is not used for another session.
  bool clean() const { return clean_; }

  // Of this connection: an advisory lock that the server lets go when the connection ends, however it ends.
  std::uint64_t lease() const { return lease_; }
  Expected<void> takeLease();

private:
  explicit PgConnection(const PgTarget &target) : target_(target), connection_(nullptr, &PQfinish) {}
  Expected<void> open();
  bool wait(bool write, std::chrono::steady_clock::time_point until) const; // false: too long
  tl::unexpected<Error> lost(const std::string &why);
  tl::unexpected<Error> failed(const PGresult *result);

  PgTarget target_;
  std::unique_ptr<PGconn, decltype(&PQfinish)> connection_;
  std::uint64_t lease_ = 0;
  bool clean_ = true;
};

} // namespace sd
