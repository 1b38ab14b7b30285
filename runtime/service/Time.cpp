#include "runtime/service/Time.h"

#include <ctime>

#include <fmt/format.h>

namespace sd::service {

std::string toRfc3339(TimePoint time) {
  using namespace std::chrono;
  const auto sinceEpoch = floor<milliseconds>(time).time_since_epoch();
  const std::time_t seconds = floor<std::chrono::seconds>(sinceEpoch).count();
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday,
                     utc.tm_hour, utc.tm_min, utc.tm_sec, sinceEpoch.count() - seconds * 1000);
}

std::string dayOf(TimePoint time) { return toRfc3339(time).substr(0, 10); }

} // namespace sd::service
