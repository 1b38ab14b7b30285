// sdc inspect: what a program does, costs and shows.
#include "ir/bytecode/Inspect.h"
#include "tools/sdc/Common.h"

namespace sd::tool {

namespace {

struct Flags {
  std::string program;
  bool json = false;
};

Expected<void> inspect(const Flags &flags) {
  SD_ASSIGN(const LoadedProgram loaded, readProgramFile(flags.program));
  SD_ASSIGN(const std::string text, flags.json ? inspectJson(loaded) : inspectText(loaded));
  return writeText("-", text);
}

} // namespace

void addInspect(CLI::App &app, Action &action) {
  auto *command = app.add_subcommand("inspect", "what a program does, what it costs, and what is public in it");
  auto flags = std::make_shared<Flags>();
  command->add_option("program", flags->program, "the program")->required()->type_name("M.sdb");
  command->add_flag("--json", flags->json, "as JSON");
  command->callback([flags, &action] { action = [flags] { return inspect(*flags); }; });
}

} // namespace sd::tool
