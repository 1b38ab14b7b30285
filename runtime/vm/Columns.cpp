#include "runtime/vm/Columns.h"

#include <algorithm>
#include <cctype>
#include <set>

#include "runtime/vm/Npy.h"

namespace sd {

namespace {

constexpr std::size_t kShown = 5;
constexpr std::size_t kNone = ~std::size_t{0};

std::string listed(std::vector<std::string> names) {
  const std::size_t all = names.size();
  if (all > kShown) names.resize(kShown);
  for (std::string &name : names)
    name = fmt::format("'{}'", name);
  return fmt::format("{}{}", fmt::join(names, ", "), all > kShown ? fmt::format(", ... ({} in all)", all) : "");
}

// What names that are meant alike have in common.
std::string essence(const std::string &name) {
  std::string letters;
  for (const unsigned char c : name)
    if (c > 127 || std::isalnum(c) != 0) letters += static_cast<char>(std::tolower(c));
  return letters;
}

float inUnitOf(const UnitConversion &unit, float value) {
  if (unit.factor == 1 && unit.offset == 0) return value;
  return static_cast<float>(static_cast<double>(value) * unit.factor + unit.offset);
}

class Reader {
public:
  Reader(CsvReader &table, const InputMeaning *input, const ColumnOptions &options)
      : table_(table), input_(input), options_(options) {
    if (input_ && !input_->columns.empty()) columns_ = &input_->columns;
  }

  Expected<RecordTable> run() {
    for (const std::string &remark : table_.remarks())
      note(remark);
    SD_TRY(place());
    RecordTable result;
    std::int64_t rows = 0;
    for (;; ++rows) {
      SD_ASSIGN(const bool more, table_.next());
      if (!more) break;
      SD_TRY(checkCounter(rows));
      SD_TRY(takeRecord(result));
      if (result.records.size() > kMaxElements) return fail("more than {} numbers", kMaxElements);
    }
    if (rows == 0) return fail("there is no record in the file");
    if (counter_ != kNone) note("the first column has no name and counts the records: it was left out");
    result.records.shape = {rows, static_cast<std::int64_t>(places_.size())};
    for (const std::string &each : notes_) // not before an error, which says more
      if (options_.note) options_.note(fmt::format("{}: {}", options_.file, each));
    return result;
  }

private:
  void note(std::string text) { notes_.push_back(std::move(text)); }

  // Which column of the table is which of the input's, or an identifier.
  Expected<void> place() {
    const std::vector<std::string> &names = table_.names();
    if (names.empty()) return byPosition();
    std::set<std::string_view> seen;
    for (const std::string &name : names)
      if (!name.empty() && !seen.insert(name).second) return fail("two columns are called '{}'", name);
    if (names.size() > 1 && names[0].empty()) counter_ = 0;
    for (std::size_t i = 0; i < names.size(); ++i)
      if (isIdentifier(names[i])) identifiers_.push_back(i);
    for (const std::string &wanted : options_.identifiers)
      if (!seen.contains(wanted)) return fail("--id {}: there is no such column; there are {}", wanted, listed(names));
    if (columns_) return byName(names);
    std::vector<std::string> taken;
    for (std::size_t i = 0; i < names.size(); ++i)
      if (!isApart(i)) {
        places_.push_back(i);
        taken.push_back(names[i]);
      }
    note(fmt::format("line {} taken as column names; the program has no names to compare them with, so columns are "
                     "taken by position: {}",
                     table_.firstLine(), listed(taken)));
    return {};
  }

  bool isIdentifier(const std::string &name) const {
    return std::ranges::find(options_.identifiers, name) != options_.identifiers.end() ||
           (input_ && std::ranges::find(input_->identifiers, name) != input_->identifiers.end());
  }
  bool isApart(std::size_t column) const {
    return column == counter_ || std::ranges::find(identifiers_, column) != identifiers_.end();
  }

  Expected<void> byPosition() {
    if (!options_.identifiers.empty())
      return fail("--id {}: the file's first line names no columns; add a line of names", options_.identifiers[0]);
    for (std::size_t i = 0; i < table_.columns(); ++i)
      places_.push_back(i);
    if (!columns_) return {};
    if (columns_->size() != places_.size())
      return fail("{} columns without names, and the program takes {}: {}", places_.size(), columns_->size(),
                  listed(namesOf()));
    note(fmt::format("no line of column names, so columns are taken in the program's order: {}", listed(namesOf())));
    return {};
  }

  std::vector<std::string> namesOf() const {
    std::vector<std::string> names;
    for (const Column &column : *columns_)
      names.push_back(column.name);
    return names;
  }

  // What a header such as "glucose [mg/dL]" or "glucose (mg/dL)" says beside the column's name.
  static std::optional<std::string> unitIn(const std::string &header, const std::string &name) {
    if (!header.starts_with(name)) return std::nullopt;
    const std::string_view rest = std::string_view(header).substr(name.size());
    const std::size_t open = rest.find_first_not_of(" ");
    if (open == rest.npos || rest.size() < open + 3) return std::nullopt;
    const char last = rest[open] == '[' ? ']' : rest[open] == '(' ? ')' : '\0';
    if (last == '\0' || rest.back() != last) return std::nullopt;
    return std::string(rest.substr(open + 1, rest.size() - open - 2));
  }

