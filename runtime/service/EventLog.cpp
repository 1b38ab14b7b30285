#include "runtime/service/EventLog.h"

#include <algorithm>
#include <cctype>

#include <fmt/format.h>

namespace sd::service {
namespace {

std::string_view nameOf(Level level) {
  switch (level) {
  case Level::Info:
    return "info";
  case Level::Warning:
    return "warning";
  case Level::Error:
    break;
  }
  return "error";
}

std::string dump(const nlohmann::ordered_json &value) {
  return value.dump(-1, ' ', true, nlohmann::ordered_json::error_handler_t::replace);
}

// Quoted where it would not read as one word.
std::string word(const nlohmann::ordered_json &value) {
  if (!value.is_string()) return dump(value);
  const auto &text = value.get_ref<const std::string &>();
  const auto plain = [](char c) { return std::isgraph(static_cast<unsigned char>(c)) && c != '"' && c != '\\'; };
  return !text.empty() && std::all_of(text.begin(), text.end(), plain) ? text : dump(value);
}

} // namespace

std::string formatEvent(TimePoint time, Level level, std::string_view event, const Fields &fields, bool json) {
  if (json) {
    nlohmann::ordered_json all = {{"time", toRfc3339(time)}, {"level", nameOf(level)}, {"event", event}};
    all.update(fields);
    return dump(all);
  }
  std::string line = fmt::format("{} {} {}", toRfc3339(time), nameOf(level), event);
  for (const auto &[key, value] : fields.items())
    line += fmt::format(" {}={}", key, word(value));
  return line;
}

void EventLog::write(Level level, std::string_view event, const Fields &fields) {
  try {
    line_(formatEvent(std::chrono::system_clock::now(), level, event, fields, json_));
  } catch (const std::exception &) { // without memory there is no line
  }
}

void EventLog::writeRarely(std::string_view event, Fields fields) {
  const std::optional<std::uint64_t> leftOut = strangers_.take();
  if (!leftOut) return;
  if (*leftOut > 0) fields["left_out"] = *leftOut;
  write(Level::Warning, event, fields);
}

} // namespace sd::service
