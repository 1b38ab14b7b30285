// sdc opt: passes by name, text to text.
#include "ir/Dot.h"
#include "ir/Printer.h"
#include "tools/sdc/Common.h"

namespace sd::tool {

namespace {

struct Flags {
  ModelFlags model;
  std::string passes, output = "-", emit = "ir";
  bool list = false, ranges = false;
};

std::string rangeReport(const PassContext &context) {
  constexpr std::string_view kNames[] = {"proved", "measured", "unknown"};
  std::string text;
  for (auto &fact : context.ranges)
    text += fmt::format("; {}: limit {:.0f}, proved {:.0f}, {}\n", fact.where, fact.limit, fact.proved,
                        kNames[static_cast<int>(fact.basis)]);
  return text;
}

Expected<void> opt(const Flags &flags) {
  if (flags.list) {
    std::string text;
    for (auto &pass : allPasses())
      text += fmt::format("{:<20} {}\n", pass.name, pass.summary);
    return writeText("-", text);
  }
  if (flags.model.model.empty()) return fail(ErrorKind::Usage, "opt needs a model");
  SD_ASSIGN(const auto passes, asUsage(parsePasses(flags.passes)));
  Job job;
  SD_TRY(run(flags.model, passes, job));
  if (flags.emit == "dot") return writeText(flags.output, dot(job.module));
  return writeText(flags.output, print(job.module) + (flags.ranges ? rangeReport(job.context) : ""));
}

} // namespace

void addOpt(CLI::App &app, Action &action) {
  auto *command = app.add_subcommand("opt", "run passes on a module and print the result");
  auto flags = std::make_shared<Flags>();
  command->add_option("model", flags->model.model, "the module: .sdir, .onnx or .onnxtext");
  command->add_option("--passes", flags->passes, "passes to run, in order; none if left out")->type_name("a,b,c");
  command->add_flag("--list", flags->list, "print the passes");
  command->add_option("--emit", flags->emit, "ir: the module's text; dot: its graph, for Graphviz")
      ->check(CLI::IsMember({"ir", "dot"}))
      ->capture_default_str();
  command->add_flag("--print-ranges", flags->ranges, "after the module, what analyse-ranges found");
  command->add_option("-o,--output", flags->output, "where the module goes")->type_name("FILE")->capture_default_str();
  addShapeFlags(*command, flags->model);
  addPassFlags(*command, flags->model);
  command->callback([flags, &action] { action = [flags] { return opt(*flags); }; });
}

} // namespace sd::tool
