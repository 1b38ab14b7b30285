// sdc check: the fixed-point program against the float model, on data.
#include <algorithm>
#include <cmath>
#include <thread>

#include "ir/Run.h"
#include "passes/Intervals.h"
#include "passes/Rewrite.h"
#include "tools/sdc/Common.h"

namespace sd::tool {

namespace {

struct Flags {
  ModelFlags model;
  std::vector<std::string> data; // [NAME=]FILE
  std::string labels;
  std::size_t records = 0;
};

using Record = std::map<std::string, Tensor<float>>;

struct Outcome {
  RunResult exact, fixed; // by the float model, by the fixed-point one
};

bool namesClasses(OpKind op) { return op == OpKind::ArgMax || op == OpKind::ArgTopK; }

// The classes an output names: its first ones behind an argmax or argtopk, above one half or zero if it is one number,
// else the largest.
std::vector<std::int64_t> classesOf(const Tensor<float> &output, OpKind last, std::int64_t records) {
  std::vector<std::int64_t> classes;
  const std::int64_t each = output.size() / records;
  for (std::int64_t i = 0; i < records; ++i) {
    const auto *from = output.data.data() + i * each;
    if (namesClasses(last))
      classes.push_back(std::llround(from[0]));
    else if (each == 1)
      classes.push_back(from[0] > (last == OpKind::Sigmoid ? 0.5f : 0.0f));
    else
      classes.push_back(std::max_element(from, from + each) - from);
  }
  return classes;
}

// The op that makes an output, seen through moves, and through sums and products that make labels of positions.
OpKind opBehind(const Module &module, std::size_t output) {
  const auto definitions = definitionsOf(module);
  const auto behind = [&](bool arithmetic) {
    const Op *op = &module.ops[definitions[module.ops.back().operands[output]]];
    while (op->kind == OpKind::Reshape || op->kind == OpKind::Identity ||
           (arithmetic && (op->kind == OpKind::Add || op->kind == OpKind::Mul)))
      op = &module.ops[definitions[op->operands[0]]];
    return op->kind;
  };
  const OpKind first = behind(true);
  return namesClasses(first) ? first : behind(false);
}

// The statement of errors takes a run for each output element; it is made for the first records, and not where it would
// take minutes for each.
constexpr std::size_t kStated = 50;
constexpr double kStatedWork = 2e10;

// Output elements times the multiply-adds of the linear ops, or the elements of all others.
double statementWork(const Module &module) {
  double outputs = 0, run = 0;
  for (auto output : module.ops.back().operands)
    outputs += static_cast<double>(elementCount(module.type(output).shape));
  for (auto &op : module.ops) {
    if (op.result == kNoValue) continue;
    const double elements = static_cast<double>(elementCount(module.type(op.result).shape));
    const bool linear = op.kind == OpKind::ShareConv || op.kind == OpKind::ShareMatMul;
    const Shape &weights = linear ? module.type(op.operands[1]).shape : module.type(op.result).shape;
    const std::int64_t each = op.kind == OpKind::ShareConv ? elementCount(weights) / weights[0]
                              : linear                     ? weights[0]
                                                           : 1;
    run += elements * static_cast<double>(each);
  }
  return outputs * run;
}

// Runs both models on every record, on all cores.
Expected<std::vector<Outcome>> runAll(const Job &job, std::span<const Record> records) {
  SD_ASSIGN(const Interpreter exact, Interpreter::create(viewOf(job.imported)));
  SD_ASSIGN(const Interpreter fixed, Interpreter::create(viewOf(job.module)));
  const bool stated = statementWork(job.module) <= kStatedWork;
  std::vector<Expected<Outcome>> results(records.size(), fail(""));
  auto runOne = [&](const Record &record, bool stateErrors) -> Expected<Outcome> {
    const InterpreterOptions options = {.observe = true, .errors = stateErrors};
    Outcome outcome;
    SD_ASSIGN(outcome.exact, exact.run(record));
    SD_ASSIGN(outcome.fixed, fixed.run(record, options));
    return outcome;
  };
  const std::size_t threads = std::clamp<std::size_t>(std::thread::hardware_concurrency(), 1, 64);
  std::vector<std::jthread> workers;
  for (std::size_t t = 0; t < threads; ++t)
    workers.emplace_back([&, t] {
      for (std::size_t i = t; i < records.size(); i += threads)
        results[i] = runOne(records[i], stated && i < kStated);
    });
  workers.clear(); // joins
  std::vector<Outcome> outcomes;
  for (auto &result : results) {
    if (!result) return tl::unexpected(result.error());
    outcomes.push_back(*std::move(result));
  }
  return outcomes;
}

// One class for each record in the data.
Expected<Tensor<float>> readLabels(const std::string &path, std::size_t records) {
  SD_ASSIGN(Tensor<float> labels, readNumbers(path));
  if (labels.data.size() != records) return fail("{}: {} labels for {} records", path, labels.data.size(), records);
  for (float label : labels.data)
    if (!(label >= 0 && label < 1e9f) || label != std::floor(label))
      return fail("{}: {} is not the number of a class", path, label);
  return labels;
}

struct Accuracy {
  std::int64_t records = 0, floatRight = 0, fixedRight = 0, same = 0;
  double errorSum = 0, errorMost = 0, statedMost = 0, outputMost = 0;
  std::int64_t elements = 0;
};

std::string percent(std::int64_t part, std::int64_t whole) {
  return fmt::format("{:.2f} % ({} of {})", 100.0 * static_cast<double>(part) / static_cast<double>(whole), part,
                     whole);
}

Accuracy compare(const Job &job, const std::vector<Outcome> &outcomes, std::int64_t batch,
                 const Tensor<float> *labels) {
  Accuracy sum;
  // The classes stand in the first output that names them, else in the first of all.
  std::size_t named = 0;
  while (named < job.imported.ops.back().operands.size() && !namesClasses(opBehind(job.imported, named)))
    ++named;
  named %= job.imported.ops.back().operands.size();
  const OpKind last = opBehind(job.imported, named);
  for (auto &outcome : outcomes) {
    const Tensor<float> &exact = outcome.exact.outputs[named], &fixed = outcome.fixed.outputs[named];
    const auto a = classesOf(exact, last, batch), b = classesOf(fixed, last, batch);
    for (std::int64_t i = 0; i < batch; ++i, ++sum.records) {
      sum.same += a[i] == b[i];
      if (!labels) continue;
      const auto label = std::llround(labels->data[sum.records]);
      sum.floatRight += a[i] == label;
      sum.fixedRight += b[i] == label;
    }
    for (std::size_t o = 0; o < outcome.exact.outputs.size(); ++o)
      for (std::int64_t i = 0; i < outcome.exact.outputs[o].size(); ++i) {
        const double value = outcome.exact.outputs[o].data[i];
        const double error = std::abs(value - outcome.fixed.outputs[o].data[i]);
        sum.errorSum += error;
        sum.errorMost = std::max(sum.errorMost, error);
        sum.outputMost = std::max(sum.outputMost, std::abs(value));
        if (!outcome.fixed.errors.empty())
          sum.statedMost = std::max<double>(sum.statedMost, outcome.fixed.errors[o].data[i]);
        ++sum.elements;
      }
  }
  return sum;
}

std::string power(double value) { return value < 1 ? "0" : fmt::format("2^{:.2f}", std::log2(value)); }

// The largest value seen before each op with a bound and each output, against what is proved and what it takes.
std::string rangeTable(const Job &job, const std::vector<Outcome> &outcomes) {
  std::vector<double> seen(job.module.ops.size(), 0);
  for (auto &outcome : outcomes)
    for (auto &observation : outcome.fixed.observations)
      seen[observation.op] = std::max(seen[observation.op], observation.largest);
  std::string text = fmt::format("{:<36} {:>9} {:>9} {:>9}\n", "largest |y| before", "seen", "proved", "limit");
  walkIntervals(job.module, Knowledge::Weights, [&](std::size_t i, double proved) {
    const Op &op = job.module.ops[i];
    text += fmt::format("{:<36} {:>9} {:>9} {:>9}{}\n", describe(op), power(seen[i]), power(proved),
                        power(limitOf(op, job.module.ringBits)),
                        proved <= limitOf(op, job.module.ringBits) ? "" : "  NOT PROVED");
  });
  return text;
}

Expected<void> check(const Flags &flags) {
  Job job;
  SD_TRY(run(flags.model, defaultPipeline(), job));
  if (!flags.model.manager.stopAfter.empty()) return fail("--stop-after: check needs the whole pipeline");
  SD_ASSIGN(std::vector<Record> records, readRecords(job.imported, flags.data));
  const Shape &first = records.front().begin()->second.shape;
  const std::int64_t batch = first.empty() ? 1 : first[0];
  const std::size_t all = records.size() * static_cast<std::size_t>(batch);
  if (flags.records) records.resize(std::min(records.size(), flags.records));
  std::optional<Tensor<float>> labels;
  if (!flags.labels.empty()) {
    SD_ASSIGN(labels, readLabels(flags.labels, all));
  }
  SD_ASSIGN(const auto outcomes, runAll(job, records));
  const Accuracy sum = compare(job, outcomes, batch, labels ? &*labels : nullptr);

  std::string text = fmt::format("records            {}\nscale              {}\n", sum.records, flags.model.scale);
  if (labels)
    text += fmt::format("float accuracy     {}\nfixed accuracy     {}\n", percent(sum.floatRight, sum.records),
                        percent(sum.fixedRight, sum.records));
  text += fmt::format("same class         {}\n", percent(sum.same, sum.records));
  const bool scores = flags.model.reveal == "scores"; // else the outputs are classes, and no scores to compare
  if (scores)
    text += fmt::format("output error       mean {:.3g}, largest {:.3g}, of outputs up to {:.4g}\n",
                        sum.errorSum / static_cast<double>(sum.elements), sum.errorMost, sum.outputMost);
  if (scores && !outcomes[0].fixed.errors.empty())
    text += fmt::format("stated error       a secure run lies within {:.3g} of the fixed-point outputs{}\n",
                        sum.statedMost, outcomes.size() > kStated ? fmt::format(" ({} records)", kStated) : "");
  text += '\n';
  if (const auto functions = describeApproximations(job.context.approximations); !functions.empty())
    text += "piecewise linear functions in place of smooth ones\n" + functions + "\n";
  return writeText("-", text + rangeTable(job, outcomes));
}

} // namespace

void addCheck(CLI::App &app, Action &action) {
  auto *command = app.add_subcommand("check", "compare the fixed-point model with the float one on data");
  auto flags = std::make_shared<Flags>();
  addModelFlags(*command, flags->model);
  addPerInput(*command, "--data", flags->data,
              "records, along the first dimension; NAME=FILE if there are several inputs")
      ->required()
      ->type_name("[NAME=]X.npy");
  command->add_option("--labels", flags->labels, "their classes")->type_name("Y.npy");
  command->add_option("--records", flags->records, "use the first so many records only")
      ->type_name("N")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 31));
  command->callback([flags, &action] { action = [flags] { return check(*flags); }; });
}

} // namespace sd::tool
