// The compiler's command line.
#include <malloc.h>

#include "tools/Console.h"
#include "tools/sdc/Report.h"

// Larger blocks go back to the system when they are freed: else the tensors that a pass drops stay as holes between
// those that it makes.
constexpr int kReturnedBytes = 8 << 20;

int main(int argc, char **argv) {
  sd::prepareStreams();
  mallopt(M_MMAP_THRESHOLD, kReturnedBytes);
  CLI::App app("Compiles ONNX models to secure two-party inference programs.", "sdc");
  app.set_version_flag("--version", "sdc " SD_VERSION);
  app.require_subcommand(0, 1); // none is reported below, so that an unknown one is named
  sd::tool::Action action;
  sd::tool::addCompile(app, action);
  sd::tool::addOpt(app, action);
  sd::tool::addInspect(app, action);
  sd::tool::addCheck(app, action);
  sd::tool::addReport(app, action);
  sd::tool::addEstimate(app, action);
  sd::tool::addTune(app, action);
  sd::tool::addPrepareRecords(app, action);
  for (CLI::App *command : app.get_subcommands([](const CLI::App *) { return true; }))
    sd::addLogFlags(*command, "sdc");
  if (const auto code = sd::parseArguments(app, argc, argv)) return *code;
  if (!action) {
    sd::writeError("A subcommand is required\nRun with --help for more information.\n");
    return static_cast<int>(sd::ErrorKind::Usage);
  }
  if (auto done = action(); !done) {
    const sd::Error &error = done.error();
    sd::writeError(fmt::format("{}{}\n", error.located ? "" : "error: ", error.message));
    return static_cast<int>(error.kind);
  }
  return 0;
}
