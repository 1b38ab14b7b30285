#include "tools/sdc/Common.h"

#include <chrono>
#include <cmath>
#include <cstdio>
#include <iterator>

#include <algorithm>

#include "data/RecordFiles.h"
#include "ir/bytecode/File.h"
#include "ir/bytecode/SchemaJson.h"
#include "runtime/vm/NamedFiles.h"
#include "tools/Console.h"
#include "tools/TableOptions.h"
#include "tools/sdc/CommandLine.h"

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

Expected<std::string> readSchema(const std::string &path) {
  SD_ASSIGN(const std::vector<std::uint8_t> bytes, readFile(path, kMaxSchemaBytes));
  return std::string(bytes.begin(), bytes.end());
}

} // namespace

Expected<void> load(const ModelFlags &flags, Job &job) {
  JobRequest request;
  ModelOptions &model = request.model;
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
  request.path = flags.model;
  request.bound = flags.bound;
  request.schemaName = flags.schema;
  if (!flags.schema.empty()) request.schema = [&] { return readSchema(flags.schema); };
  if (!flags.calibrate.empty())
    request.calibration = [&](const Job &loaded) {
      return readRecords(loaded, "--calibrate", flags.calibrate, flags.tables);
    };
  return loadJob(request, job);
}

JobListener listenerOf(const ModelFlags &flags) {
  const auto say = [](Said said, const std::string &text) {
    if (said == Said::Text)
      writeError(text);
    else
      writeError(fmt::format("{}: {}\n", said == Said::Remark ? "note" : "warning", text));
  };
  const auto tune = [command = flags.command] {
    return commandLine(*command, {.subcommand = "tune",
                                  .left = {"--output", "--ranges", "--min-records"},
                                  .added = {"--data", "X.npy"},
                                  .settings = {}});
  };
  const auto compile = [command = flags.command](const std::vector<std::string> &declared, const Settings &settings) {
    return commandLine(*command, {.subcommand = "", .left = {}, .added = declared, .settings = settings});
  };
  return {say, tune, compile, "--accept-error"};
}

namespace {

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

} // namespace

Expected<void> run(const ModelFlags &flags, const std::vector<const Pass *> &passes, Job &job) {
  PassTimes times(flags.timePasses);
  SD_TRY(times.measure("(import)", [&] { return load(flags, job); }));
  PassManagerOptions manager = flags.manager;
  manager.times = &times.list;
  return lowerJob({passes, manager}, job, listenerOf(flags));
}

Expected<void> writeText(const std::string &path, const std::string &text) {
  if (path != "-")
    return writeFileAtomically(path, {reinterpret_cast<const std::uint8_t *>(text.data()), text.size()},
                               FileMode::Private); // the weights are in it
  if (!writeOut(text)) return fail(ErrorKind::Output, "cannot write to the standard output");
  return {};
}

} // namespace sd::tool
