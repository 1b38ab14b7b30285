#include "tools/sdc/Common.h"

#include <chrono>
#include <cmath>
#include <cstdio>
#include <iterator>
#include <set>

#include <algorithm>

#include "compiler/Advice.h"
#include "compiler/InputRanges.h"
#include "compiler/RoundingAdvice.h"
#include "data/RecordFiles.h"
#include "ir/bytecode/File.h"
#include "ir/bytecode/SchemaJson.h"
#include "runtime/vm/NamedFiles.h"
#include "tools/Console.h"
#include "tools/TableOptions.h"

namespace sd::tool {

namespace {
const std::map<std::string, RangePolicy> kPolicies = {
    {"warn", RangePolicy::Warn}, {"measured", RangePolicy::Measured}, {"require", RangePolicy::Require}};
}

CLI::Option *addPerInput(CLI::App &command, const std::string &name, std::vector<std::string> &values,
                         const std::string &help) {
  return command.add_option(name, values, help)->expected(1)->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

void addRecordFlags(CLI::App &command, std::vector<std::string> &data, std::string &labels) {
  addPerInput(command, "--data", data, "records, along the first dimension; NAME=FILE if there are several inputs")
      ->required()
      ->type_name("[NAME=]X.npy");
  command.add_option("--labels", labels, "their classes")->type_name("Y.npy");
}

void addPassFlags(CLI::App &command, ModelFlags &flags) {
  flags.command = &command;
  command.add_option("--scale", flags.scale, "activations hold round(v N); a power of two from 2 to 65536")
      ->type_name("N")
      ->capture_default_str();
  command
      .add_option("--weight-scale", flags.weightScale,
                  "weights hold round(v N); a power of two from 2 to 2^24; by default chosen for each layer from its "
                  "shape, the scale and the ring")
      ->type_name("N");
  command.add_option("--ring", flags.ring, "bits of the integers: 32, or 64 for values that 32 bits can't hold")
      ->type_name("BITS")
      ->check(CLI::IsMember({32, 64}))
      ->default_str("32");
  command
      .add_option("--bound", flags.bound, "values before comparisons and truncations stay below 2^K; less is cheaper")
      ->type_name("K")
      ->check(CLI::Range(8, 62))
      ->default_str("30, with --ring 64 46");
  addPerInput(command, "--input-range", flags.inputRanges,
              "every value, or those of one input, lies in LO..HI; others are refused at run time")
      ->type_name("[NAME=]LO,HI");
  addPerInput(command, "--calibrate", flags.calibrate,
              "records to measure ranges on where they can't be proved; NAME=FILE if there are several inputs")
      ->type_name("[NAME=]X.npy");
  addTableOptions(command, flags.tables);
  command
      .add_option("--ranges", flags.ranges,
                  "refuse ranges that are not proved (require), or neither proved nor measured on enough records "
                  "(measured); or warn of them")
      ->check(CLI::IsMember({"warn", "measured", "require"}))
      ->capture_default_str();
  command.add_option("--min-records", flags.minRecords, "records that a measured range needs")
      ->type_name("N")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 31))
      ->capture_default_str();
  command.add_option("--network", flags.network, "what to choose schedules for: lan, wan or rtt=MS,bandwidth=MBIT")
      ->capture_default_str();
  command
      .add_option("--approximation-error", flags.approximationError,
                  "largest error of the piecewise linear functions in place of Tanh, Sigmoid, Gelu and the like")
      ->type_name("E")
      ->check(CLI::Range(0x1p-16, 1.0))
      ->capture_default_str();
  command.add_flag(
      "--private-normalization", flags.privateNormalization,
      "keep a leading normalisation of the input with the service; needs --input-range, or a --schema with "
      "ranges");
  command.add_flag("--round-outputs", flags.roundOutputs,
                   "open scores rounded to the scale, not with all digits of the last product; for a round trip");
  command
      .add_option("--schema", flags.schema,
                  "what records and results mean: columns, units, ranges, classes, findings (docs/schema.md)")
      ->type_name("S.json");
  command
      .add_option("--reveal", flags.reveal,
                  "what the hospital learns: the scores, or the class (which findings are present) alone")
      ->check(CLI::IsMember({"scores", "class"}))
      ->capture_default_str();
  command.add_flag("--verify-each", flags.manager.verifyEach, "check the module after every pass");
  command.add_option("--dump-dir", flags.manager.dumpDir, "write the module after every pass: 00-input.sdir, ...")
      ->type_name("D");
  command.add_option("--stop-after", flags.manager.stopAfter, "run no pass after this one; writes the IR")
      ->type_name("PASS");
  command.add_flag("--time-passes", flags.timePasses, "say how long the import, each pass and the error estimate took");
}

