#include "ir/core/Diagnostics.h"

#include <fmt/format.h>

#include <algorithm>

namespace sd {

namespace {

constexpr std::size_t kShown = 120; // of a long line

std::string_view name(Severity severity) {
  return severity == Severity::Error ? "error" : severity == Severity::Warning ? "warning" : "note";
}

// The line's part around the range, with the carets below it. Tabs stay tabs in both.
std::string excerpt(const Location &where) {
  std::string_view line = where.text;
  std::size_t column = std::min(where.column - 1, line.size());
  std::size_t length = std::clamp<std::size_t>(where.length, 1, std::max<std::size_t>(line.size() - column, 1));
  const std::size_t begin = column > kShown / 2 && line.size() > kShown ? column - kShown / 2 : 0;
  const std::string_view before = begin > 0 ? "..." : "", after = line.size() - begin > kShown ? "..." : "";
  line = line.substr(begin, kShown);
  column -= begin;
  length = std::min(length, std::max<std::size_t>(line.size() - column, 1));
  std::string shown, carets(before.size(), ' ');
  for (char c : line) // a terminal must not be made to act by a file's bytes
    shown += c == '\t' || static_cast<unsigned char>(c) >= 0x20 ? c : '?';
  for (char c : shown.substr(0, column))
    carets += c == '\t' ? '\t' : ' ';
  carets.append(length, '^');
  return fmt::format("\n{}{}{}\n{}", before, shown, after, carets);
}

} // namespace

std::string render(const Diagnostic &diagnostic) {
  const Location &where = diagnostic.where;
  std::string text = where.file;
  if (where.line > 0)
    text += fmt::format("{}{}:{}", text.empty() ? "" : ":", where.line, std::max<std::size_t>(where.column, 1));
  if (!text.empty()) text += ": ";
  text += fmt::format("{}: {}", name(diagnostic.severity), diagnostic.message);
  if (where.line > 0 && where.column > 0) text += excerpt(where);
  return text;
}

void Diagnostics::add(Diagnostic diagnostic) {
  const bool isError = diagnostic.severity == Severity::Error;
  if (isError) ++errors_;
  if (!isError || errors_ <= kMaxErrors) all_.push_back(std::move(diagnostic));
}

std::string Diagnostics::render() const {
  std::string text;
  for (auto &each : all_)
    text += sd::render(each) + "\n";
  if (errors_ > kMaxErrors) text += fmt::format("{} more errors\n", errors_ - kMaxErrors);
  return text;
}

} // namespace sd
