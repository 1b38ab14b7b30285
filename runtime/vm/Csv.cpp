#include "runtime/vm/Csv.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <iterator>
#include <optional>

namespace sd {

namespace {

std::string_view trim(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t\r");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r") - begin + 1);
}

std::optional<double> parse(std::string_view field) {
  if (field.starts_with('+')) field.remove_prefix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), value);
  if (error != std::errc{} || end != field.data() + field.size()) return std::nullopt;
  return value;
}

// Read in double precision, since what is too small for a float is zero but what is too large is no float.
std::optional<float> number(std::string_view field) {
  const std::optional<double> value = parse(field);
  if (!value || std::isnan(*value)) return std::nullopt;
  const auto rounded = static_cast<float>(*value);
  if (std::isinf(rounded) && !std::isinf(*value)) return std::nullopt;
  return rounded;
}

std::string_view unquoted(std::string_view field) {
  const bool quoted = field.size() >= 2 && field.front() == '"' && field.back() == '"';
  return quoted ? field.substr(1, field.size() - 2) : field;
}

// What spreadsheets and statistics programs write where there is no value.
bool isMissing(std::string_view field) {
  constexpr std::string_view kWords[] = {"", "?", "na", "n/a", "#n/a", "<na>", "null", "none", "missing"};
  std::string word(unquoted(field));
  for (char &c : word)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  const std::optional<double> value = parse(word);
  return (value && std::isnan(*value)) || std::ranges::find(kWords, word) != std::end(kWords);
}

// Takes the text up to `separator`, or all of it, off the front.
std::string_view takeUntil(std::string_view &text, char separator) {
  const std::size_t at = text.find(separator);
  const std::string_view head = text.substr(0, at);
  text.remove_prefix(at == std::string_view::npos ? text.size() : at + 1);
  return head;
}

bool isDigit(char c) { return c >= '0' && c <= '9'; }

bool isName(std::string_view field) {
  const std::size_t at = field.find_first_not_of("+-.");
  if (at == std::string_view::npos || isDigit(field[at]) || parse(field) || isMissing(field)) return false;
  return std::ranges::any_of(field, [](unsigned char c) { return c > 127 || std::isalnum(c) != 0; });
}

bool areNames(std::string_view line) {
  for (bool more = true; more;) {
    more = line.find(',') != std::string_view::npos;
    if (!isName(unquoted(trim(takeUntil(line, ','))))) return false;
  }
  return true;
}

std::string printable(std::string_view field) {
  std::string text(field.substr(0, 32));
  for (char &c : text)
    if (static_cast<unsigned char>(c) < 32 || static_cast<unsigned char>(c) > 126) c = '?';
  return text;
}

std::string_view advice(std::string_view field) {
  if (isMissing(field)) return "; fill in missing values first";
  return field.find_first_of("; \t") == std::string_view::npos ? "" : "; commas stand between numbers";
}

// Adds the numbers of a line and gives their count.
Expected<std::int64_t> addNumbers(std::string_view line, std::int64_t lineNumber, std::vector<float> &values) {
  std::int64_t column = 0;
  for (bool more = true; more;) {
    more = line.find(',') != std::string_view::npos;
    const std::string_view field = trim(takeUntil(line, ','));
    const std::optional<float> value = number(field);
    ++column;
    if (!value)
      return fail("line {}, column {}: '{}' is not a number{}", lineNumber, column, printable(field), advice(field));
    values.push_back(*value);
    if (static_cast<std::int64_t>(values.size()) > kMaxElements) return fail("more than {} numbers", kMaxElements);
  }
  return column;
}

} // namespace

Expected<Csv> parseCsv(std::string_view content) {
  if (content.starts_with("\xEF\xBB\xBF")) content.remove_prefix(3); // byte order mark
  Csv csv;
  std::int64_t rows = 0, columns = 0, lineNumber = 0, empty = 0;
  while (!content.empty()) {
    const std::string_view line = trim(takeUntil(content, '\n'));
    ++lineNumber;
    if (line.empty() && empty == 0) empty = lineNumber;
    if (line.empty()) continue;
    // It may be a record whose only value is missing: without it, later results would seem to be of earlier records.
    if (empty != 0) return fail("line {} is empty, and others follow", empty);
    if (lineNumber == 1) csv.named = areNames(line);
    if (lineNumber == 1 && csv.named) continue;
    SD_ASSIGN(const std::int64_t count, addNumbers(line, lineNumber, csv.records.data));
    if (rows == 0) columns = count;
    if (count != columns) return fail("line {} has {} numbers, the first record has {}", lineNumber, count, columns);
    ++rows;
  }
  if (rows == 0) return fail("there is no record in the file");
  csv.records.shape = {rows, columns};
  return csv;
}

} // namespace sd
