#include "runtime/vm/Csv.h"

#include <charconv>
#include <cmath>
#include <optional>

namespace sd {

namespace {

std::string_view trim(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t\r");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r") - begin + 1);
}

// Read in double precision, since what is too small for a float is zero but what is too large is no float.
std::optional<float> number(std::string_view field) {
  if (field.starts_with('+')) field.remove_prefix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), value);
  if (error != std::errc{} || end != field.data() + field.size()) return std::nullopt;
  const auto rounded = static_cast<float>(value);
  if (std::isinf(rounded) && !std::isinf(value)) return std::nullopt;
  return rounded;
}

// Takes the text up to `separator`, or all of it, off the front.
std::string_view takeUntil(std::string_view &text, char separator) {
  const std::size_t at = text.find(separator);
  const std::string_view head = text.substr(0, at);
  text.remove_prefix(at == std::string_view::npos ? text.size() : at + 1);
  return head;
}

// Whether the fields are names of columns: none is a number or starts like one, and some is not empty.
bool areNames(std::string_view line) {
  bool named = false;
  while (!line.empty()) {
    const std::string_view field = trim(takeUntil(line, ','));
    const std::size_t at = field.find_first_not_of("+-.");
    if (number(field) || (at != std::string_view::npos && field[at] >= '0' && field[at] <= '9')) return false;
    named |= !field.empty();
  }
  return named;
}

std::string printable(std::string_view field) {
  std::string text(field.substr(0, 32));
  for (char &c : text)
    if (static_cast<unsigned char>(c) < 32 || static_cast<unsigned char>(c) > 126) c = '?';
  return text;
}

} // namespace

Expected<Tensor<float>> parseCsv(std::string_view content) {
  if (content.starts_with("\xEF\xBB\xBF")) content.remove_prefix(3); // byte order mark
  std::vector<float> values;
  std::int64_t rows = 0, columns = 0, lineNumber = 0;
  bool mayBeNames = true;
  while (!content.empty()) {
    std::string_view line = trim(takeUntil(content, '\n'));
    ++lineNumber;
    if (line.empty()) continue;
    if (std::exchange(mayBeNames, false) && areNames(line)) continue;
    std::int64_t column = 0;
    for (bool more = true; more;) {
      more = line.find(',') != std::string_view::npos;
      const std::string_view field = trim(takeUntil(line, ','));
      const std::optional<float> value = number(field);
      ++column;
      if (!value)
        return fail("line {}, column {}: '{}' is not a number{}", lineNumber, column, printable(field),
                    field.find_first_of("; \t") == std::string_view::npos ? "" : "; commas stand between numbers");
      values.push_back(*value);
      if (static_cast<std::int64_t>(values.size()) > kMaxElements) return fail("more than {} numbers", kMaxElements);
    }
    if (rows == 0) columns = column;
    if (column != columns) return fail("line {} has {} numbers, the first record has {}", lineNumber, column, columns);
    ++rows;
  }
  if (rows == 0) return fail("there is no record in the file");
  return Tensor<float>({rows, columns}, std::move(values));
}

} // namespace sd
