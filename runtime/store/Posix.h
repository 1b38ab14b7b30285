// The file operations that the store needs: whole reads and writes at an offset, advisory locks, flushing, and the
// check that a file is private to its owner.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ir/core/Error.h"

namespace sd {

// Closes its descriptor; a lock held through it goes with it.
class FileHandle {
public:
  FileHandle() = default;
  explicit FileHandle(int fd) : fd_(fd) {}
  FileHandle(FileHandle &&other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FileHandle &operator=(FileHandle &&other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~FileHandle();

  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }

private:
  int fd_ = -1;
};

// "name: what: why", why from errno.
tl::unexpected<Error> failedCall(std::string_view name, std::string_view what);

// All of the bytes, at `offset`. Reading past the end is an error.
Expected<void> writeAt(const FileHandle &file, std::uint64_t offset, std::span<const std::uint8_t> bytes,
                       std::string_view name);
Expected<void> readAt(const FileHandle &file, std::uint64_t offset, std::span<std::uint8_t> bytes,
                      std::string_view name);

// Returns once file or folder is on the disk.
Expected<void> flush(const FileHandle &file, std::string_view name);

// An advisory lock on an open file, without waiting; false if somebody else's is in the way.
enum class LockKind { Shared, Exclusive };
bool tryLock(const FileHandle &file, LockKind kind);

// Whether the open file still has a name.
bool isLinked(const FileHandle &file);

// Refuses what another user owns or anybody else could read or write, and what is no regular file (no folder).
Expected<void> checkPrivateFile(const FileHandle &file, std::string_view name);
Expected<void> checkPrivateFolder(const FileHandle &folder, std::string_view name);

Expected<std::uint64_t> fileSize(const FileHandle &file, std::string_view name);
Expected<std::vector<std::string>> namesIn(const FileHandle &folder, std::string_view name); // without "." and ".."

} // namespace sd
