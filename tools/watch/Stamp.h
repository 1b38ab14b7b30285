// What tells one state of a file from another, without reading it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace sd {

struct FileStamp {
  std::uint64_t size = 0, inode = 0;
  std::int64_t modified = 0, changed = 0; // ns; `changed` (ctime) is the system's own, also of files that are moved in
  bool operator==(const FileStamp &) const = default;
};

// None: no regular file, or none any more.
std::optional<FileStamp> stampOf(const std::string &path);

} // namespace sd
