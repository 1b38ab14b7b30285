#include "compiler/TrialTable.h"

#include <algorithm>

namespace sd {

namespace {

using Row = std::vector<std::string>;

std::string rangesOf(const TrialResult &result) {
  const std::size_t all = result.proved + result.measured + result.unknown;
  if (!result.measured) return fmt::format("{} of {}", result.proved, all);
  return fmt::format("{} of {}, {} measured", result.proved, all, result.measured);
}

std::string share(std::int64_t part, std::int64_t whole) {
  return fmt::format("{:.1f} %", 100.0 * static_cast<double>(part) / static_cast<double>(whole));
}

std::string firstLine(const std::string &text) { return text.substr(0, text.find('\n')); }

class Table {
public:
  explicit Table(std::span<const Tried> tried) : tried_(tried) {
    const auto any = [&](auto has) { return std::ranges::any_of(tried, has); };
    compares_ = any([](const Tried &t) { return t.result.comparison.has_value(); });
    scores_ = any([](const Tried &t) { return t.result.comparison && t.result.comparison->compared; });
    labels_ = any([](const Tried &t) {
      return t.result.comparison && t.result.comparison->floatRight + t.result.comparison->fixedRight > 0;
    });
    costs_ = any([](const Tried &t) { return t.result.onlineBytes > 0; });
  }

  Row head() const {
    Row row{"tried", "proved"};
    if (labels_) row.push_back("accuracy");
    if (compares_) row.push_back("same class");
    if (scores_) row.push_back("largest error");
    if (costs_) row.insert(row.end(), {"online", "offline"});
    return row;
  }

  Row row(const Tried &tried) const {
    const TrialResult &result = tried.result;
    if (!result.compiled()) return {tried.flags, "refused: " + firstLine(result.refusal)};
    Row row{tried.flags, rangesOf(result)};
    const auto &comparison = result.comparison;
    if (labels_) row.push_back(comparison ? share(comparison->fixedRight, comparison->records) : "");
    if (compares_) row.push_back(comparison ? share(comparison->same, comparison->records) : "");
    if (scores_)
      row.push_back(comparison ? fmt::format("{:.3g} ({:.2g} %)", comparison->errorMost, 100 * comparison->rangeError)
                               : "");
    if (costs_) {
      row.push_back(fmt::format("{:.3g} s, {}", result.online, readableBytes(result.onlineBytes)));
      row.push_back(fmt::format("{:.3g} s, {}", result.offline, readableBytes(result.offlineBytes)));
    }
    return row;
  }

private:
  std::span<const Tried> tried_;
  bool compares_, scores_, labels_, costs_;
};

} // namespace

std::string readableBytes(std::uint64_t bytes) {
  constexpr std::string_view kUnits[] = {"B", "kB", "MB", "GB", "TB"};
  auto size = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; size >= 999.5 && unit + 1 < std::size(kUnits); ++unit)
    size /= 1000;
  return fmt::format("{:.3g} {}", size, kUnits[unit]);
}

std::string trialTable(std::span<const Tried> tried, std::optional<std::size_t> mark) {
  const Table table(tried);
  std::vector<Row> rows{table.head()};
  for (auto &each : tried)
    rows.push_back(table.row(each));
  std::vector<std::size_t> widths(rows[0].size(), 0);
  for (auto &row : rows)
    for (std::size_t i = 0; i < row.size(); ++i)
      if (row.size() == widths.size()) widths[i] = std::max(widths[i], row[i].size()); // a refusal may be longer
  for (auto &row : rows)
    widths[0] = std::max(widths[0], row[0].size());
  std::string text;
  for (std::size_t r = 0; r < rows.size(); ++r) {
    std::string line = mark && r == *mark + 1 ? "* " : "  ";
    for (std::size_t i = 0; i < rows[r].size(); ++i)
      line += i + 1 < rows[r].size() ? fmt::format("{:<{}}  ", rows[r][i], widths[i]) : rows[r][i];
    text += line + '\n';
  }
  return text;
}

} // namespace sd
