// What happens in a service, one line each.
#pragma once

#include <functional>
#include <string_view>

#include <nlohmann/json.hpp>

#include "ir/core/RateLimit.h"
#include "runtime/service/Time.h"

namespace sd::service {

enum class Level { Info, Warning, Error };

using Fields = nlohmann::ordered_json; // an object

// "2026-12-01T02:46:42.123Z info session session=5f hospital=clinic", or the same as JSON. Strings that peers chose are
// escaped: an event is one line whatever they hold.
std::string formatEvent(TimePoint time, Level level, std::string_view event, const Fields &fields, bool json);

class EventLog {
public:
  // `line` takes one line without its end; it must neither wait nor throw, in any thread.
  EventLog(std::function<void(std::string_view)> line, bool json) : line_(std::move(line)), json_(json) {}

  void write(Level level, std::string_view event, const Fields &fields);

  // The same for what strangers cause: ten lines at once and one more a second; the next says how many were left out.
  void writeRarely(std::string_view event, Fields fields);

private:
  const std::function<void(std::string_view)> line_;
  const bool json_;
  RateLimit strangers_;
};

} // namespace sd::service
