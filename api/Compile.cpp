#include "compiler/Compile.h"

#include <atomic>
#include <mutex>

#include "api/Internal.h"
#include "compiler/Comparison.h"
#include "compiler/ErrorEstimate.h"
#include "compiler/HidingAdvice.h"
#include "compiler/InputRanges.h"
#include "compiler/Meaning.h"
#include "compiler/Pipeline.h"
#include "compiler/RoundingAdvice.h"
#include "compiler/codegen/Codegen.h"
#include "ir/bytecode/SchemaJson.h"
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
  if (options.bound != 0 && (options.bound < 8 || options.bound > (options.ring == 64 ? 62 : 30)))
    return sd::fail(ErrorKind::Usage, "bound = {}: it is from 8 to the ring's bits less 2", options.bound);
  if (options.reveal != "scores" && options.reveal != "class")
    return sd::fail(ErrorKind::Usage, "reveal = '{}': it is scores or class", options.reveal);
  if (options.batch < 0 || options.minRecords < 1)
    return sd::fail(ErrorKind::Usage, "batch and min_records are at least 1");
  if (!(options.approximationError >= 0x1p-16 && options.approximationError <= 1))
    return sd::fail(ErrorKind::Usage, "approximation_error = {}: it is from 2^-16 to 1", options.approximationError);
  const auto isRange = [](const Range &range) {
    return std::isfinite(range.first) && std::isfinite(range.second) && range.first <= range.second;
  };
  bool ranges = !options.inputRange || isRange(*options.inputRange);
  for (const auto &[name, range] : options.inputRanges)
    ranges &= isRange(range);
  if (!ranges) return sd::fail(ErrorKind::Usage, "an input range is two finite numbers, the lower first");
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
  if (options.bound) passes.boundBits = options.bound;
  return {};
}

sd::Expected<sd::Module> readModel(const std::string &path, const CompileOptions &options, sd::PassContext &context,
                                   sd::ModelFacts &facts) {
  sd::ModelOptions model;
  if (options.batch) model.batch = options.batch;
  model.shapes = {options.shapes.begin(), options.shapes.end()};
  model.inputRange = options.inputRange;
  model.inputRanges = options.inputRanges;
  if (options.ring) model.ringBits = options.ring;
  model.remarks = &context.warnings;
  model.facts = &facts;
  return sd::loadModel(path, model);
}

std::vector<sd::RecordInput> inputsOf(const sd::Module &imported, const sd::Schema &schema) {
  std::vector<sd::RecordInput> inputs;
  for (const sd::Op &op : imported.ops)
    if (op.kind == sd::OpKind::Input)
      inputs.push_back(sd::recordInput(op.attrs, imported.type(op.result).shape, schema));
  return inputs;
}

// What is coarse, out of range or far off, as `sdc compile` says it.
void describe(Program::Impl &out, std::span<const sd::Record> calibration) {
  std::vector<std::string> &warnings = out.context.warnings;
  for (auto &line : sd::describeRanges(*out.imported, *out.lowered, calibration))
    warnings.push_back(line);
  std::optional<sd::ErrorEstimate> estimate;
  if (calibration.empty()) estimate = sd::estimateError(*out.imported, *out.lowered, out.context);
  if (!(estimate && estimate->isSmall()))
    for (auto &line : sd::describeRounding(out.context.coarse))
      warnings.push_back(line);
  if (estimate && estimate->isLarge())
    warnings.push_back(sd::describeError(*estimate, *out.imported, *out.lowered, out.context));
  if (const auto refused = sd::adviseOnHiding({*out.imported, out.context, calibration}, *out.lowered);
      !refused.empty())
    warnings.push_back(refused);
}

sd::Expected<void> judge(const Program::Impl &out, std::span<const sd::Record> calibration, bool acceptError) {
  if (calibration.empty() || acceptError) return {};
  const bool scores = !out.context.options.revealClass;
  SD_ASSIGN(const sd::Comparison sum, sd::compare(*out.imported, *out.lowered, calibration,
                                                  {.scores = scores, .thresholds = &out.context.options.thresholds}));
  if (sum.close()) return {};
  return sd::fail(
      "fixed point is too far from the model on the {} calibration records: same class {}, largest error "
      "{:.2g} % of an output's range\n{}\nor pass accept_error",
      sum.records, sd::percentOf(sum.same, sum.records), 100 * sum.rangeError,
      sd::adviseOnError({*out.imported, out.context, calibration}, [](const sd::Comparison &c) { return c.close(); }));
}

sd::Expected<void> compileInto(Program::Impl &out, const std::string &path, const CompileOptions &options) {
  SD_TRY(readOptions(options, out.context.options));
  sd::ModelFacts facts;
  SD_ASSIGN(out.imported, readModel(path, options, out.context, facts));
  std::optional<sd::Schema> given;
  if (!options.schema.empty()) {
    auto schema = sd::parseSchema(options.schema);
    if (!schema) return sd::failAs(schema.error(), "the schema: {}", schema.error().message);
    given = *std::move(schema);
  }
  SD_ASSIGN(sd::Meaning meaning, sd::describeModel(*out.imported, facts, given, out.context.options));
  out.schema = std::move(meaning.schema);
  std::ranges::move(meaning.warnings, std::back_inserter(out.context.warnings));
  std::vector<sd::NamedTensors> calibration;
  if (!options.calibrate.empty()) {
    const std::vector<sd::RecordInput> inputs = inputsOf(*out.imported, out.schema);
    SD_ASSIGN(calibration, sd::splitRecords(inputs, tensorsOf(options.calibrate)));
    SD_TRY(sd::checkEach(calibration, [&](const sd::NamedTensors &record) { return sd::checkRecord(inputs, record); }));
    out.context.options.calibration = calibration;
  }
  SD_ASSIGN(out.lowered, sd::lower(*out.imported, {sd::defaultPipeline(), {}}, out.context));
  describe(out, calibration);
  SD_TRY(judge(out, calibration, options.acceptError));
  sd::addFacts(out.schema, out.context, *out.lowered);
  SD_ASSIGN(sd::Compiled compiled, sd::generate(*out.lowered, out.schema));
  SD_ASSIGN(const std::vector<std::uint8_t> bytes, sd::writeProgram(compiled.program));
  out.loaded = {std::move(compiled.program), sd::digestOf(sd::Bytes(bytes))};
  out.weights = std::move(compiled.weights);
  out.context.options.calibration = {}; // it refers to records that end here
  out.warnings = out.context.warnings;
  return {};
}

} // namespace

Program Program::compile(const std::string &model, const CompileOptions &options) {
  auto impl = std::make_shared<Impl>();
  valueOf(sd::guarded([&] { return compileInto(*impl, model, options); }));
  Program program;
  program.impl = std::move(impl);
  return program;
}

} // namespace sdc
