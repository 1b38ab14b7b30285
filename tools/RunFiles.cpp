#include "tools/RunFiles.h"

#include <filesystem>

#include "ir/bytecode/ProgramIo.h"

namespace sd {

namespace {

namespace fs = std::filesystem;

using NamedFile = std::pair<std::string, std::string>; // the name may be empty

// Either the program's inputs or its outputs.
struct Ports {
  std::string_view what; // "input": the flag's name too
  const std::vector<Port> &ports;

  std::string names() const {
    std::vector<std::string> quoted;
    for (const Port &port : ports)
      quoted.push_back(fmt::format("'{}'", port.name));
    return fmt::format("{}", fmt::join(quoted, ", "));
  }
};

// All that "NAME=FILE" or "FILE" may mean, at least one.
std::vector<NamedFile> readings(const std::string &text, const Ports &to) {
  std::vector<NamedFile> found;
  for (const Port &port : to.ports)
    if (text.starts_with(port.name + "=")) found.emplace_back(port.name, text.substr(port.name.size() + 1));
  std::error_code error;
  if (found.empty() || fs::exists(text, error)) found.emplace_back("", text);
  return found;
}

// Whether a '=' in the text is surely a path's own, and no sign of a name that the program does not have.
bool isPlainlyPath(const std::string &text) {
  std::error_code error;
  const fs::path path(text);
  return text.find('=') == std::string::npos || fs::exists(path, error) ||
         (path.has_parent_path() && fs::exists(path.parent_path(), error));
}

Expected<NamedFile> read(const std::string &text, const Ports &to) {
  const std::vector<NamedFile> found = readings(text, to);
  if (found.size() > 1)
    return fail("--{} {}: it is not plain where the name of the {} ends; write NAME=./FILE, or ./FILE without a name",
                to.what, text, to.what);
  auto [name, path] = found[0];
  if (path.empty()) return fail("--{} '{}' names no file", to.what, text);
  if (!name.empty()) return found[0];
  if (!isPlainlyPath(text))
    return fail("--{0} {1}: the program has no {0} of that name, only {2}; for a file of that name write ./{1}",
                to.what, text, to.names());
  if (to.ports.size() != 1)
    return fail("--{0} {1}: the program has {2} {0}s; name each: {3}", to.what, text, to.ports.size(), to.names());
  return NamedFile(to.ports[0].name, path);
}

Expected<std::map<std::string, std::string>> readAll(const std::vector<std::string> &texts, const Ports &to) {
  std::map<std::string, std::string> files;
  for (const std::string &text : texts) {
    SD_ASSIGN(NamedFile file, read(text, to));
    const std::string name = file.first;
    if (!files.insert(std::move(file)).second) return fail("--{} {}: '{}' is given twice", to.what, text, name);
  }
  return files;
}

// No result replaces what the run reads, nor another result. Pipes and devices may be given more than once.
Expected<void> checkResultFiles(const RunOptions &options, const RunFiles &files) {
  std::vector<std::string> taken{options.program, options.weights};
  for (const auto &[name, path] : files.inputs)
    taken.push_back(path);
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
  return {};
}

} // namespace

Expected<RunFiles> filesOf(const RunOptions &options, const Program &program) {
  const ProgramIo io = ioOf(program);
  RunFiles files;
  SD_ASSIGN(files.inputs, readAll(options.inputs, {"input", io.inputs}));
  SD_ASSIGN(files.outputs, readAll(options.outputs, {"output", io.outputs}));
  SD_TRY(checkResultFiles(options, files));
  for (const auto &[name, path] : files.outputs)
    if (!path.ends_with(".npy"))
      return fail("--output {}: results are written as .npy; choose a name that ends so, or have them printed, without "
                  "--output",
                  path);
  return files;
}

} // namespace sd
