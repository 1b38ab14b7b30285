// Looks after audit logs.
#include <CLI/CLI.hpp>

#include "runtime/service/Audit.h"
#include "tools/Console.h"

namespace sd {
namespace {

Expected<void> verify(const std::string &path, const std::string &seen) {
  bool found = seen.empty();
  SD_ASSIGN(const service::AuditSummary summary,
            service::verifyAudit(path, {}, [&](const std::string &hash) { found = found || hash == seen; }));
  if (!found) return failHere("{}: no line has the hash {}: lines were cut off, or it is another log", path, seen);
  writeOut(fmt::format("{} entries, last hash {}\n", summary.entries, summary.last));
  return {};
}

} // namespace
} // namespace sd

int main(int argc, char **argv) {
  sd::prepareStreams();
  CLI::App app{"Verifies the audit log of sd-serve, or of sd-run --audit.", "sd-audit"};
  std::string path, seen;
  app.require_subcommand(1);
  CLI::App *verify = app.add_subcommand("verify", "whether no line was changed, taken out or put in");
  verify->add_option("log", path, "the file")->type_name("AUDIT.log")->required();
  verify->add_option("--seen", seen, "a last hash that was noted earlier: whether the log still goes on from there")
      ->type_name("HASH");
  app.set_version_flag("--version", std::string("sd-audit ") + SD_VERSION);
  if (const auto code = sd::parseArguments(app, argc, argv)) return *code;
  return sd::runTool("sd-audit", [&] { return sd::verify(path, seen); });
}