void addShapeFlags(CLI::App &command, ModelFlags &flags) {
  command.add_option("--batch", flags.batch, "size of a dynamic first dimension")
      ->type_name("N")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 31));
  addPerInput(command, "--shape", flags.shapes,
              "sizes of an input with dynamic dimensions, where the first is no batch or others are dynamic too")
      ->type_name("[NAME=]6x1x3");
}

void addModelFlags(CLI::App &command, ModelFlags &flags) {
  command.add_option("model", flags.model, "the model: .onnx, .onnxtext, or .sdir (IR text)")->required();
  addShapeFlags(command, flags);
  addPassFlags(command, flags);
}

namespace {
void sayNote(std::string_view text) { writeError(fmt::format("note: {}\n", text)); }
} // namespace

Expected<Tensor<float>> readNumbers(const std::string &path, const CsvOptions &tables) {
  return readTensor(path, tables, sayNote);
}

void printWarnings(const std::vector<std::string> &warnings) {
  for (auto &warning : warnings)
    writeError(fmt::format("warning: {}\n", warning));
}

std::string describeApproximations(const std::vector<Approximation> &approximations) {
  std::string text;
  std::set<std::string> seen; // each step of a recurrent layer has its own
  for (auto &each : approximations) {
    std::string line = fmt::format("{}: {} knots, within {:.3g}", each.where, each.knots, each.error);
    if (each.slopeError > 0) line += fmt::format(" + {:.2g} |x|", each.slopeError);
    line += '\n';
    if (seen.insert(line).second) text += line;
  }
  return text;
}

std::string describeCalibration(const PassContext &context) {
  constexpr std::size_t kShown = 5;
  std::vector<RangeFact> facts = context.ranges;
  std::ranges::stable_sort(facts, {}, &RangeFact::margin);
  const auto proved = std::ranges::count(facts, RangeFact::Basis::Proved, &RangeFact::basis);
  std::string text = fmt::format("calibration: {} {}; of {} range{} {} are proved, {} measured\n",
                                 context.recordsMeasured, context.recordsMeasured == 1 ? "record" : "records",
                                 facts.size(), facts.size() == 1 ? "" : "s", proved, std::ssize(facts) - proved);
  std::vector<RangeFact> smallest; // of each op of the model, which may have become many
  for (auto &fact : facts)
    if (std::ranges::find(smallest, fact.where, &RangeFact::where) == smallest.end()) smallest.push_back(fact);
  if (smallest.size() > kShown) smallest.resize(kShown);
  for (auto &fact : smallest)
    text += fmt::format("  {:<36} {:>5.1f} bits below its limit, {}\n", fact.where, fact.margin(),
                        fact.basis == RangeFact::Basis::Proved ? "proved" : "measured");
  return text;
}

Expected<std::vector<NamedTensors>> readRecords(const Job &job, const std::string &flag,
                                                const std::vector<std::string> &texts, const CsvOptions &tables) {
  std::vector<RecordInput> inputs;
  NamedFileFlag files{flag, "input", {}};
  for (const Op &op : job.imported.ops)
    if (op.kind == OpKind::Input) {
      inputs.push_back(recordInput(op.attrs, job.imported.type(op.result).shape, job.schema));
      files.names.push_back(inputs.back().name);
    }
  SD_ASSIGN(const auto lists, asUsage(fileListsByName(texts, files)));
  NamedTensors tensors;
  for (const auto &[name, paths] : lists) {
    SD_ASSIGN(RecordTable table, readRecordFiles(paths, *std::ranges::find(inputs, name, &RecordInput::name),
                                                 {tables, {}, {{}, {}, sayNote}}));
    tensors[name] = std::move(table.records);
  }
  auto records = splitRecords(inputs, std::move(tensors));
  if (!records) return failAs(records.error(), "{}: {}", flag, records.error().message);
  auto checked = checkEach(*records, [&](const NamedTensors &record) { return checkRecord(inputs, record); });
  if (!checked) return failAs(checked.error(), "{}: {}", flag, checked.error().message);
  return records;
}

