// sdc compile: a model to model.sdb (public) and model.sdw (private weights).
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
  JobListener listener = listenerOf(flags.model);
  listener.comparing = comparing(progress, job.calibration.size());
  SD_ASSIGN(const Compiled compiled, generateProgram(job, flags.acceptError, listener));
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
