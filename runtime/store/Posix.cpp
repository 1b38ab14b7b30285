#include "runtime/store/Posix.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

namespace sd {

namespace {

constexpr std::size_t kMaxCall = std::size_t{1} << 30; // one call moves no more than some 2 GB

struct CloseFolder {
  void operator()(DIR *folder) const { ::closedir(folder); }
};

Expected<void> checkPrivate(const FileHandle &file, std::string_view name, bool folder) {
  struct stat status = {};
  if (::fstat(file.get(), &status) != 0) return failedCall(name, "can't look at it");
  if (folder ? !S_ISDIR(status.st_mode) : !S_ISREG(status.st_mode))
    return failHere("{}: not a {}", name, folder ? "folder" : "regular file");
  if (status.st_uid != ::geteuid())
    return failHere("{}: it belongs to another user (number {}); a store is used by its owner alone", name,
                    status.st_uid);
  if ((status.st_mode & 077) != 0)
    return failHere("{}: others may read or change it (mode {:04o}); make a new store: its secrets may be known", name,
                    status.st_mode & 07777);
  return {};
}

} // namespace

FileHandle::~FileHandle() {
  if (fd_ >= 0) ::close(fd_);
}

tl::unexpected<Error> failedCall(std::string_view name, std::string_view what) {
  return failHere("{}: {}: {}", name, what, std::strerror(errno));
}

Expected<void> writeAt(const FileHandle &file, std::uint64_t offset, std::span<const std::uint8_t> bytes,
                       std::string_view name) {
  while (!bytes.empty()) {
    const ssize_t done =
        ::pwrite(file.get(), bytes.data(), std::min(bytes.size(), kMaxCall), static_cast<off_t>(offset));
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) return failedCall(name, "can't write");
    bytes = bytes.subspan(static_cast<std::size_t>(done)), offset += static_cast<std::uint64_t>(done);
  }
  return {};
}

Expected<void> readAt(const FileHandle &file, std::uint64_t offset, std::span<std::uint8_t> bytes,
                      std::string_view name) {
  while (!bytes.empty()) {
    const ssize_t done =
        ::pread(file.get(), bytes.data(), std::min(bytes.size(), kMaxCall), static_cast<off_t>(offset));
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) return failedCall(name, "can't read");
    if (done == 0) return failHere("{}: it ends too early", name);
    bytes = bytes.subspan(static_cast<std::size_t>(done)), offset += static_cast<std::uint64_t>(done);
  }
  return {};
}

Expected<void> flush(const FileHandle &file, std::string_view name) {
  if (::fsync(file.get()) != 0) return failedCall(name, "can't flush it to the disk");
  return {};
}

bool tryLock(const FileHandle &file, LockKind kind) {
  const int operation = (kind == LockKind::Shared ? LOCK_SH : LOCK_EX) | LOCK_NB;
  int result;
  do
    result = ::flock(file.get(), operation);
  while (result != 0 && errno == EINTR);
  return result == 0;
}

bool isLinked(const FileHandle &file) {
  struct stat status = {};
  return ::fstat(file.get(), &status) == 0 && status.st_nlink > 0;
}

Expected<void> checkPrivateFile(const FileHandle &file, std::string_view name) {
  return checkPrivate(file, name, false);
}
Expected<void> checkPrivateFolder(const FileHandle &folder, std::string_view name) {
  return checkPrivate(folder, name, true);
}

Expected<std::uint64_t> fileSize(const FileHandle &file, std::string_view name) {
  struct stat status = {};
  if (::fstat(file.get(), &status) != 0) return failedCall(name, "can't look at it");
  return static_cast<std::uint64_t>(status.st_size);
}

Expected<std::vector<std::string>> namesIn(const FileHandle &folder, std::string_view name) {
  // A descriptor of its own: closedir() closes it, and positions are not shared between threads.
  const int fd = ::openat(folder.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return failedCall(name, "can't open the folder");
  const std::unique_ptr<DIR, CloseFolder> listing(::fdopendir(fd));
  if (!listing) {
    ::close(fd);
    return failedCall(name, "can't list the folder");
  }
  std::vector<std::string> names;
  errno = 0;
  while (const dirent *entry = ::readdir(listing.get())) {
    const std::string_view found = entry->d_name;
    if (found != "." && found != "..") names.emplace_back(found);
    errno = 0;
  }
  if (errno != 0) return failedCall(name, "can't list the folder");
  return names;
}

} // namespace sd
