#include "runtime/vm/NamedFiles.h"

#include <algorithm>
#include <filesystem>

namespace sd {

namespace {

namespace fs = std::filesystem;

using NamedFile = std::pair<std::string, std::string>; // the name may be empty

std::string quotedNames(const NamedFileFlag &flag) {
  std::vector<std::string> quoted;
  for (const std::string &name : flag.names)
    quoted.push_back(fmt::format("'{}'", name));
  return fmt::format("{}", fmt::join(quoted, ", "));
}

// All that "NAME=FILE" or "FILE" may mean, at least one.
std::vector<NamedFile> readings(const std::string &text, const NamedFileFlag &flag) {
  std::vector<NamedFile> found;
  for (const std::string &name : flag.names)
    if (text.starts_with(name + "=")) found.emplace_back(name, text.substr(name.size() + 1));
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

Expected<NamedFile> read(const std::string &text, const NamedFileFlag &to) {
  const std::vector<NamedFile> found = readings(text, to);
  if (found.size() > 1)
    return fail("{} {}: it is not plain where the name of the {} ends; write NAME=./FILE, or ./FILE without a name",
                to.flag, text, to.what);
  auto [name, path] = found[0];
  if (path.empty()) return fail("{} '{}' names no file", to.flag, text);
  if (!name.empty()) return found[0];
  if (!isPlainlyPath(text))
    return fail("{0} {1}: the program has no {3} of that name, only {2}; for a file of that name write ./{1}", to.flag,
                text, quotedNames(to), to.what);
  if (to.names.size() != 1)
    return fail("{0} {1}: the program has {2} {4}s; name each: {3}", to.flag, text, to.names.size(), quotedNames(to),
                to.what);
  return NamedFile(to.names[0], path);
}

} // namespace

Expected<std::map<std::string, std::string>> filesByName(const std::vector<std::string> &texts,
                                                         const NamedFileFlag &flag) {
  SD_ASSIGN(const auto lists, fileListsByName(texts, flag));
  std::map<std::string, std::string> files;
  for (const auto &[name, paths] : lists) {
    if (paths.size() > 1) return fail("{} {}: '{}' has a file already", flag.flag, paths[1], name);
    files[name] = paths[0];
  }
  return files;
}

Expected<std::map<std::string, std::vector<std::string>>> fileListsByName(const std::vector<std::string> &texts,
                                                                          const NamedFileFlag &flag) {
  std::map<std::string, std::vector<std::string>> files;
  for (const std::string &text : texts) {
    SD_ASSIGN(NamedFile file, read(text, flag));
    std::vector<std::string> &paths = files[file.first];
    if (std::ranges::find(paths, file.second) != paths.end())
      return fail("{} {}: '{}' is given twice", flag.flag, text, file.first);
    paths.push_back(std::move(file.second));
  }
  std::ptrdiff_t fromStandardInput = 0;
  for (const auto &[name, paths] : files)
    fromStandardInput += std::ranges::count(paths, "-");
  if (fromStandardInput > 1) return fail("{}: only one {} can come from the standard input", flag.flag, flag.what);
  return files;
}

} // namespace sd
