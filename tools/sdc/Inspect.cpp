// sdc inspect: what a program does, costs and shows.
#include "ir/bytecode/Inspect.h"
#include "tools/sdc/Common.h"

namespace sd::tool {

namespace {

struct Flags {
  std::string program;
  std::vector<std::string> networks;
  bool json = false;
};

Expected<void> inspect(const Flags &flags) {
  SD_ASSIGN(const LoadedProgram loaded, readProgramFile(flags.program));
  std::vector<NamedNetwork> networks = lanAndWan();
  if (!flags.networks.empty()) networks.clear();
  for (const std::string &name : flags.networks) {
    SD_ASSIGN(const NetworkProfile profile, parseNetwork(name));
    networks.push_back({name.starts_with("rtt=") ? "network" : name, profile});
  }
  SD_ASSIGN(const std::string text, flags.json ? inspectJson(loaded, networks) : inspectText(loaded, networks));
  return writeText("-", text);
}

} // namespace

void addInspect(CLI::App &app, Action &action) {
  auto *command = app.add_subcommand("inspect", "what a program does, what it costs, and what is public in it");
  auto flags = std::make_shared<Flags>();
  command->add_option("program", flags->program, "the program")->required()->type_name("M.sdb");
  command
      ->add_option("--network", flags->networks,
                   "what to predict times for: lan, wan or rtt=MS,bandwidth=MBIT; may be repeated [lan and wan]")
      ->take_all();
  command->add_flag("--json", flags->json, "as JSON");
  command->callback([flags, &action] { action = [flags] { return inspect(*flags); }; });
}

} // namespace sd::tool
