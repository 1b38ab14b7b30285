// Runs the conformance suite and holds it against the committed table: nothing may be wrong, and nothing that passed
// may fall back.
#include <atomic>
#include <chrono>
#include <iostream>
#include <mutex>
#include <thread>

#include <CLI/CLI.hpp>

#include "Table.h"

namespace sd::testing {

namespace {

struct Flags {
  std::string table, filter, suite;
  bool update = false, all = false, verbose = false;
  unsigned threads = 2;
};

Table runAll(const std::vector<Case> &cases, const Flags &flags) {
  PathOptions options;
  if (flags.all) options.mostMultiplyAdds = UINT64_MAX;
  Table table;
  std::mutex mutex;
  std::atomic<std::size_t> next = 0;
  std::vector<std::jthread> workers;
  for (unsigned t = 0; t < flags.threads; ++t)
    workers.emplace_back([&] {
      for (std::size_t i = next++; i < cases.size(); i = next++) {
        const auto begin = std::chrono::steady_clock::now();
        Outcome outcome = runCase(cases[i], options);
        const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
        const std::lock_guard lock(mutex);
        if (flags.verbose)
          std::cout << fmt::format("{:7.3f} s {}", took.count(), rowOf(cases[i].name, outcome)) << std::endl;
        table[cases[i].name] = std::move(outcome);
      }
    });
  workers.clear(); // joins
  return table;
}

// Prints what differs; whether nothing is wrong or fell back.
bool holds(const Table &now, const Table &before) {
  std::size_t wrong = 0, back = 0, passed = 0, gained = 0;
  for (const auto &[name, outcome] : now) {
    const auto found = before.find(name);
    const bool didPass = found != before.end() && found->second.verdict == Verdict::Passed;
    passed += outcome.verdict == Verdict::Passed;
    wrong += outcome.verdict == Verdict::Wrong;
    gained += outcome.verdict == Verdict::Passed && !didPass;
    const bool fell = didPass && outcome.verdict == Verdict::Refused;
    back += fell;
    if (fell || outcome.verdict == Verdict::Wrong)
      std::cout << (fell ? "fell back: " : "") << rowOf(name, outcome) << '\n';
  }
  std::cout << fmt::format("{} passed, {} refused, {} wrong\n", passed, now.size() - passed - wrong, wrong);
  if (gained && !before.empty())
    std::cout << fmt::format("{} more pass than the table says: run conformance --update --all\n", gained);
  return wrong == 0 && back == 0;
}

int run(const Flags &flags) {
  std::vector<Case> cases = flags.suite.empty() ? onnxSuite() : suiteIn(flags.suite);
  if (const auto shared = sharedFolder(); shared && flags.suite.empty())
    for (Case &each : sharedModels(*shared))
      cases.push_back(std::move(each));
  if (cases.empty()) {
    std::cerr << "no tests found\n";
    return 1;
  }
  std::erase_if(cases, [&](const Case &each) { return each.name.find(flags.filter) == std::string::npos; });
  const Table now = runAll(cases, flags);
  Table before;
  if (!flags.table.empty())
    if (auto table = readTable(flags.table)) before = *std::move(table);
  const bool good = holds(now, before);
  if (flags.update && !flags.table.empty()) {
    for (const auto &[name, outcome] : now)
      before[name] = outcome;
    if (auto done = writeTable(flags.table, before); !done) std::cerr << done.error().message << '\n';
  }
  return good ? 0 : 1;
}

} // namespace

} // namespace sd::testing

int main(int argc, char **argv) {
  CLI::App app("Runs the conformance suite through the compiler and both parties.", "conformance");
  sd::testing::Flags flags;
  app.add_option("--table", flags.table, "the committed verdicts; without it nothing can fall back");
  app.add_option("--suite", flags.suite, "a folder of tests as ONNX has them, in place of those of the table");
  app.add_flag("--update", flags.update, "rewrite the table's rows of the cases that ran");
  app.add_flag("--all", flags.all, "two parties run the largest models as well");
  app.add_option("--filter", flags.filter, "cases whose name holds this text alone");
  app.add_option("--threads", flags.threads, "cases at a time")->check(CLI::Range(1, 64));
  app.add_flag("--verbose", flags.verbose, "every case, as it ends");
  CLI11_PARSE(app, argc, argv);
  return sd::testing::run(flags);
}
