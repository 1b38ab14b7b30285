#include "data/FhirTime.h"

#include <chrono>
#include <cmath>
#include <regex>

#include "ir/bytecode/ByteIo.h"

namespace sd {

namespace {

constexpr double kHour = 3600;

double secondsOf(std::chrono::year_month_day day) {
  return static_cast<double>(std::chrono::sys_days(day).time_since_epoch().count()) * 24 * kHour;
}

tl::unexpected<Error> notATime(std::string_view text) {
  return fail("'{}' is no date or time of FHIR", plainText(std::string(text), 40));
}

} // namespace

std::partial_ordering operator<=>(const FhirTime &a, const FhirTime &b) {
  if (!a.isKnown || !b.isKnown) return std::partial_ordering::unordered;
  const bool bothSay = a.hasZone == b.hasZone;
  if (a.first == b.first && a.end == b.end && bothSay) return std::partial_ordering::equivalent;
  const auto from = [&](const FhirTime &t) { return t.first - (t.hasZone || bothSay ? 0 : 14 * kHour); };
  const auto to = [&](const FhirTime &t) { return t.end + (t.hasZone || bothSay ? 0 : 12 * kHour); };
  if (to(a) <= from(b)) return std::partial_ordering::less;
  if (to(b) <= from(a)) return std::partial_ordering::greater;
  return std::partial_ordering::unordered;
}

Expected<FhirTime> parseFhirTime(std::string_view text) {
  static const std::regex pattern(
      R"((\d{4})(-(\d\d)(-(\d\d)(T(\d\d):(\d\d):(\d\d)(\.\d{1,9})?(Z|([+-])(\d\d):(\d\d)))?)?)?)");
  if (text.size() > 40) return notATime(text);
  std::cmatch parts;
  if (!std::regex_match(text.data(), text.data() + text.size(), parts, pattern)) return notATime(text);
  const auto number = [&](std::size_t part, int other) { return parts[part].matched ? std::stoi(parts[part]) : other; };
  using namespace std::chrono;
  const year_month_day day{year(number(1, 0)), month(static_cast<unsigned>(number(3, 1))),
                           std::chrono::day(static_cast<unsigned>(number(5, 1)))};
  if (!day.ok()) return notATime(text);
  FhirTime time{secondsOf(day), 0, true, parts[6].matched};
  if (!time.hasZone) {
    const year_month_day end = parts[5].matched   ? year_month_day(sys_days(day) + days(1))
                               : parts[3].matched ? year_month_day(day.year() / day.month() / 1 + months(1))
                                                  : year_month_day(day.year() / 1 / 1 + years(1));
    time.end = secondsOf(end);
    return time;
  }
  if (number(7, 0) > 23 || number(8, 0) > 59 || number(9, 0) > 60 || number(13, 0) > 14 || number(14, 0) > 59)
    return notATime(text);
  const double zone =
      (parts[12].matched && *parts[12].first == '-' ? -1 : 1) * (number(13, 0) * kHour + number(14, 0) * 60.0);
  time.first += number(7, 0) * kHour + number(8, 0) * 60.0 + number(9, 0) - zone;
  if (parts[10].matched) time.first += std::stod(parts[10]);
  time.end = time.first;
  return time;
}

Expected<FhirTime> timeOfObservation(const nlohmann::json &observation) {
  const auto textIn = [](const nlohmann::json &object, const char *key) -> std::string_view {
    const auto found = object.find(key);
    return found != object.end() && found->is_string() ? std::string_view(found->get_ref<const std::string &>())
                                                       : std::string_view();
  };
  for (const char *key : {"effectiveDateTime", "effectiveInstant"})
    if (const auto text = textIn(observation, key); !text.empty()) return parseFhirTime(text);
  if (const auto period = observation.find("effectivePeriod"); period != observation.end() && period->is_object())
    for (const char *key : {"end", "start"})
      if (const auto text = textIn(*period, key); !text.empty()) return parseFhirTime(text);
  if (const auto text = textIn(observation, "issued"); !text.empty()) return parseFhirTime(text);
  return FhirTime{};
}

} // namespace sd