  Expected<UnitConversion> conversion(const Column &column, const std::string &unit) const {
    if (unit == column.unit) return UnitConversion{};
    const auto found = std::ranges::find(column.units, unit, &UnitConversion::unit);
    if (found != column.units.end()) return *found;
    std::vector<std::string> known;
    if (!column.unit.empty()) known.push_back(column.unit);
    for (const UnitConversion &each : column.units)
      known.push_back(each.unit);
    return fail("line {}: column '{}' is in '{}'; the program {}", table_.firstLine(), column.name, unit,
                known.empty() ? "does not say in what unit it takes it"
                              : fmt::format("takes {}", fmt::join(known, ", ")));
  }

  Expected<void> byName(const std::vector<std::string> &names) {
    std::vector<std::string> missing, unknown;
    std::set<std::size_t> used;
    for (const Column &column : *columns_) {
      std::size_t at = static_cast<std::size_t>(std::ranges::find(names, column.name) - names.begin());
      UnitConversion unit;
      for (std::size_t i = 0; i < names.size() && at == names.size(); ++i)
        if (const auto given = unitIn(names[i], column.name)) {
          SD_ASSIGN(unit, conversion(column, *given));
          at = i;
        }
      if (at == names.size()) {
        missing.push_back(column.name);
        continue;
      }
      if (isApart(at)) return fail("--id {}: the program computes with that column", column.name);
      places_.push_back(at);
      units_.push_back(unit);
      used.insert(at);
    }
    for (std::size_t i = 0; i < names.size(); ++i)
      if (!used.contains(i) && !isApart(i)) unknown.push_back(names[i]);
    std::string problem;
    if (!missing.empty()) problem = fmt::format("column{} {} missing", missing.size() > 1 ? "s" : "", listed(missing));
    if (!unknown.empty())
      problem += fmt::format("{}column{} {} not known to the program (leave out what it does not take; --id NAME keeps "
                             "one that names the record)",
                             problem.empty() ? "" : "; ", unknown.size() > 1 ? "s" : "", listed(unknown));
    for (const std::string &wanted : missing)
      for (const std::string &given : unknown)
        if (essence(wanted) == essence(given))
          problem += fmt::format("; '{}' seems to be what the program calls '{}': rename it", given, wanted);
    if (!problem.empty()) return fail("line {}: {}", table_.firstLine(), problem);
    if (!std::ranges::is_sorted(places_))
      note(fmt::format("line {}: the columns are in another order than the program's; they were put right by name",
                       table_.firstLine()));
    return {};
  }

  Expected<void> checkCounter(std::int64_t row) {
    if (counter_ == kNone) return {};
    const std::string &text = table_.cells()[counter_].text;
    if (row == 0) fromOne_ = text == "1";
    if (text == std::to_string(row + (fromOne_ ? 1 : 0))) return {};
    return fail(
        "line {}: the first column has no name and does not count the records 0, 1, 2, ... or 1, 2, 3, ...; name "
        "it, or leave it out",
        table_.line());
  }

  Expected<void> takeRecord(RecordTable &result) {
    for (std::size_t i = 0; i < places_.size(); ++i) {
      const Column *column = columns_ ? &(*columns_)[i] : nullptr;
      if (column && table_.cells()[places_[i]].isMissing()) {
        if (!column->substitute)
          return fail("{}: the value of '{}' is missing, and the program has no substitute for it; fill it in first",
                      table_.place(places_[i]), column->name);
        result.records.data.push_back(static_cast<float>(*column->substitute));
        continue;
      }
      SD_ASSIGN(float value, table_.number(places_[i]));
      if (!units_.empty()) value = inUnitOf(units_[i], value);
      result.records.data.push_back(value);
    }
    if (identifiers_.empty()) return {};
    std::vector<std::string_view> parts;
    for (const std::size_t at : identifiers_)
      parts.push_back(table_.cells()[at].text);
    result.identifiers.push_back(fmt::format("{}", fmt::join(parts, " ")));
    return {};
  }

  CsvReader &table_;
  const InputMeaning *input_;
  const ColumnOptions &options_;
  const std::vector<Column> *columns_ = nullptr; // null: without names
  std::vector<std::size_t> places_;              // of the input's columns, in the table
  std::vector<UnitConversion> units_;            // of places_, if they were found by name
  std::vector<std::size_t> identifiers_;
  std::size_t counter_ = kNone; // a first column that has no name and counts the records
  bool fromOne_ = false;
  std::vector<std::string> notes_;
};

} // namespace

Expected<RecordTable> readColumns(CsvReader table, const InputMeaning *input, const ColumnOptions &options) {
  return Reader(table, input, options).run();
}

Expected<RecordTable> readRecordTable(const std::string &path, const CsvOptions &csv, const InputMeaning *input,
                                      ColumnOptions options) {
  SD_ASSIGN(TensorFile file, openTensorFile(path));
  options.file = file.path;
  if (file.format == TensorFormat::Npy) {
    auto numbers = parseNpy(file.content);
    if (!numbers) return failAs(numbers.error(), "{}: {}", options.file, numbers.error().message);
    if (!options.identifiers.empty())
      return fail("{}: --id {}: .npy files have no columns' names", options.file, options.identifiers[0]);
    return RecordTable{*std::move(numbers), {}};
  }
  SD_ASSIGN(CsvReader table, openTable(std::move(file), csv));
  auto read = readColumns(std::move(table), input, options);
  if (!read) return failAs(read.error(), "{}: {}", options.file, read.error().message);
  return read;
}

} // namespace sd
