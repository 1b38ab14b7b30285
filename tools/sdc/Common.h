// What the subcommands of sdc share: flags, loading and lowering, messages.
#pragma once

#include <CLI/CLI.hpp>

#include <functional>

#include "compiler/Job.h"
#include "compiler/Pipeline.h"
#include "runtime/vm/Csv.h"
#include "runtime/vm/Records.h"

namespace sd::tool {

// What a subcommand does once the command line is parsed; set by the one that was named.
using Action = std::function<Expected<void>()>;

void addCompile(CLI::App &app, Action &action);
void addOpt(CLI::App &app, Action &action);
void addInspect(CLI::App &app, Action &action);
void addCheck(CLI::App &app, Action &action);
void addEstimate(CLI::App &app, Action &action);
void addTune(CLI::App &app, Action &action);
void addPrepareRecords(CLI::App &app, Action &action);

// Flags of everything that compiles a model.
struct ModelFlags {
  std::string model;
  std::int64_t scale = 1024;
  std::int64_t weightScale = 0;                            // 0: not given
  std::int64_t batch = 0;                                  // 0: not given
  int ring = 0, bound = 0;                                 // likewise
  std::vector<std::string> shapes, inputRanges, calibrate; // [NAME=]6x1x3, [NAME=]LO,HI and [NAME=]FILE
  std::string network = "lan", ranges = "warn", reveal = "scores";
  std::int64_t minRecords = 100;
  double approximationError = 0x1p-8;
  bool privateNormalization = false, roundOutputs = false;
  CsvOptions tables;  // how records are read
  std::string schema; // file; none without
  PassManagerOptions manager;
  bool timePasses = false;
  const CLI::App *command = nullptr; // that has these flags
};
void addModelFlags(CLI::App &command, ModelFlags &flags);
void addPassFlags(CLI::App &command, ModelFlags &flags);
void addShapeFlags(CLI::App &command, ModelFlags &flags);

// An error of what a flag says.
template <class T>
Expected<T> asUsage(Expected<T> result) {
  if (!result) result.error().kind = ErrorKind::Usage;
  return result;
}

// Reads the flags, the model and the calibration records.
Expected<void> load(const ModelFlags &flags, Job &job);

// load(), and runs the passes. Warnings go to stderr, and with them what other settings would give.
Expected<void> run(const ModelFlags &flags, const std::vector<const Pass *> &passes, Job &job);

// Tells people on stderr, and speaks of this command line.
JobListener listenerOf(const ModelFlags &flags);

// The records that a flag's [NAME=]FILEs hold, as sd-run reads, splits and checks them: one map for each run of the
// imported module.
Expected<std::vector<NamedTensors>> readRecords(const Job &job, const std::string &flag,
                                                const std::vector<std::string> &texts, const CsvOptions &tables);

// One class for each record, or where the first output is several findings a 0 or 1 for each of them.
Expected<Tensor<float>> readLabels(const std::string &path, const CsvOptions &tables, const Job &job,
                                   std::size_t records);

// --data and --labels of what runs a model on records.
void addRecordFlags(CLI::App &command, std::vector<std::string> &data, std::string &labels);

// An option that is given once for each input.
CLI::Option *addPerInput(CLI::App &command, const std::string &name, std::vector<std::string> &values,
                         const std::string &help);

// As readTensor(); what there is to note goes to stderr.
Expected<Tensor<float>> readNumbers(const std::string &path, const CsvOptions &tables);

Expected<void> writeText(const std::string &path, const std::string &text); // "-": standard output

} // namespace sd::tool
