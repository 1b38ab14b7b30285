#include "runtime/vm/Csv.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <optional>
#include <string_view>

#include "runtime/vm/TextEncoding.h"

namespace sd {

namespace {

constexpr std::string_view kMinus = "\xE2\x88\x92"; // U+2212, which word processors and web pages have
constexpr std::string_view kNoBreak = "\xC2\xA0";   // U+00A0, a space that does not look otherwise

enum class Parsed { Number, Nothing, TooLarge };

bool isDigit(char c) { return c >= '0' && c <= '9'; }

// from_chars takes no sign but '-', and no decimal comma.
Parsed parse(std::string_view text, char decimal, double &value) {
  std::string plain;
  if (text.starts_with(kMinus)) {
    plain.push_back('-');
    text.remove_prefix(kMinus.size());
  } else if (text.starts_with('+') && !text.substr(1).starts_with('-')) {
    text.remove_prefix(1);
  }
  plain += text;
  if (decimal == ',') {
    if (plain.find('.') != std::string::npos) return Parsed::Nothing;
    std::ranges::replace(plain, ',', '.');
  }
  const char *last = plain.data() + plain.size();
  const auto [end, error] = std::from_chars(plain.data(), last, value);
  if (end != last) return Parsed::Nothing;
  if (error == std::errc::result_out_of_range) {
    value = std::strtod(plain.c_str(), nullptr); // tells which: nothing here sets a locale, so the point is one
    return std::isinf(value) ? Parsed::TooLarge : Parsed::Number;
  }
  return error == std::errc{} ? Parsed::Number : Parsed::Nothing;
}

// Read in double precision, since what is too small for a float is zero but what is too large is no float.
Parsed parseFloat(std::string_view text, char decimal, float &result) {
  double value = 0;
  const Parsed parsed = parse(text, decimal, value);
  if (parsed != Parsed::Number) return parsed;
  if (std::isnan(value)) return Parsed::Nothing;
  result = static_cast<float>(value);
  return std::isinf(result) && !std::isinf(value) ? Parsed::TooLarge : Parsed::Number;
}

bool isName(const CsvCell &cell) {
  const std::string_view text = cell.text;
  const auto *const first =
      std::ranges::find_if(text, [](unsigned char c) { return c > 127 || c == '_' || std::isalnum(c) != 0; });
  double value = 0;
  if (first == text.end() || isDigit(*first) || text.substr(first - text.begin()).starts_with(kMinus)) return false;
  return !cell.isMissing() && parse(text, '.', value) == Parsed::Nothing;
}

// 0, 1, 2, ... as programs number columns that have no names.
bool counts(std::span<const CsvCell> cells) {
  for (std::size_t i = 0; i < cells.size(); ++i)
    if (cells[i].text != std::to_string(i)) return false;
  return true;
}

bool isDelimiter(char c) { return c == ',' || c == ';' || c == '\t' || c == '|' || c == ' '; }

std::string nameOf(char delimiter) {
  if (delimiter == '\t') return "tabs";
  if (delimiter == ' ') return "spaces";
  return fmt::format("'{}'", delimiter);
}

} // namespace

bool CsvCell::isMissing() const {
  constexpr std::string_view kWords[] = {"", "?", "na", "n/a", "#n/a", "<na>", "null", "none", "missing"};
  std::string word = text;
  for (char &c : word)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  double value = 0;
  return std::ranges::find(kWords, word) != std::end(kWords) ||
         (parse(word, '.', value) == Parsed::Number && std::isnan(value));
}

Expected<CsvReader> CsvReader::open(std::string content, const CsvOptions &options) {
  SD_ASSIGN(DecodedText decoded, decodeText(std::move(content)));
  CsvReader reader(std::move(decoded.utf8));
  if (!decoded.remark.empty()) reader.remarks_.push_back(std::move(decoded.remark));
  reader.options_ = options;
  reader.chooseLineEnd();
  reader.readSeparatorLine();
  reader.chooseDelimiter();
  SD_TRY(reader.readNames());
  return reader;
}

// Line feeds, with or without carriage returns in front; carriage returns alone only where there is no line feed.
void CsvReader::chooseLineEnd() {
  if (text_.find('\n') != std::string::npos || text_.find('\r') == std::string::npos) return;
  lineEnd_ = '\r';
}

// "sep=;", by which a file tells spreadsheets its delimiter.
void CsvReader::readSeparatorLine() {
  const std::size_t end = text_.find(lineEnd_);
  std::string_view line = std::string_view(text_).substr(0, end);
  while (line.ends_with('\r'))
    line.remove_suffix(1);
  if (line.size() >= 2 && line.starts_with('"') && line.ends_with('"')) line = line.substr(1, line.size() - 2);
  if (line.size() != 5 || !(line.starts_with("sep=") || line.starts_with("SEP=")) || !isDelimiter(line[4])) return;
  const char delimiter = line[4];
  at_ = end == std::string::npos ? text_.size() : end + 1;
  line_ = 2;
  if (options_.delimiter == 0) options_.delimiter = delimiter;
}

void CsvReader::chooseDelimiter() {
  if (options_.delimiter != 0) return;
  bool quoted = false, tab = false, semicolon = false;
  for (std::size_t i = at_; i < text_.size() && (quoted || text_[i] != lineEnd_); ++i) {
    if (text_[i] == '"') quoted = !quoted;
    if (quoted) continue;
    tab = tab || text_[i] == '\t';
    semicolon = semicolon || text_[i] == ';';
  }
  // With a decimal comma, commas separate nothing, and a table without tabs and semicolons has but one column.
  options_.delimiter = tab ? '\t' : semicolon || options_.decimal == ',' ? ';' : ',';
}

bool CsvReader::atLineEnd() const {
  std::size_t i = at_;
  while (i < text_.size() && text_[i] == '\r' && lineEnd_ == '\n')
    ++i;
  return i == text_.size() || text_[i] == lineEnd_;
}

void CsvReader::skipBlanks() {
  while (at_ < text_.size()) {
    const char c = text_[at_];
    const std::size_t length = std::string_view(text_).substr(at_).starts_with(kNoBreak) ? kNoBreak.size() : 1;
    if (length == 1 && !(c == ' ' || (c == '\t' && options_.delimiter != '\t'))) return;
    at_ += length;
  }
}

Expected<void> CsvReader::readQuoted(CsvCell &cell) {
  const std::int64_t begin = line_;
  cell.quoted = true;
  for (++at_; at_ < text_.size(); ++at_) {
    const char c = text_[at_];
    if (c == '"' && text_.compare(at_, 2, "\"\"") != 0) {
      ++at_;
      return {};
    }
    if (c == '"') ++at_; // two of them mean one
    if (c == lineEnd_) ++line_;
    cell.text.push_back(c);
  }
  return fail("line {}, column {}: a quote is opened and not closed", begin, cells_.size());
}

Expected<void> CsvReader::readCell(CsvCell &cell) {
  skipBlanks();
  if (at_ < text_.size() && text_[at_] == '"') {
    SD_TRY(readQuoted(cell));
    skipBlanks();
    if (!atLineEnd() && text_[at_] != options_.delimiter && options_.delimiter != ' ')
      return fail("line {}, column {}: something follows a closed quote; cells are split at {}", line_, cells_.size(),
                  nameOf(options_.delimiter));
  } else {
    while (at_ < text_.size() && text_[at_] != options_.delimiter && !atLineEnd())
      cell.text.push_back(text_[at_++]);
  }
  const auto blank = [&](std::string_view end) {
    if (!std::string_view(cell.text).ends_with(end)) return false;
    cell.text.resize(cell.text.size() - end.size());
    return true;
  };
  while (blank(" ") || blank("\t") || blank(kNoBreak)) {
  }
  return {};
}

// Reads a line's cells; false at the end of the table.
Expected<bool> CsvReader::readLine() {
  std::int64_t empty = 0;
  const auto goOn = [&] { // from the end of a line to the next
    while (at_ < text_.size() && text_[at_] == '\r' && lineEnd_ == '\n')
      ++at_;
    if (at_ < text_.size()) ++at_, ++line_;
  };
  const char delimiter = options_.delimiter;
  while (at_ < text_.size()) {
    if (delimiter != '\t') skipBlanks();
    if (!atLineEnd()) break;
    if (empty == 0) empty = line_;
    goOn();
  }
  if (at_ == text_.size()) return false;
  // It may be a record whose only value is missing: without it, later results would seem to be of earlier records.
  if (empty != 0) return fail("line {} is empty, and others follow", empty);
  cellsLine_ = line_;
  cells_.clear();
  while (true) {
    SD_TRY(readCell(cells_.emplace_back()));
    if (delimiter == ' ') skipBlanks();
    if (atLineEnd()) break;
    if (delimiter != ' ') ++at_;
  }
  goOn();
  return true;
}

Expected<void> CsvReader::readNames() {
  SD_ASSIGN(const bool any, readLine());
  if (!any) return fail("there is no record in the file");
  firstLine_ = cellsLine_;
  columns_ = cells_.size();
  const std::span<const CsvCell> rest = std::span(cells_).subspan(1);
  const bool numbered = cells_[0].text.empty() && !rest.empty() && (std::ranges::all_of(rest, isName) || counts(rest));
  bool named = options_.header == CsvOptions::Header::Yes;
  if (options_.header == CsvOptions::Header::Auto) {
    if (columns_ > 2 && counts(cells_))
      return fail("line {} counts 0, 1, 2, ...: say --header yes if these are the columns' names, --header no if it is "
                  "a record",
                  cellsLine_);
    named = numbered || std::ranges::all_of(cells_, isName);
  }
  pending_ = !named;
  if (!named) return {};
  for (CsvCell &cell : cells_)
    names_.push_back(std::move(cell.text));
  if (names_[0].starts_with('#')) names_[0].erase(0, std::min(names_[0].find_first_not_of("# "), names_[0].size()));
  return {};
}

Expected<bool> CsvReader::next() {
  if (std::exchange(pending_, false)) return true;
  SD_ASSIGN(const bool any, readLine());
  if (!any) return false;
  if (cells_.size() == columns_) return true;
  return fail("line {} has {} cells, the first line has {}; they are split at {}{}", cellsLine_, cells_.size(),
              columns_, nameOf(options_.delimiter),
              cells_.size() == columns_ + 1 && !names_.empty()
                  ? " (if the lines begin with row names, name that column too)"
                  : "; if something else separates them, say --delimiter");
}

std::string CsvReader::place(std::size_t column) const {
  const std::string where = fmt::format("line {}, column {}", cellsLine_, column + 1);
  return names_.empty() || names_[column].empty() ? where : fmt::format("{} ('{}')", where, names_[column]);
}

// What may be meant by a cell that is no number, without saying what stands in it.
std::string CsvReader::advice(const CsvCell &cell) const {
  const auto holds = [&](std::string_view any) { return cell.text.find_first_of(any) != std::string::npos; };
  if (cell.isMissing()) return "; fill in missing values first";
  const bool digits = std::ranges::any_of(cell.text, isDigit);
  if (digits && options_.decimal == '.' && holds(","))
    return "; it holds a comma: say --decimal , if it is a decimal comma, --delimiter , if it separates cells, and "
           "leave "
           "out commas that group thousands";
  if (digits && options_.decimal == ',' && (holds(".") || std::ranges::count(cell.text, ',') > 1))
    return "; with --decimal , no point may occur in a number, neither for decimals nor for thousands, and no second "
           "comma";
  if (digits && holds("; \t|"))
    return fmt::format("; cells are split at {}: say --delimiter if something else separates them, and don't group "
                       "thousands",
                       nameOf(options_.delimiter));
  if (names_.empty() && cellsLine_ == firstLine_) return "; if this line names the columns, say --header yes";
  if (digits && std::ranges::any_of(cell.text, [](unsigned char c) { return c > 127; }))
    return "; it holds a character that no number has: a dash in place of a minus, say, or a unit";
  return "";
}

Expected<float> CsvReader::number(std::size_t column) const {
  float value = 0;
  switch (parseFloat(cells_[column].text, options_.decimal, value)) {
  case Parsed::Number:
    return value;
  case Parsed::TooLarge:
    return fail("{}: the number is too large for a float32", place(column));
  case Parsed::Nothing:
    break;
  }
  return fail("{}: not a number{}", place(column), advice(cells_[column]));
}

Expected<Csv> parseCsv(std::string content, const CsvOptions &options) {
  SD_ASSIGN(CsvReader reader, CsvReader::open(std::move(content), options));
  Csv csv;
  csv.named = !reader.names().empty();
  csv.firstLine = reader.firstLine();
  csv.remarks = reader.remarks();
  const std::size_t from = csv.named && reader.columns() > 1 && reader.names()[0].empty() ? 1 : 0;
  std::int64_t rows = 0;
  bool fromOne = false;
  while (true) {
    SD_ASSIGN(const bool more, reader.next());
    if (!more) break;
    if (rows == 0 && from == 1) fromOne = reader.cells()[0].text == "1";
    if (from == 1 && reader.cells()[0].text != std::to_string(rows + (fromOne ? 1 : 0)))
      return fail("line {}: the first column has no name and does not count the records 0, 1, 2, ... or 1, 2, 3, ...; "
                  "name it, or leave it out",
                  reader.line());
    for (std::size_t column = from; column < reader.columns(); ++column) {
      SD_ASSIGN(const float value, reader.number(column));
      csv.records.data.push_back(value);
    }
    if (csv.records.size() > kMaxElements) return fail("more than {} numbers", kMaxElements);
    ++rows;
  }
  if (rows == 0) return fail("there is no record in the file");
  if (from == 1) csv.remarks.emplace_back("the first column has no name and counts the records: it was left out");
  csv.records.shape = {rows, static_cast<std::int64_t>(reader.columns() - from)};
  return csv;
}

} // namespace sd
