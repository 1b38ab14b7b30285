#include "ir/bytecode/File.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

namespace sd {

namespace {

class Descriptor {
public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor &) = delete;
  Descriptor &operator=(const Descriptor &) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }
  bool close() { return ::close(std::exchange(fd_, -1)) == 0; }

private:
  int fd_;
};

tl::unexpected<Error> failed(const std::string &path, std::string_view what) {
  return fail("{}: {}: {}", path, what, std::strerror(errno));
}

Expected<void> writeAll(int fd, Bytes bytes, const std::string &path) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), std::min<std::size_t>(bytes.size(), std::size_t{1} << 30));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return failed(path, "can't write");
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
  return {};
}

Expected<void> writeTemporary(int directory, const std::string &name, Bytes bytes, FileMode mode) {
  const mode_t permissions = mode == FileMode::Private ? 0600 : 0666;
  Descriptor file(::openat(directory, name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, permissions));
  if (file.get() < 0) return failed(name, "can't create");
  SD_TRY(writeAll(file.get(), bytes, name));
  if (::fsync(file.get()) != 0 || !file.close()) return failed(name, "can't flush");
  return {};
}

std::string parentOf(const std::filesystem::path &path) {
  return path.has_parent_path() ? path.parent_path().string() : ".";
}

// Whether the path stands for something that is neither a regular file nor free; a folder is an error, and so is all
// that is not a regular file where the content is private.
Expected<bool> isDevice(const std::string &path, FileMode mode) {
  struct stat status = {};
  if (::stat(path.c_str(), &status) != 0 || S_ISREG(status.st_mode)) return false;
  if (S_ISDIR(status.st_mode)) return fail("{}: it is a folder", path);
  if (mode == FileMode::Private) return fail("{}: not a regular file; what is private is written to no other", path);
  return true;
}

// A device or a pipe: it can only be written to, for a rename would put a regular file in its place.
Expected<void> writeThrough(const std::string &path, Bytes bytes) {
  Descriptor file(::open(path.c_str(), O_WRONLY | O_NOCTTY | O_CLOEXEC));
  if (file.get() < 0) return failed(path, "can't open");
  SD_TRY(writeAll(file.get(), bytes, path));
  if (!file.close()) return failed(path, "can't flush");
  return {};
}

} // namespace

Expected<std::vector<std::uint8_t>> readFile(const std::string &path, std::uint64_t limit) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC)); // or a pipe makes it wait for ever
  if (file.get() < 0) return failed(path, "can't open");
  struct stat status = {};
  if (::fstat(file.get(), &status) != 0) return failed(path, "can't open");
  if (!S_ISREG(status.st_mode)) return fail("{}: not a regular file", path);
  const auto size = static_cast<std::uint64_t>(status.st_size);
  if (size > limit) return fail("{}: {} bytes; at most {} are allowed", path, size, limit);
  std::vector<std::uint8_t> bytes(size);
  for (std::size_t done = 0; done < bytes.size();) {
    const ssize_t got = ::read(file.get(), bytes.data() + done, bytes.size() - done);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return failed(path, "can't read");
    if (got == 0) return fail("{}: it became shorter while it was read", path);
    done += static_cast<std::size_t>(got);
  }
  return bytes;
}

Expected<void> checkWritable(const std::string &path, FileMode mode) {
  const std::filesystem::path target(path);
  if (!target.has_filename()) return fail("'{}' does not name a file", path);
  if (const auto device = isDevice(path, mode); !device || *device) return device.map([](bool) {});
  const std::string parent = parentOf(target);
  struct stat status = {};
  if (::stat(parent.c_str(), &status) != 0) return failed(parent, "can't open the folder");
  if (!S_ISDIR(status.st_mode)) return fail("{}: not a folder", parent);
  if (::access(parent.c_str(), W_OK | X_OK) != 0) return failed(parent, "can't write into the folder");
  return {};
}

Expected<void> writeFileAtomically(const std::string &path, Bytes bytes, FileMode mode) {
  const std::filesystem::path target(path);
  if (!target.has_filename()) return fail("'{}' does not name a file", path);
  SD_ASSIGN(const bool device, isDevice(path, mode));
  if (device) return writeThrough(path, bytes);
  const std::string parent = parentOf(target);
  const Descriptor directory(::open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory.get() < 0) return failed(parent, "can't open the folder");
  const std::string name = target.filename().string();
  const std::string temporary = fmt::format(".{}.{}.tmp", name, ::getpid());
  ::unlinkat(directory.get(), temporary.c_str(), 0); // of a process that died here under the same number
  auto written = writeTemporary(directory.get(), temporary, bytes, mode);
  if (written && ::renameat(directory.get(), temporary.c_str(), directory.get(), name.c_str()) != 0)
    written = failed(path, "can't rename a new file to it");
  if (!written) {
    ::unlinkat(directory.get(), temporary.c_str(), 0);
    return written;
  }
  if (::fsync(directory.get()) != 0 && errno != EINVAL) return failed(parent, "can't flush the folder");
  return {};
}

} // namespace sd
