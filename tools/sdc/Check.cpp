// sdc check: the fixed-point program against the float model, on data.
#include <cmath>

#include <nlohmann/json.hpp>

#include "tools/sdc/Checked.h"

namespace sd::tool {

namespace {

struct Flags {
  CheckFlags check;
  bool json = false;
};

std::string power(double value) { return value < 1 ? "0" : fmt::format("2^{:.2f}", std::log2(value)); }

// The largest value seen before each op with a bound and each output, against what is proved and what it takes.
std::string rangeTable(const Checked &checked) {
  std::string text = fmt::format("{:<36} {:>9} {:>9} {:>9}\n", "largest |y| before", "seen", "proved", "limit");
  for (const SeenRange &range : checked.ranges())
    text += fmt::format("{:<36} {:>9} {:>9} {:>9}{}\n", range.where, power(range.seen), power(range.proved),
                        power(range.limit), range.isProved() ? "" : "  NOT PROVED");
  return text;
}

std::string confusionTable(const Checked &checked) {
  constexpr std::size_t kMostShown = 10;
  const auto counts = checked.confusion();
  if (counts.empty() || counts.size() > kMostShown) return "";
  std::string text = fmt::format("\n{:<18}", "label \\ class");
  for (std::size_t i = 0; i < counts.size(); ++i)
    text += fmt::format("{:>7}", i);
  for (std::size_t i = 0; i < counts.size(); ++i) {
    text += fmt::format("\n{:<18}", i);
    for (const std::int64_t count : counts[i])
      text += fmt::format("{:>7}", count);
  }
  return text + '\n';
}

std::string toJson(const Checked &checked, const Flags &flags) {
  using nlohmann::ordered_json;
  const Comparison &sum = checked.sum;
  const auto decision = [](const std::vector<std::int64_t> &values) {
    return values.size() == 1 ? ordered_json(values[0]) : ordered_json(values);
  };
  const bool labels = checked.hasLabels, scores = sum.compared;
  ordered_json root = {{"records", sum.records}, {"scale", flags.check.model.scale}, {"same_class", sum.same}};
  if (labels) root["float_right"] = sum.floatRight, root["fixed_right"] = sum.fixedRight;
  if (scores && sum.elements > 0)
    root["output_error"] = {{"mean", sum.errorSum / static_cast<double>(sum.elements)},
                            {"largest", sum.errorMost},
                            {"of_range", sum.rangeError},
                            {"largest_output", sum.outputMost}};
  if (sum.importMost) root["import_error"] = *sum.importMost;
  root["within_bounds"] = checked.holdsWithin();
  if (const auto counts = checked.confusion(); labels && !counts.empty()) root["confusion"] = counts;
  if (const auto right = checked.findingsRight(); !right.empty()) root["findings_right"] = right;
  root["each"] = ordered_json::array();
  for (const ComparedRecord &record : sum.each) {
    ordered_json line = {{"float", decision(record.floats)}, {"fixed", decision(record.fixed)}};
    if (labels) line["label"] = decision(record.labels);
    if (scores) line["error"] = record.error;
    root["each"].push_back(std::move(line));
  }
  root["ranges"] = ordered_json::array();
  for (const SeenRange &range : checked.ranges())
    root["ranges"].push_back({{"before", range.where},
                              {"seen", range.seen},
                              {"proved", range.proved},
                              {"limit", range.limit},
                              {"is_proved", range.isProved()}});
  return root.dump(2, ' ', false, ordered_json::error_handler_t::replace) + '\n';
}

Expected<void> check(const Flags &flags) {
  SD_ASSIGN(const Checked checked, checkModel(flags.check));
  const Comparison &sum = checked.sum;
  if (flags.json) return writeText("-", toJson(checked, flags));
  std::string text =
      fmt::format("records            {}\nscale              {}\n", sum.records, flags.check.model.scale);
  if (checked.hasLabels)
    text += fmt::format("float accuracy     {}\nfixed accuracy     {}\n", percentOf(sum.floatRight, sum.records),
                        percentOf(sum.fixedRight, sum.records));
  text += fmt::format("same class         {}\n", percentOf(sum.same, sum.records));
  if (sum.importMost)
    text += fmt::format("import error       largest {:.3g}, of the outputs expected\n", *sum.importMost);
  if (checked.hasScores)
    text += fmt::format("output error       mean {:.3g}, largest {:.3g}, of outputs up to {:.4g}\n",
                        sum.errorSum / static_cast<double>(sum.elements), sum.errorMost, sum.outputMost);
  text += checked.holdsWithin()
              ? "rounding           exact: a secure run gives exactly these outputs\n"
              : "out of bounds      a secure run is wrong where a value lies beyond its limit, below\n";
  if (checked.hasLabels) text += confusionTable(checked);
  for (std::size_t i = 0; const std::int64_t right : checked.findingsRight())
    text += fmt::format("finding {:<10} {}\n", i++, percentOf(right, sum.records));
  text += '\n';
  if (const auto functions = describeApproximations(checked.job.context.approximations); !functions.empty())
    text += "piecewise linear functions in place of smooth ones\n" + functions + "\n";
  return writeText("-", text + rangeTable(checked));
}

} // namespace

void addCheck(CLI::App &app, Action &action) {
  auto *command = app.add_subcommand("check", "compare the fixed-point model with the float one on data");
  auto flags = std::make_shared<Flags>();
  addCheckFlags(*command, flags->check);
  addPerInput(*command, "--expected", flags->check.expected,
              "what another implementation gives for them: says how far the imported model is off")
      ->type_name("[NAME=]Y.npy");
  command->add_flag("--json", flags->json, "as JSON, with each record's classes and error, and the confusion matrix");
  command->callback([flags, &action] { action = [flags] { return check(*flags); }; });
}

} // namespace sd::tool
