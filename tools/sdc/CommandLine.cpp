#include "tools/sdc/CommandLine.h"

#include <algorithm>

namespace sd::tool {

namespace {

constexpr std::string_view kSettings[] = {"--scale", "--weight-scale", "--ring", "--bound", "--approximation-error"};

std::string quoted(const std::string &word) {
  constexpr std::string_view kPlain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./=,:+@%-";
  if (!word.empty() && word.find_first_not_of(kPlain) == word.npos) return word;
  std::string text = "'";
  for (const char c : word)
    text += c == '\'' ? "'\\''" : std::string(1, c);
  return text + "'";
}

void append(std::string &line, const CLI::Option &option) {
  for (const std::string &value : option.results()) {
    if (option.get_positional()) {
      line += ' ' + quoted(value);
    } else if (option.get_items_expected_max() == 0) { // a flag
      line += ' ' + option.get_name();
    } else if (option.get_lnames().empty() || !option.get_snames().empty()) {
      line += " -" + option.get_snames()[0] + ' ' + quoted(value);
    } else { // a value may begin with a minus
      line += ' ' + (value.starts_with('-') ? option.get_name() + '=' + quoted(value)
                                            : option.get_name() + ' ' + quoted(value));
    }
  }
}

} // namespace

std::string commandLine(const CLI::App &command, const Rewritten &how) {
  std::string line = "sdc " + (how.subcommand.empty() ? command.get_name() : how.subcommand);
  for (const CLI::Option *option : command.get_options()) {
    const std::string name = option->get_name();
    if (option->count() == 0 || std::ranges::find(how.left, name) != how.left.end()) continue;
    if (how.settings && std::ranges::find(kSettings, name) != std::end(kSettings)) continue;
    append(line, *option);
  }
  for (const std::string &word : how.added)
    line += ' ' + quoted(word);
  if (how.settings)
    if (const std::string flags = flagsOf(*how.settings, {}); !flags.empty()) line += ' ' + flags;
  return line;
}

} // namespace sd::tool
