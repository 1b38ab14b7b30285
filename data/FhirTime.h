// When an Observation was made, as FHIR R4 says it: a year, a month, a day or an instant.
#pragma once

#include <compare>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string_view>

#include "ir/core/Error.h"

namespace sd {

// Seconds since 1970 in UTC, of the first and after the last moment that may be meant. Days without a time zone are the
// hospital's own: compared with each other they are as they say, with an instant they last 26 hours longer.
struct FhirTime {
  double first = 0, end = 0;
  bool isKnown = false, hasZone = false;
};

// Unordered where it is not plain which one is later.
std::partial_ordering operator<=>(const FhirTime &a, const FhirTime &b);

Expected<FhirTime> parseFhirTime(std::string_view text); // "2024", "2024-05", "2024-05-01", "2024-05-01T10:00:00+02:00"

// effectiveDateTime, effectiveInstant, the end or else the start of effectivePeriod, or issued; unknown if there is
// none.
Expected<FhirTime> timeOfObservation(const nlohmann::json &observation);

} // namespace sd