Expected<Tensor<float>> readLabels(const std::string &path, const CsvOptions &tables, const Job &job,
                                   std::size_t records) {
  SD_ASSIGN(Tensor<float> labels, readNumbers(path, tables));
  const auto &thresholds = job.context.options.thresholds;
  const auto found = thresholds.find(job.imported.ops.back().attrs.strings(Attr::Names)[0]);
  const std::size_t findings = found == thresholds.end() ? 1 : std::max<std::size_t>(found->second.size(), 1);
  if (labels.data.size() != records * findings)
    return fail("{}: {} labels for {} records{}", path, labels.data.size(), records,
                findings > 1 ? fmt::format(" of {} findings each", findings) : "");
  for (std::size_t i = 0; i < labels.data.size(); ++i)
    if (const float label = labels.data[i]; !(label >= 0 && label < 1e9f) || label != std::floor(label))
      return fail("{}: label {} is not the number of a class", path, i + 1);
  return labels;
}

namespace {

Expected<std::optional<Schema>> readSchema(const std::string &path) {
  if (path.empty()) return std::optional<Schema>();
  SD_ASSIGN(const std::vector<std::uint8_t> bytes, readFile(path, kMaxSchemaBytes));
  auto schema = parseSchema({reinterpret_cast<const char *>(bytes.data()), bytes.size()});
  if (!schema) return failAs(schema.error(), "{}: {}", path, schema.error().message);
  return std::optional(*std::move(schema));
}

} // namespace

Expected<void> load(const ModelFlags &flags, Job &job) {
  ModelOptions model;
  PassOptions &options = job.context.options;
  SD_ASSIGN(options.scaleBits, asUsage(scaleBitsOf(flags.scale)));
  SD_ASSIGN(options.network, asUsage(parseNetwork(flags.network)));
  if (flags.weightScale) {
    SD_ASSIGN(options.weightScaleBits, asUsage(weightScaleBitsOf(flags.weightScale)));
  }
  if (flags.batch) model.batch = flags.batch;
  for (const std::string &shape : flags.shapes)
    SD_TRY(asUsage(addShape(shape, model)));
  for (const std::string &range : flags.inputRanges)
    SD_TRY(asUsage(addInputRange(range, model)));
  if (!std::isfinite(flags.approximationError))
    return fail(ErrorKind::Usage, "--approximation-error {}: must be a number from 2^-16 to 1",
                flags.approximationError);
  options.approximationError = flags.approximationError;
  options.privateNormalization = flags.privateNormalization;
  options.roundOutputs = flags.roundOutputs;
  options.revealClass = flags.reveal == "class";
  options.ranges = kPolicies.at(flags.ranges);
  options.minRecords = flags.minRecords;
  if (flags.ring) model.ringBits = flags.ring;
  model.remarks = &job.context.warnings;
  ModelFacts facts;
  model.facts = &facts;
  SD_ASSIGN(job.imported, loadModel(flags.model, model));
  SD_ASSIGN(const std::optional<Schema> given, readSchema(flags.schema));
  auto meaning = describeModel(job.imported, facts, given, options);
  if (!meaning && given) return failAs(meaning.error(), "{}: {}", flags.schema, meaning.error().message);
  if (!meaning) return tl::unexpected(std::move(meaning).error());
  job.schema = std::move(meaning->schema);
  std::ranges::move(meaning->warnings, std::back_inserter(job.context.warnings));
  if (flags.bound > job.imported.ringBits - 2)
    return fail(ErrorKind::Usage, "--bound {}: at most {} in a ring of {} bits", flags.bound, job.imported.ringBits - 2,
                job.imported.ringBits);
  if (flags.bound) options.boundBits = flags.bound;
  if (!flags.calibrate.empty()) {
    SD_ASSIGN(job.calibration, readRecords(job, "--calibrate", flags.calibrate, flags.tables));
    options.calibration = job.calibration;
  }
  return {};
}

