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

tl::unexpected<Error> notWritten(const std::string &path, std::string_view what) {
  return fail(ErrorKind::Output, "{}: {}: {}", path, what, std::strerror(errno));
}

Expected<void> writeAll(int fd, Bytes bytes, const std::string &path) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), std::min<std::size_t>(bytes.size(), std::size_t{1} << 30));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return notWritten(path, "can't write");
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
  return {};
}

using Produce = std::function<Expected<void>(const PutBytes &)>;

Expected<void> writeTemporary(int directory, const std::string &name, FileMode mode, const Produce &produce) {
  const mode_t permissions = mode == FileMode::Private ? 0600 : 0666;
  Descriptor file(::openat(directory, name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, permissions));
  if (file.get() < 0) return notWritten(name, "can't create");
  SD_TRY(produce([&](Bytes bytes) { return writeAll(file.get(), bytes, name); }));
  if (::fsync(file.get()) != 0 || !file.close()) return notWritten(name, "can't flush");
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
  if (S_ISDIR(status.st_mode)) return fail(ErrorKind::Output, "{}: it is a folder", path);
  if (mode == FileMode::Private)
    return fail(ErrorKind::Output, "{}: not a regular file; what is private is written to no other", path);
  return true;
}

// A device or a pipe: it can only be written to, for a rename would put a regular file in its place.
Expected<void> writeThrough(const std::string &path, const Produce &produce) {
  Descriptor file(::open(path.c_str(), O_WRONLY | O_NOCTTY | O_CLOEXEC));
  if (file.get() < 0) return notWritten(path, "can't open");
  SD_TRY(produce([&](Bytes bytes) { return writeAll(file.get(), bytes, path); }));
  if (!file.close()) return notWritten(path, "can't flush");
  return {};
}

template <class Content>
Expected<Content> readAs(const std::string &path, std::uint64_t limit) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC)); // or a pipe makes it wait for ever
  if (file.get() < 0) return failed(path, "can't open");
  struct stat status = {};
  if (::fstat(file.get(), &status) != 0) return failed(path, "can't open");
  if (!S_ISREG(status.st_mode)) return fail("{}: not a regular file", path);
  const auto size = static_cast<std::uint64_t>(status.st_size);
  if (size > limit) return fail("{}: {} bytes; at most {} are allowed", path, size, limit);
  Content content;
  content.resize(size);
  for (std::size_t done = 0; done < content.size();) {
    const ssize_t got = ::read(file.get(), content.data() + done, content.size() - done);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return failed(path, "can't read");
    if (got == 0) return fail("{}: it became shorter while it was read", path);
    done += static_cast<std::size_t>(got);
  }
  return content;
}

} // namespace

Expected<std::vector<std::uint8_t>> readFile(const std::string &path, std::uint64_t limit) {
  return readAs<std::vector<std::uint8_t>>(path, limit);
}

Expected<std::string> readText(const std::string &path, std::uint64_t limit) {
  return readAs<std::string>(path, limit);
}

Expected<std::string> readStandardInput(std::uint64_t limit) {
  std::string text;
  while (true) {
    constexpr std::size_t kChunk = std::size_t{64} << 10;
    const std::size_t done = text.size();
    text.resize(done + kChunk);
    const ssize_t got = ::read(STDIN_FILENO, text.data() + done, kChunk);
    if (got < 0 && errno != EINTR) return failed("the standard input", "can't read");
    text.resize(done + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    if (got == 0) return text;
    if (text.size() > limit) return fail("the standard input: at most {} bytes are allowed", limit);
  }
}

Expected<void> checkWritable(const std::string &path, FileMode mode) {
  const std::filesystem::path target(path);
  if (!target.has_filename()) return fail(ErrorKind::Output, "'{}' does not name a file", path);
  if (const auto device = isDevice(path, mode); !device || *device) return device.map([](bool) {});
  const std::string parent = parentOf(target);
  struct stat status = {};
  if (::stat(parent.c_str(), &status) != 0) return notWritten(parent, "can't open the folder");
  if (!S_ISDIR(status.st_mode)) return fail(ErrorKind::Output, "{}: not a folder", parent);
  if (::access(parent.c_str(), W_OK | X_OK) != 0) return notWritten(parent, "can't write into the folder");
  return {};
}

Expected<void> writeFileAtomically(const std::string &path, Bytes bytes, FileMode mode) {
  return writeFileAtomically(path, mode, [bytes](const PutBytes &put) { return put(bytes); });
}

Expected<void> writeFileAtomically(const std::string &path, FileMode mode, const Produce &produce) {
  const std::filesystem::path target(path);
  if (!target.has_filename()) return fail(ErrorKind::Output, "'{}' does not name a file", path);
  SD_ASSIGN(const bool device, isDevice(path, mode));
  if (device) return writeThrough(path, produce);
  const std::string parent = parentOf(target);
  const Descriptor directory(::open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory.get() < 0) return notWritten(parent, "can't open the folder");
  const std::string name = target.filename().string();
  const std::string temporary = fmt::format(".{}.{}.tmp", name, ::getpid());
  ::unlinkat(directory.get(), temporary.c_str(), 0); // of a process that died here under the same number
  auto written = writeTemporary(directory.get(), temporary, mode, produce);
  if (written && ::renameat(directory.get(), temporary.c_str(), directory.get(), name.c_str()) != 0)
    written = notWritten(path, "can't rename a new file to it");
  if (!written) {
    ::unlinkat(directory.get(), temporary.c_str(), 0);
    return written;
  }
  if (::fsync(directory.get()) != 0 && errno != EINVAL) return notWritten(parent, "can't flush the folder");
  return {};
}

} // namespace sd
