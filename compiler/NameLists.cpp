#include "compiler/NameLists.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace sd {

namespace {

using Json = nlohmann::json;

constexpr std::size_t kMostBytes = std::size_t{1} << 20;

// Python's quotes, and its numbers as keys, as JSON has them.
std::string withoutPython(std::string_view text) {
  std::string json;
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i] == '\'' ? '"' : text[i];
    if (c == '"') quoted = !quoted;
    const bool digit = !quoted && c >= '0' && c <= '9';
    if (!digit) {
      json += c;
      continue;
    }
    json += '"';
    for (; i < text.size() && text[i] >= '0' && text[i] <= '9'; ++i)
      json += text[i];
    json += '"';
    --i;
  }
  return json;
}

std::vector<std::string> namesOf(const Json &json) {
  std::vector<std::string> names;
  const std::size_t size = json.is_array() || json.is_object() ? json.size() : 0;
  for (std::size_t i = 0; i < size; ++i) {
    const auto key = std::to_string(i);
    if (json.is_object() && !json.contains(key)) return {};
    const Json &name = json.is_array() ? json[i] : json.at(key);
    if (!name.is_string() && !name.is_number_integer()) return {};
    names.push_back(name.is_string() ? name.get<std::string>() : name.dump());
  }
  return names;
}

std::vector<std::string> between(std::string_view text, char separator) {
  std::vector<std::string> names;
  for (bool more = true; more;) {
    const std::size_t at = text.find(separator);
    more = at != text.npos;
    const std::string_view name = text.substr(0, at);
    const std::size_t begin = name.find_first_not_of(" \t\r\n");
    names.emplace_back(begin == name.npos ? std::string_view()
                                          : name.substr(begin, name.find_last_not_of(" \t\r\n") - begin + 1));
    if (more) text.remove_prefix(at + 1);
  }
  return names;
}

} // namespace

std::vector<std::string> parseNames(std::string_view text) {
  if (text.size() > kMostBytes) return {};
  const std::size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == text.npos) return {};
  if (text[begin] != '{' && text[begin] != '[')
    return text.find(',') == text.npos ? std::vector<std::string>{} : between(text, ',');
  for (const std::string &json : {std::string(text), withoutPython(text)})
    if (const Json parsed = Json::parse(json, nullptr, false); !parsed.is_discarded()) return namesOf(parsed);
  return {};
}

} // namespace sd
