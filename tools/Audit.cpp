#include "tools/Audit.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>

#include "ir/bytecode/Digest.h"

namespace sd {

namespace {

constexpr off_t kLongestLine = 1 << 14;

class AuditFile {
public:
  explicit AuditFile(const std::string &path)
      : path_(path), file_(::open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600)) {}
  ~AuditFile() {
    if (file_ >= 0) ::close(file_);
  }
  AuditFile(const AuditFile &) = delete;
  AuditFile &operator=(const AuditFile &) = delete;

  Expected<void> append(const AuditEntry &entry) {
    if (file_ < 0) return failed("open");
    while (::flock(file_, LOCK_EX) != 0)
      if (errno != EINTR) return failed("lock");
    SD_ASSIGN(const std::string previous, hashOfLastLine());
    const nlohmann::ordered_json json{{"time", entry.time},       {"id", entry.id},       {"program", entry.program},
                                      {"service", entry.service}, {"valid", entry.valid}, {"previous", previous}};
    const std::string line = json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
    const ssize_t written = ::write(file_, line.data(), line.size());
    if (written != static_cast<ssize_t>(line.size())) {
      const int cause = written < 0 ? errno : ENOSPC;
      if (written > 0) static_cast<void>(::ftruncate(file_, end_));
      errno = cause;
      return failed("write");
    }
    if (::fdatasync(file_) != 0 && errno != EINVAL) return failed("flush");
    return {};
  }

private:
  tl::unexpected<Error> failed(std::string_view what) const {
    return fail(ErrorKind::Output, "{}: can't {} the audit file: {}", path_, what, std::strerror(errno));
  }

  // Zeros for the first line.
  Expected<std::string> hashOfLastLine() {
    struct stat status {};
    if (::fstat(file_, &status) != 0) return failed("read");
    if (!S_ISREG(status.st_mode)) return fail(ErrorKind::Output, "{}: an audit file is a regular file", path_);
    end_ = status.st_size;
    if (end_ == 0) return std::string(64, '0');
    const off_t from = std::max<off_t>(0, end_ - kLongestLine);
    std::string tail(static_cast<std::size_t>(end_ - from), '\0');
    if (::pread(file_, tail.data(), tail.size(), from) != static_cast<ssize_t>(tail.size())) return failed("read");
    if (tail.back() != '\n')
      return fail(ErrorKind::Output, "{}: its last line is cut short; keep it and begin another", path_);
    tail.pop_back();
    const std::string line = tail.substr(tail.rfind('\n') + 1);
    return toHex(sha256({{reinterpret_cast<const std::uint8_t *>(line.data()), line.size()}}));
  }

  const std::string &path_;
  int file_;
  off_t end_ = 0;
};

} // namespace

Expected<void> appendToAudit(const std::string &path, const AuditEntry &entry) { return AuditFile(path).append(entry); }

} // namespace sd
