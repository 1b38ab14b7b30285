#include "compiler/Job.h"

#include <algorithm>
#include <chrono>
#include <set>

#include "compiler/Advice.h"
#include "compiler/HidingAdvice.h"
#include "compiler/InputRanges.h"
#include "compiler/Meaning.h"
#include "compiler/Pipeline.h"
#include "compiler/RoundingAdvice.h"
#include "ir/bytecode/SchemaJson.h"

namespace sd {

namespace {

// Models that trials take seconds for.
constexpr double kMostWork = 5e8; // multiply-adds
constexpr double kMostWeights = 1e7;

// Whether trials of other settings would take too much time and memory.
bool hasManyWeights(const Module &imported) {
  double count = 0;
  for (auto &op : imported.ops)
    if (op.kind == OpKind::Constant) count += static_cast<double>(elementCount(imported.type(op.result).shape));
  return count > kMostWeights;
}

Expected<std::optional<Schema>> readSchema(const JobRequest &request) {
  if (!request.schema) return std::optional<Schema>();
  SD_ASSIGN(const std::string text, request.schema());
  auto schema = parseSchema(text);
  if (!schema) return failAs(schema.error(), "{}: {}", request.schemaName, schema.error().message);
  return std::optional(*std::move(schema));
}

// Warnings, and how far off the results may be: what is coarse is worth a note alone where they hardly are.
void reportErrors(Job &job, const Module *module, const JobListener &listener) {
  const std::vector<std::string> coarse = describeRounding(job.context.coarse);
  if (job.estimate && job.estimate->isSmall()) {
    for (auto &line : coarse)
      listener.say(Said::Remark, line);
    if (!coarse.empty())
      listener.say(Said::Remark,
                   fmt::format("{} that costs {:.1g} % of the output range at most", describeRecords(*job.estimate),
                               100 * job.estimate->comparison.rangeError));
  } else {
    job.context.warnings.insert(job.context.warnings.end(), coarse.begin(), coarse.end());
  }
  if (job.estimate && job.estimate->isLarge())
    job.context.warnings.push_back(describeError(*job.estimate, job.imported, *module, job.context));
  for (auto &warning : job.context.warnings)
    listener.say(Said::Warning, warning);
}

// What other settings would give than those of a job that is not sound: lines for people, or nothing.
std::string adviceOn(const Job &job, const JobListener &listener) {
  if (workOf(job.imported) > kMostWork || hasManyWeights(job.imported) || hasManyOps(job.imported))
    return fmt::format("other settings take long to try; this does: {}\n", listener.tune());
  TrialOptions options;
  options.passes = job.context.options;
  options.records = job.calibration;
  const Advice advice =
      advise(job.imported, options, [&](const TrialResult &result) { return isSound(result, options); });
  if (std::ranges::none_of(advice.tried, [](const Tried &each) { return each.result.compiled(); })) return "";
  std::string text = fmt::format("other settings, tried{}:\n{}", advice.note.empty() ? "" : " (" + advice.note + ")",
                                 trialTable(advice.tried, advice.best));
  if (advice.best)
    text += fmt::format("* is: {}\n", listener.compile(advice.declared, advice.tried[*advice.best].result.settings));
  if (job.calibration.empty() && options.passes.ranges != RangePolicy::Require)
    text += fmt::format("{}: --calibrate X.npy with at least {} records measures what is not proved\n",
                        advice.best ? "Or" : "No setting proves all", options.passes.minRecords);
  else if (!advice.best)
    text += "None of them is enough.\n";
  return text;
}

// A way out of what is off, where no table of settings is said anyway.
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

// Of a whole pipeline's result.
void describeResult(const LowerOptions &options, const Module &module, Job &job, const JobListener &listener) {
  if (job.calibration.empty()) {
    const auto start = std::chrono::steady_clock::now();
    job.estimate = estimateError(job.imported, module, job.context);
    if (options.manager.times)
      options.manager.times->push_back({"(error estimate)", std::chrono::steady_clock::now() - start});
  }
  if (const auto line = describeCommonRange(job.imported, job.context.options); !line.empty())
    listener.say(Said::Remark, line);
  if (job.calibration.empty() && !job.comparesFloats)
    if (const auto reason = whyNotEstimated(job.imported, module); !reason.empty())
      listener.say(Said::Remark,
                   fmt::format("how far off results may be was not tried on random records, since {}; sdc check with "
                               "--data measures it on records",
                               reason));
  for (auto &line : describeRanges(job.imported, module, job.calibration))
    job.context.warnings.push_back(line);
}

// Floats against fixed point on the records that the ranges were measured on.
Expected<void> judge(const Job &job, bool acceptError, const JobListener &listener) {
  if (job.calibration.empty()) return {};
  const bool scores = !job.context.options.revealClass;
  SD_ASSIGN(const Comparison sum,
            compare(job.imported, job.module, job.calibration,
                    {.scores = scores, .thresholds = &job.context.options.thresholds, .progress = listener.comparing}));
  listener.say(
      Said::Text,
      fmt::format("on the {} calibration records: same class {}{}\n", sum.records, percentOf(sum.same, sum.records),
                  scores ? fmt::format(", largest error {:.3g} of outputs up to {:.4g} ({:.2g} % of an output's range)",
                                       sum.errorMost, sum.outputMost, 100 * sum.rangeError)
                         : ""));
  if (sum.close() || acceptError) return {};
  return fail(
      "fixed point is too far from the model: more than 1 % of the classes or 2 % of an output's range differ\n"
      "{}\nor pass {}",
      adviseOnError({job.imported, job.context, job.calibration}, [](const Comparison &c) { return c.close(); }),
      listener.acceptError);
}

} // namespace

Expected<void> loadJob(const JobRequest &request, Job &job) {
  PassOptions &options = job.context.options;
  ModelFacts facts;
  ModelOptions model = request.model;
  model.remarks = &job.context.warnings;
  model.facts = &facts;
  SD_ASSIGN(job.imported, loadModel(request.path, model));
  SD_ASSIGN(const std::optional<Schema> given, readSchema(request));
  auto meaning = describeModel(job.imported, facts, given, options);
  if (!meaning && given) return failAs(meaning.error(), "{}: {}", request.schemaName, meaning.error().message);
  if (!meaning) return tl::unexpected(std::move(meaning).error());
  job.schema = std::move(meaning->schema);
  std::ranges::move(meaning->warnings, std::back_inserter(job.context.warnings));
  if (request.bound > job.imported.ringBits - 2)
    return fail(ErrorKind::Usage, "--bound {}: at most {} in a ring of {} bits", request.bound,
                job.imported.ringBits - 2, job.imported.ringBits);
  if (request.bound) options.boundBits = request.bound;
  if (request.calibration) {
    SD_ASSIGN(job.calibration, request.calibration(job));
    options.calibration = job.calibration;
  }
  return {};
}

Expected<void> lowerJob(const LowerOptions &options, Job &job, const JobListener &listener) {
  const bool whole = options.passes == defaultPipeline() && options.manager.stopAfter.empty();
  Module input = job.imported;
  if (!job.comparesFloats && !job.keepsFloats && job.calibration.empty() && hasManyWeights(input))
    for (Op &op : job.imported.ops)
      if (op.kind == OpKind::Constant) op.attrs.erase(Attr::Value);
  auto module = lower(std::move(input), options, job.context);
  if (whole && module) describeResult(options, *module, job, listener);
  reportErrors(job, module ? &*module : nullptr, listener);
  if (module && job.context.recordsMeasured) listener.say(Said::Text, describeCalibration(job.context));
  const std::string advice = whole && (!module || !isSound(job.context)) ? adviceOn(job, listener) : "";
  if (!module) {
    Error error = module.error();
    if (job.context.vanished && whole)
      error.message += '\n' + adviseOnZeros({job.imported, job.context, job.calibration});
    else if (!advice.empty())
      error.message += '\n' + advice.substr(0, advice.size() - 1); // without its last line end
    return tl::unexpected(std::move(error));
  }
  if (const std::string text = advice.empty() && whole ? adviceOnErrors(job) : advice; !text.empty())
    listener.say(Said::Text, text);
  job.module = *std::move(module);
  return {};
}

Expected<Compiled> generateProgram(Job &job, bool acceptError, const JobListener &listener) {
  if (const auto functions = describeApproximations(job.context.approximations); !functions.empty())
    listener.say(Said::Text, fmt::format("piecewise linear functions in place of smooth ones:\n{}", functions));
  if (const auto refused = adviseOnHiding({job.imported, job.context, job.calibration}, job.module); !refused.empty())
    listener.say(Said::Warning, refused);
  SD_TRY(judge(job, acceptError, listener));
  if (const auto line = describePublicTraining(job.module, job.context.options); !line.empty())
    listener.say(Said::Remark, line);
  if (const auto line = describeClearEnd(job.module); !line.empty()) listener.say(Said::Remark, line);
  addFacts(job.schema, job.context, job.module);
  if (job.keepsFloats) return generate(Module(job.module), job.schema);
  job.imported = {};
  return generate(std::move(job.module), std::move(job.schema));
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

} // namespace sd
