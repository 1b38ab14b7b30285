// sdc compile: a model to model.sdb (public) and model.sdw (private weights).
#include "compiler/HidingAdvice.h"
#include "compiler/codegen/Codegen.h"
#include "ir/Printer.h"
#include "tools/Console.h"
#include "tools/sdc/Follow.h"

namespace sd::tool {

namespace {

struct Flags {
  ModelFlags model;
  std::string output, emit;
  bool acceptError = false;
};

std::string weightsPath(const std::string &program) {
  return std::filesystem::path(program).replace_extension(".sdw").string();
}

// Floats against fixed point on the records that the ranges were measured on.
Expected<void> judge(const Job &job, bool acceptError, Progress &progress) {
  if (job.calibration.empty()) return {};
  const bool scores = !job.context.options.revealClass;
  SD_ASSIGN(const Comparison sum, compare(job.imported, job.module, job.calibration,
                                          {.scores = scores,
                                           .thresholds = &job.context.options.thresholds,
                                           .progress = comparing(progress, job.calibration.size())}));
  const std::string text =
      fmt::format("on the {} calibration records: same class {}{}", sum.records, percentOf(sum.same, sum.records),
                  scores ? fmt::format(", largest error {:.3g} of outputs up to {:.4g} ({:.2g} % of an output's range)",
                                       sum.errorMost, sum.outputMost, 100 * sum.rangeError)
                         : "");
  writeError(text + "\n");
  if (sum.close() || acceptError) return {};
  return fail(
      "fixed point is too far from the model: more than 1 % of the classes or 2 % of an output's range differ\n"
      "{}\nor pass --accept-error",
      adviseOnError({job.imported, job.context, job.calibration}, [](const Comparison &c) { return c.close(); }));
}

Expected<void> compile(const Flags &flags) {
  const bool text = flags.emit == "ir" || !flags.model.manager.stopAfter.empty();
  if (!text && flags.output.empty()) return fail(ErrorKind::Usage, "-o is missing: where shall the program go?");
  if (!text && flags.output == "-")
    return fail(ErrorKind::Usage, "-o -: a program is two files; name the first, such as model.sdb");
  std::error_code error;
  if (std::filesystem::equivalent(flags.model.model, flags.output, error))
    return fail(ErrorKind::Usage, "-o {}: that is the model itself; choose another name", flags.output);
  if (!text && std::filesystem::path(flags.output).extension() == ".sdw")
    return fail(ErrorKind::Usage,
                "-o {}: .sdw is the ending of the weights that are written beside the program; choose another, such as "
                ".sdb",
                flags.output);
  Job job;
  job.comparesFloats = false;
  Progress progress("compile", "record");
  ModelFlags model = flags.model;
  follow(progress, model, job);
  SD_TRY(run(model, defaultPipeline(), job));
  progress.begin("record", 0);
  if (text) return writeText(flags.output.empty() ? "-" : flags.output, print(job.module));
  if (const auto functions = describeApproximations(job.context.approximations); !functions.empty())
    writeError(fmt::format("piecewise linear functions in place of smooth ones:\n{}", functions));
  if (const auto refused = adviseOnHiding({job.imported, job.context, job.calibration}, job.module); !refused.empty())
    printWarnings({refused});
  SD_TRY(judge(job, flags.acceptError, progress));
  if (const auto line = describePublicTraining(job.module, job.context.options); !line.empty())
    writeError(fmt::format("note: {}\n", line));
  if (const auto line = describeClearEnd(job.module); !line.empty()) writeError(fmt::format("note: {}\n", line));
  addFacts(job.schema, job.context, job.module);
  job.imported = {}; // the model's floats
  SD_ASSIGN(const Compiled compiled, generate(std::move(job.module), std::move(job.schema)));
  return writeCompiled(compiled, flags.output, weightsPath(flags.output));
}

} // namespace

void addCompile(CLI::App &app, Action &action) {
  auto *command = app.add_subcommand("compile", "compile a model to a program and its private weights");
  auto flags = std::make_shared<Flags>();
  addModelFlags(*command, flags->model);
  command->add_option("-o,--output", flags->output, "the program; the private weights go beside it, as M.sdw")
      ->type_name("M.sdb");
  command->add_option("--emit", flags->emit, "ir: write the lowered module as text instead (it holds the weights)")
      ->check(CLI::IsMember({"ir"}));
  command->add_flag("--accept-error", flags->acceptError,
                    "write the program even if fixed point is far from the model on the calibration records");
  command->callback([flags, &action] { action = [flags] { return compile(*flags); }; });
}

} // namespace sd::tool
