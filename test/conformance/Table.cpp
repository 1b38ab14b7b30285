#include "Table.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <sstream>

namespace sd::testing {

namespace {

constexpr std::string_view kHeading =
    "# What the compiler and the two parties make of the conformance suite: written by `conformance --update --all`.\n"
    "# passed: right in floats, in fixed point and by two parties (WholePath.h has the tolerances); refused: why.\n";

} // namespace

std::string rowOf(const std::string &name, const Outcome &outcome) {
  std::string row = fmt::format("{:<7} {}", toString(outcome.verdict), name);
  if (outcome.reason.empty()) return row;
  return outcome.verdict == Verdict::Passed ? fmt::format("{} ({})", row, outcome.reason)
                                            : fmt::format("{}: {}", row, outcome.reason);
}

Expected<Table> readTable(const std::filesystem::path &path) {
  std::istringstream lines(readFile(path));
  Table table;
  for (std::string line; std::getline(lines, line);) {
    if (line.empty() || line[0] == '#') continue;
    std::istringstream words(line);
    std::string verdict, name;
    words >> verdict >> name;
    std::string reason;
    std::getline(words >> std::ws, reason);
    if (name.ends_with(':')) name.pop_back();
    if (reason.starts_with('(') && reason.ends_with(')') && verdict == "passed")
      reason = reason.substr(1, reason.size() - 2);
    const std::array all{Verdict::Passed, Verdict::Refused, Verdict::Wrong};
    const auto *found = std::ranges::find_if(all, [&](Verdict each) { return toString(each) == verdict; });
    if (found == all.end()) return fail("{}: '{}' is no verdict", path.string(), verdict);
    table[name] = {*found, reason};
  }
  return table;
}

Expected<void> writeTable(const std::filesystem::path &path, const Table &table) {
  std::ofstream file(path);
  file << kHeading;
  for (const auto &[name, outcome] : table)
    file << rowOf(name, outcome) << '\n';
  file.flush();
  if (!file) return fail("cannot write '{}'", path.string());
  return {};
}

} // namespace sd::testing
