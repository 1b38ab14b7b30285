#include "api/Internal.h"
#include "compiler/Job.h"
#include "compiler/Pipeline.h"
#include "ir/bytecode/Writer.h"
#include "ir/core/Guard.h"

namespace sdc {
namespace {

template <class T>
sd::Expected<T> asUsage(sd::Expected<T> result) {
  if (!result) result.error().kind = sd::ErrorKind::Usage;
  return result;
}

sd::Expected<sd::RangePolicy> policyOf(const std::string &name) {
  if (name == "warn") return sd::RangePolicy::Warn;
  if (name == "measured") return sd::RangePolicy::Measured;
  if (name == "require") return sd::RangePolicy::Require;
  return sd::fail(sd::ErrorKind::Usage, "ranges = '{}': it is warn, measured or require", name);
}

sd::Expected<void> checkOptions(const CompileOptions &options) {
  using sd::ErrorKind;
  if (options.ring != 0 && options.ring != 32 && options.ring != 64)
    return sd::fail(ErrorKind::Usage, "ring = {}: it is 32 or 64", options.ring);
  if (options.bound != 0 && (options.bound < 8 || options.bound > 62)) // loadJob() knows the ring
    return sd::fail(ErrorKind::Usage, "bound = {}: it is from 8 to the ring's bits less 2", options.bound);
  if (options.reveal != "scores" && options.reveal != "class")
    return sd::fail(ErrorKind::Usage, "reveal = '{}': it is scores or class", options.reveal);
  if (options.batch < 0 || options.minRecords < 1)
    return sd::fail(ErrorKind::Usage, "batch and min_records are at least 1");
  if (!(options.approximationError >= 0x1p-16 && options.approximationError <= 1))
    return sd::fail(ErrorKind::Usage, "approximation_error = {}: it is from 2^-16 to 1", options.approximationError);
  const auto check = [](const Range &range) -> sd::Expected<void> {
    if (auto valid = sd::checkInputRange(range); !valid)
      return sd::fail(ErrorKind::Usage, "an input range: {}", valid.error().message);
    return {};
  };
  if (options.inputRange) SD_TRY(check(*options.inputRange));
  for (const auto &[name, range] : options.inputRanges)
    SD_TRY(check(range));
  return {};
}

sd::Expected<void> readOptions(const CompileOptions &options, sd::PassOptions &passes) {
  SD_TRY(checkOptions(options));
  SD_ASSIGN(passes.scaleBits, asUsage(sd::scaleBitsOf(options.scale)));
  SD_ASSIGN(passes.network, asUsage(sd::parseNetwork(options.network)));
  if (options.weightScale) {
    SD_ASSIGN(passes.weightScaleBits, asUsage(sd::weightScaleBitsOf(options.weightScale)));
  }
  passes.approximationError = options.approximationError;
  passes.privateNormalization = options.privateNormalization;
  passes.roundOutputs = options.roundOutputs;
  passes.revealClass = options.reveal == "class";
  SD_ASSIGN(passes.ranges, policyOf(options.ranges));
  passes.minRecords = options.minRecords;
  return {};
}

std::vector<sd::RecordInput> inputsOf(const sd::Module &imported, const sd::Schema &schema) {
  std::vector<sd::RecordInput> inputs;
  for (const sd::Op &op : imported.ops)
    if (op.kind == sd::OpKind::Input)
      inputs.push_back(sd::recordInput(op.attrs, imported.type(op.result).shape, schema));
  return inputs;
}

sd::JobRequest requestOf(const std::string &path, const CompileOptions &options) {
  sd::JobRequest request;
  request.path = path;
  if (options.batch) request.model.batch = options.batch;
  request.model.shapes = {options.shapes.begin(), options.shapes.end()};
  request.model.inputRange = options.inputRange;
  request.model.inputRanges = options.inputRanges;
  if (options.ring) request.model.ringBits = options.ring;
  request.bound = options.bound;
  request.schemaName = "the schema";
  if (!options.schema.empty()) request.schema = [&]() -> sd::Expected<std::string> { return options.schema; };
  if (!options.calibrate.empty())
    request.calibration = [&](const sd::Job &job) -> sd::Expected<std::vector<sd::Record>> {
      const std::vector<sd::RecordInput> inputs = inputsOf(job.imported, job.schema);
      SD_ASSIGN(auto records, sd::splitRecords(inputs, tensorsOf(options.calibrate)));
      SD_TRY(sd::checkEach(records, [&](const sd::Record &record) { return sd::checkRecord(inputs, record); }));
      return records;
    };
  return request;
}

// Who compiles from a program types no command: settings are named as their flags.
sd::JobListener listenerOf(Program::Impl &out, const std::string &path) {
  const auto say = [&out](sd::Said said, std::string text) {
    while (text.ends_with('\n'))
      text.pop_back();
    (said == sd::Said::Warning ? out.warnings : out.notes).push_back(std::move(text));
  };
  const auto tune = [path] { return fmt::format("sdc tune {} --data X.npy", path); };
  const auto compile = [](const std::vector<std::string> &declared, const sd::Settings &settings) {
    const std::string flags = sd::flagsOf(settings, {});
    return fmt::format("{}{}{}", fmt::join(declared, " "), declared.empty() || flags.empty() ? "" : " ", flags);
  };
  return {say, tune, compile, "accept_error"};
}

sd::Expected<void> compileInto(Program::Impl &out, const std::string &path, const CompileOptions &options) {
  sd::Job job;
  job.comparesFloats = false;
  job.keepsFloats = options.keepModel;
  SD_TRY(readOptions(options, job.context.options));
  SD_TRY(sd::loadJob(requestOf(path, options), job));
  const sd::JobListener listener = listenerOf(out, path);
  SD_TRY(sd::lowerJob({sd::defaultPipeline(), {}}, job, listener));
  SD_ASSIGN(sd::Compiled compiled, sd::generateProgram(job, options.acceptError, listener));
  SD_ASSIGN(const std::vector<std::uint8_t> bytes, sd::writeProgram(compiled.program));
  out.loaded = {std::move(compiled.program), sd::digestOf(sd::Bytes(bytes))};
  out.weights = std::move(compiled.weights);
  if (options.keepModel) out.imported = std::move(job.imported), out.lowered = std::move(job.module);
  out.options = std::move(job.context.options);
  out.options.calibration = {}; // it refers to records that end here
  return {};
}

// An error, with what was said before it: nobody else will tell.
sd::Expected<void> compileOrTell(Program::Impl &out, const std::string &path, const CompileOptions &options) {
  auto done = sd::guarded([&] { return compileInto(out, path, options); });
  if (done) return done;
  for (const std::string &warning : out.warnings)
    done.error().message += "\nwarning: " + warning;
  for (const std::string &note : out.notes)
    done.error().message += "\nnote: " + note;
  return done;
}

} // namespace

Program Program::compile(const std::string &model, const CompileOptions &options) {
  auto impl = std::make_shared<Impl>();
  valueOf(compileOrTell(*impl, model, options));
  Program program;
  program.impl = std::move(impl);
  return program;
}

} // namespace sdc
