#include "tools/sd-serve/Section.h"

#include <filesystem>

#include <fmt/format.h>

namespace sd::service {

void Section::problem(const toml::source_region &where, const std::string &text) {
  problems_.push_back(fmt::format("{}:{}: {}", where.begin.line, where.begin.column, text));
}

const toml::node *Section::find(std::string_view key, bool required) {
  read_.emplace(key);
  const toml::node *node = table_.get(key);
  if (node == nullptr && required) problem(table_.source(), fmt::format("{} has no '{}'", what_, key));
  return node;
}

void Section::text(std::string_view key, std::string &value, bool required) {
  const toml::node *node = find(key, required);
  if (node == nullptr) return;
  const auto found = node->value_exact<std::string>();
  if (!found || found->empty()) return problem(node->source(), fmt::format("'{}' is a text, and not empty", key));
  value = *found;
}

void Section::file(std::string_view key, std::string &value, const std::string &folder, bool required) {
  std::string given;
  text(key, given, required);
  if (!given.empty()) value = (std::filesystem::path(folder) / given).string();
}

void Section::flag(std::string_view key, bool &value) {
  const toml::node *node = find(key, false);
  if (node == nullptr) return;
  const auto found = node->value_exact<bool>();
  if (!found) return problem(node->source(), fmt::format("'{}' is true or false", key));
  value = *found;
}

void Section::number(std::string_view key, std::uint64_t &value, std::uint64_t least, std::uint64_t most) {
  const toml::node *node = find(key, false);
  if (node == nullptr) return;
  const auto found = node->value_exact<std::int64_t>();
  if (!found || *found < 0 || static_cast<std::uint64_t>(*found) < least || static_cast<std::uint64_t>(*found) > most)
    return problem(node->source(), fmt::format("'{}' is an integer from {} to {}", key, least, most));
  value = static_cast<std::uint64_t>(*found);
}

void Section::number(std::string_view key, unsigned &value, unsigned least, unsigned most) {
  std::uint64_t wide = value;
  number(key, wide, std::uint64_t{least}, std::uint64_t{most});
  value = static_cast<unsigned>(wide);
}

void Section::seconds(std::string_view key, std::chrono::milliseconds &value) {
  const toml::node *node = find(key, false);
  if (node == nullptr) return;
  const auto found = node->is_number() ? node->value<double>() : std::nullopt;
  if (!found || !(*found >= 0.1 && *found <= 1e7))
    return problem(node->source(), fmt::format("'{}' is a number of seconds from 0.1 to 10000000", key));
  value = std::chrono::milliseconds(static_cast<std::int64_t>(*found * 1000));
}

void Section::texts(std::string_view key, std::vector<std::string> &values, bool required) {
  const toml::node *node = find(key, required);
  if (node == nullptr) return;
  const auto bad = [&] { problem(node->source(), fmt::format("'{}' is a text or a list of texts, none empty", key)); };
  const auto take = [&](const toml::node &one) {
    const auto found = one.value_exact<std::string>();
    if (!found || found->empty()) return false;
    values.push_back(*found);
    return true;
  };
  const toml::array *list = node->as_array();
  if (list == nullptr) {
    if (!take(*node)) bad();
    return;
  }
  if (list->empty()) bad();
  for (const toml::node &one : *list)
    if (!take(one)) return bad();
}

const toml::table *Section::table(std::string_view key) {
  const toml::node *node = find(key, false);
  if (node == nullptr) return nullptr;
  if (!node->is_table()) problem(node->source(), fmt::format("'{}' is a table: [{}]", key, key));
  return node->as_table();
}

std::vector<const toml::table *> Section::tables(std::string_view key) {
  std::vector<const toml::table *> all;
  const toml::node *node = find(key, false);
  if (node == nullptr) return all;
  const toml::array *list = node->as_array();
  for (std::size_t i = 0; list != nullptr && i < list->size(); ++i)
    if (const toml::table *one = (*list)[i].as_table()) all.push_back(one);
  if (list == nullptr || all.size() != list->size())
    problem(node->source(), fmt::format("'{}' is a list of tables: [[{}]]", key, key));
  return all;
}

void Section::rejectOthers() {
  for (const auto &[key, node] : table_)
    if (!read_.contains(key.str())) problem(key.source(), fmt::format("{} has no key '{}'", what_, key.str()));
}

} // namespace sd::service
