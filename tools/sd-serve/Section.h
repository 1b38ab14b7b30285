// A table of a settings file, whose keys are read by name; what no one has read is unknown.
#pragma once

#include <chrono>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

#define TOML_EXCEPTIONS 0
#define TOML_ENABLE_FORMATTERS 0
#include <toml++/toml.h>

namespace sd::service {

using Problems = std::vector<std::string>; // "12:3: ..."

class Section {
public:
  // `what` names it in messages: "[tls]".
  Section(const toml::table &table, std::string what, Problems &problems)
      : table_(table), what_(std::move(what)), problems_(problems) {}

  // Each takes what it reads into `value`, which keeps its own where the key is not there.
  void text(std::string_view key, std::string &value, bool required = false);
  void file(std::string_view key, std::string &value, const std::string &folder, bool required = false);
  void flag(std::string_view key, bool &value);
  void number(std::string_view key, std::uint64_t &value, std::uint64_t least, std::uint64_t most);
  void number(std::string_view key, unsigned &value, unsigned least, unsigned most);
  void seconds(std::string_view key, std::chrono::milliseconds &value);
  void texts(std::string_view key, std::vector<std::string> &values, bool required); // one, or a list of them

  const toml::table *table(std::string_view key);
  std::vector<const toml::table *> tables(std::string_view key); // [[key]]

  void rejectOthers(); // the keys that none of these has read
  void problem(const toml::source_region &where, const std::string &text);
  const toml::source_region &where() const { return table_.source(); }

private:
  const toml::node *find(std::string_view key, bool required);
  const toml::table &table_;
  const std::string what_;
  Problems &problems_;
  std::set<std::string, std::less<>> read_;
};

} // namespace sd::service
