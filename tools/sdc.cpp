// The compiler's command line.
#include <cstdio>

#include "tools/sdc/Common.h"

int main(int argc, char **argv) {
  CLI::App app("Compiles ONNX models to secure two-party inference programs.", "sdc");
  app.set_version_flag("--version", "sdc " SD_VERSION);
  app.require_subcommand(0, 1); // none is reported below, so that an unknown one is named
  sd::tool::Action action;
  sd::tool::addCompile(app, action);
  sd::tool::addOpt(app, action);
  sd::tool::addInspect(app, action);
  sd::tool::addCheck(app, action);
  sd::tool::addEstimate(app, action);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError &error) {
    return app.exit(error) == 0 ? 0 : 1;
  }
  if (!action) {
    fmt::print(stderr, "A subcommand is required\nRun with --help for more information.\n");
    return 1;
  }
  if (auto done = action(); !done) {
    const std::string &message = done.error().message;
    const bool located = message.find(": error: ") != message.npos; // rendered with their places already
    fmt::print(stderr, "{}{}\n", located ? "" : "error: ", message);
    return 1;
  }
  return 0;
}
