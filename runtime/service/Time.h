// The calendar, as logs and quotas have it.
#pragma once

#include <chrono>
#include <string>

namespace sd::service {

using TimePoint = std::chrono::system_clock::time_point;

std::string toRfc3339(TimePoint time); // "2026-12-01T02:46:42.123Z"
std::string dayOf(TimePoint time);     // "2026-12-01", UTC

} // namespace sd::service
