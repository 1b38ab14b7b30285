#include "tools/RunFiles.h"

#include <filesystem>

#include "ir/bytecode/ProgramIo.h"
#include "runtime/vm/NamedFiles.h"

namespace sd {

namespace {

namespace fs = std::filesystem;

std::vector<std::string> namesOf(const std::vector<Port> &ports) {
  std::vector<std::string> names;
  for (const Port &port : ports)
    names.push_back(port.name);
  return names;
}

// No result replaces what the run reads, nor another result. Pipes and devices may be given more than once.
Expected<void> checkResultFiles(const RunOptions &options, const RunFiles &files) {
  std::vector<std::string> taken{options.program, options.weights};
  for (const auto &[name, paths] : files.inputs)
    taken.insert(taken.end(), paths.begin(), paths.end());
  const auto take = [&](std::string_view flag, const std::string &path) -> Expected<void> {
    std::error_code error; // of files that are not there
    const bool mayRepeat = fs::exists(path, error) && !fs::is_regular_file(path, error);
    for (const std::string &other : taken)
      if (!mayRepeat && (path == other || fs::equivalent(path, other, error)))
        return fail("{} {}: the run reads or writes that file already; choose another name", flag, path);
    taken.push_back(path);
    return {};
  };
  for (const auto &[name, path] : files.outputs)
    SD_TRY(take("--output", path));
  if (!options.stats.empty()) SD_TRY(take("--stats", options.stats));
  if (!options.profile.empty()) SD_TRY(take("--profile", options.profile));
  if (!options.report.path.empty())
    for (const ReportFormat format : options.report.formats)
      SD_TRY(take("--report", options.report.pathOf(format)));
  if (!options.report.audit.empty()) SD_TRY(take("--audit", options.report.audit));
  return {};
}

Expected<RunFiles> readNames(const RunOptions &options, const Program &program) {
  const ProgramIo io = ioOf(program);
  RunFiles files;
  SD_ASSIGN(files.inputs, fileListsByName(options.inputs, {"--input", "input", namesOf(io.inputs)}));
  SD_ASSIGN(files.outputs, filesByName(options.outputs, {"--output", "output", namesOf(io.outputs)}));
  SD_TRY(checkResultFiles(options, files));
  for (const auto &[name, path] : files.outputs)
    if (!path.ends_with(".npy"))
      return fail("--output {}: results are written as .npy; choose a name that ends so, or have them printed, without "
                  "--output",
                  path);
  return files;
}

} // namespace

Expected<RunFiles> filesOf(const RunOptions &options, const Program &program) {
  auto files = readNames(options, program);
  if (!files) files.error().kind = ErrorKind::Usage;
  return files;
}

} // namespace sd