namespace {

// Warnings, and how far off the results may be: what is coarse is worth a note alone where they hardly are.
void reportErrors(Job &job, const Module *module) {
  const std::vector<std::string> coarse = describeRounding(job.context.coarse);
  if (job.estimate && job.estimate->isSmall()) {
    for (auto &line : coarse)
      writeError(fmt::format("note: {}\n", line));
    if (!coarse.empty())
      writeError(fmt::format("note: {} that costs {:.1g} % of the output range at most\n",
                             describeRecords(*job.estimate), 100 * job.estimate->comparison.rangeError));
  } else {
    job.context.warnings.insert(job.context.warnings.end(), coarse.begin(), coarse.end());
  }
  if (job.estimate && job.estimate->isLarge())
    job.context.warnings.push_back(describeError(*job.estimate, job.imported, *module, job.context));
  printWarnings(job.context.warnings);
}

// How long each part of a compilation took, printed at its end, a failed one's too.
struct PassTimes {
  explicit PassTimes(bool show) : shown(show) {}
  ~PassTimes() {
    if (!shown) return;
    double sum = 0;
    for (const PassTime &each : list)
      sum += each.time.count();
    for (const PassTime &each : list)
      writeError(fmt::format("{:<22} {:>9.3f} s {:>5.1f} %\n", each.pass, each.time.count(),
                             100 * each.time.count() / std::max(sum, 1e-9)));
    writeError(fmt::format("{:<22} {:>9.3f} s\n", "sum", sum));
  }
  PassTimes(const PassTimes &) = delete;
  PassTimes &operator=(const PassTimes &) = delete;

  template <class Part>
  auto measure(std::string_view name, Part &&part) {
    const auto start = std::chrono::steady_clock::now();
    auto result = part();
    list.push_back({std::string(name), std::chrono::steady_clock::now() - start});
    return result;
  }

  const bool shown;
  std::vector<PassTime> list;
};

// A way out of what is off, where no table of settings is printed anyway.
std::string adviceOnErrors(const Job &job) {
  PassContext context = job.context;
  context.options.revealClass = false;
  if (job.estimate && job.estimate->isLarge())
    return adviseOnError({job.imported, context, job.estimate->records},
                         [](const Comparison &c) { return c.rangeError <= ErrorEstimate::kSmall; }) +
           '\n';
  if (!describeRounding(job.context.coarse).empty() && !(job.estimate && job.estimate->isSmall()))
    return adviseOnRounding({job.imported, job.context, job.calibration}) + '\n';
  return "";
}

} // namespace

Expected<void> run(const ModelFlags &flags, const std::vector<const Pass *> &passes, Job &job) {
  PassTimes times(flags.timePasses);
  SD_TRY(times.measure("(import)", [&] { return load(flags, job); }));
  const bool whole = passes == defaultPipeline() && flags.manager.stopAfter.empty();
  Module input = job.imported;
  if (!job.comparesFloats && job.calibration.empty() && hasManyWeights(input))
    for (Op &op : job.imported.ops)
      if (op.kind == OpKind::Constant) op.attrs.erase(Attr::Value);
  PassManagerOptions manager = flags.manager;
  manager.times = &times.list;
  auto module = lower(std::move(input), {passes, manager}, job.context);
  if (whole && module && job.calibration.empty())
    job.estimate = times.measure("(error estimate)", [&] { return estimateError(job.imported, *module, job.context); });
  if (const auto line = describeCommonRange(job.imported, job.context.options); whole && module && !line.empty())
    sayNote(line);
  if (whole && module && job.calibration.empty() && !job.comparesFloats)
    if (const auto reason = whyNotEstimated(job.imported, *module); !reason.empty())
      sayNote(fmt::format("how far off results may be was not tried on random records, since {}; sdc check with --data "
                          "measures it on records",
                          reason));
  if (whole && module)
    for (auto &line : describeRanges(job.imported, *module, job.calibration))
      job.context.warnings.push_back(line);
  reportErrors(job, module ? &*module : nullptr);
  if (module && job.context.recordsMeasured) writeError(describeCalibration(job.context));
  const std::string advice = whole && (!module || !isSound(job.context)) ? adviceOn(flags, job) : "";
  if (!module) {
    Error error = module.error();
    if (job.context.vanished && whole)
      error.message += '\n' + adviseOnZeros({job.imported, job.context, job.calibration});
    else if (!advice.empty())
      error.message += '\n' + advice.substr(0, advice.size() - 1); // without its last line end
    return tl::unexpected(std::move(error));
  }
  writeError(advice.empty() && whole ? adviceOnErrors(job) : advice);
  job.module = *std::move(module);
  return {};
}

Expected<void> writeText(const std::string &path, const std::string &text) {
  if (path != "-")
    return writeFileAtomically(path, {reinterpret_cast<const std::uint8_t *>(text.data()), text.size()},
                               FileMode::Private); // the weights are in it
  if (!writeOut(text)) return fail(ErrorKind::Output, "cannot write to the standard output");
  return {};
}

} // namespace sd::tool
