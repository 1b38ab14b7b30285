#include "runtime/vm/TensorFile.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

#include "runtime/vm/Csv.h"
#include "runtime/vm/Npy.h"

namespace sd {

namespace {

struct Descriptor {
  int fd;
  ~Descriptor() {
    if (fd >= 0) ::close(fd);
  }
};

Expected<void> writeAll(int fd, std::string_view content, const std::string &path) {
  while (!content.empty()) {
    ssize_t n = ::write(fd, content.data(), content.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return fail("cannot write {}: {}", path, std::strerror(errno));
    content.remove_prefix(static_cast<std::size_t>(n));
  }
  return {};
}

} // namespace

Expected<std::string> readFile(const std::string &path, std::uint64_t limit) {
  Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (file.fd < 0) return fail("cannot open {}: {}", path, std::strerror(errno));
  struct stat status {};
  if (::fstat(file.fd, &status) != 0) return fail("cannot read {}: {}", path, std::strerror(errno));
  if (S_ISDIR(status.st_mode)) return fail("{} is a folder, not a file", path);
  if (S_ISREG(status.st_mode) && static_cast<std::uint64_t>(status.st_size) > limit)
    return fail("{} has {} bytes, more than the {} allowed", path, status.st_size, limit);

  std::string content;
  if (S_ISREG(status.st_mode)) content.reserve(static_cast<std::size_t>(status.st_size));
  for (;;) {
    char block[1 << 16];
    ssize_t n = ::read(file.fd, block, sizeof block);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail("cannot read {}: {}", path, std::strerror(errno));
    if (n == 0) return content;
    content.append(block, static_cast<std::size_t>(n));
    if (content.size() > limit) return fail("{} has more than the {} bytes allowed", path, limit);
  }
}

Expected<void> writeFile(const std::string &path, std::string_view content, unsigned mode) {
  const std::string beside = path + ".part";
  Descriptor file{::open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode)};
  if (file.fd < 0) return fail("cannot write {}: {}", path, std::strerror(errno));
  Expected<void> written = writeAll(file.fd, content, path);
  if (written && std::rename(beside.c_str(), path.c_str()) != 0)
    written = fail("cannot write {}: {}", path, std::strerror(errno));
  if (!written) std::remove(beside.c_str());
  return written;
}

Expected<Tensor<float>> readTensor(const std::string &path) {
  const bool isNpy = path.ends_with(".npy");
  if (!isNpy && !path.ends_with(".csv")) return fail("{} is neither a .npy nor a .csv file", path);
  SD_ASSIGN(const std::string content, readFile(path, kMaxTensorFileBytes));
  Expected<Tensor<float>> tensor = isNpy ? parseNpy(content) : parseCsv(content);
  if (!tensor) return fail("{}: {}", path, tensor.error().message);
  return tensor;
}

} // namespace sd
