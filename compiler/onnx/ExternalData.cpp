#include "compiler/onnx/ExternalData.h"

#include <algorithm>
#include <fstream>

#include "compiler/onnx/Value.h"

namespace fs = std::filesystem;

namespace sd {

Expected<fs::path> ExternalData::resolve(const std::string &location) const {
  const std::string shown = printable(location);
  if (folder_.empty()) return fail("external data '{}' needs a model read from a file", shown);
  const fs::path relative(location);
  if (location.empty() || location.find('\0') != std::string::npos)
    return fail("external data has no usable file name; export the model again");
  if (relative.is_absolute() || std::ranges::find(relative, fs::path("..")) != relative.end())
    return fail("external data '{}' lies outside the model's folder; move it beside the model and refer to it by a "
                "relative path",
                shown);
  std::error_code error;
  const fs::path root = fs::canonical(folder_, error);
  if (error) return fail("cannot open the model's folder '{}': {}", printable(folder_.string()), error.message());
  const fs::path file = fs::canonical(root / relative, error);
  if (error) return fail("external data '{}' cannot be opened: {}; copy it beside the model", shown, error.message());
  const auto [rootEnd, ignored] = std::mismatch(root.begin(), root.end(), file.begin(), file.end());
  if (rootEnd != root.end()) return fail("external data '{}' is a link out of the model's folder", shown);
  if (!fs::is_regular_file(file, error)) return fail("external data '{}' is not a regular file", shown);
  return file;
}

Expected<fs::path> ExternalData::check(const ExternalPart &part, std::uint64_t bytes) const {
  SD_ASSIGN(fs::path file, resolve(part.location));
  const std::string shown = printable(part.location);
  if (part.length != 0 && part.length != bytes)
    return fail("external data '{}' declares {} bytes, its tensor needs {}", shown, part.length, bytes);
  std::error_code error;
  const std::uintmax_t size = fs::file_size(file, error);
  if (error) return fail("external data '{}' cannot be read: {}", shown, error.message());
  if (part.offset > size || bytes > size - part.offset)
    return fail("external data '{}' ends at byte {}, before the tensor's {} bytes at offset {}; is it incomplete?",
                shown, size, bytes, part.offset);
  return file;
}

Expected<void> ExternalData::read(const ExternalPart &part, std::span<std::byte> bytes) const {
  SD_ASSIGN(const fs::path file, check(part, bytes.size()));
  std::ifstream stream(file, std::ios::binary);
  stream.seekg(static_cast<std::streamoff>(part.offset));
  stream.read(reinterpret_cast<char *>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  if (!stream) return fail("external data '{}' cannot be read", printable(part.location));
  return {};
}

} // namespace sd
