#include "runtime/service/Audit.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <memory>

#include "ir/bytecode/Digest.h"

namespace sd::service {
namespace {

const std::string kNone(64, '0');

std::string hashOf(const std::string &previous, const std::string &line) {
  const auto bytes = [](const std::string &text) {
    return Bytes(reinterpret_cast<const std::uint8_t *>(text.data()), text.size());
  };
  return toHex(sha256({bytes(previous), bytes(line)}));
}

std::string dump(const Fields &fields) { return fields.dump(-1, ' ', true, Fields::error_handler_t::replace); }

Expected<void> writeAll(int descriptor, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(descriptor, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return failHere("{}", written < 0 ? std::strerror(errno) : "nothing could be written");
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  if (::fdatasync(descriptor) != 0 && errno != EINVAL) return failHere("{}", std::strerror(errno));
  return {};
}

// The line of `fields` after one of hash `last`, which becomes this one's. After an error nothing of it is there.
Expected<void> writeLine(const std::string &path, int descriptor, const Fields &fields, std::string &last) {
  const std::string hash = hashOf(last, dump(fields));
  Fields whole = fields;
  whole["hash"] = hash;
  struct stat before {};
  ::fstat(descriptor, &before);
  if (auto written = writeAll(descriptor, dump(whole) + "\n"); !written) {
    if (::ftruncate(descriptor, before.st_size) != 0) return failHere("the audit log {} is damaged", path);
    return failHere("the audit log {} can't be written: {}", path, written.error().message);
  }
  last = hash;
  return {};
}

// Of the last line, which is not held against those before it.
Expected<std::string> lastHash(const std::string &path, int descriptor) {
  constexpr off_t kLongestLine = 1 << 16;
  struct stat status {};
  if (::fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode))
    return failHere("{}: an audit log is a regular file", path);
  if (status.st_size == 0) return kNone;
  const off_t from = std::max<off_t>(0, status.st_size - kLongestLine);
  std::string tail(static_cast<std::size_t>(status.st_size - from), '\0');
  if (::pread(descriptor, tail.data(), tail.size(), from) != static_cast<ssize_t>(tail.size()))
    return failHere("the audit log {}: {}", path, std::strerror(errno));
  if (tail.back() != '\n')
    return failHere("the audit log {}: its last line is cut short; keep it and begin another", path);
  tail.pop_back();
  const Fields line = Fields::parse(tail.substr(tail.rfind('\n') + 1), nullptr, false);
  if (!line.is_object() || !line.contains("hash") || !line["hash"].is_string())
    return failHere("{}: is no audit log", path);
  return line["hash"].get<std::string>();
}

} // namespace

Expected<AuditSummary> verifyAudit(const std::string &path, const std::function<void(const Fields &)> &each,
                                   const std::function<void(const std::string &)> &eachHash) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return failHere("{}: {}", path, std::strerror(errno));
  AuditSummary summary{0, kNone};
  for (std::string line; std::getline(file, line);) {
    const std::uint64_t number = summary.entries + 1;
    if (file.eof())
      return failHere(
          "{}:{}: the line has no end, the machine may have failed as it was written; move the file away and begin "
          "another",
          path, number);
    Fields fields = Fields::parse(line, nullptr, false);
    if (!fields.is_object() || !fields.contains("hash") || !fields["hash"].is_string())
      return failHere("{}:{}: is no entry of an audit log", path, number);
    const std::string hash = fields["hash"].get<std::string>();
    fields.erase("hash");
    if (hash != hashOf(summary.last, dump(fields)))
      return failHere("{}:{}: was changed, or a line before it was taken out or put in", path, number);
    summary = {number, hash};
    if (each) each(fields);
    if (eachHash) eachHash(hash);
  }
  return summary;
}

Expected<std::unique_ptr<Audit>> Audit::open(const std::string &path, const std::function<void(const Fields &)> &each) {
  const int descriptor = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  if (descriptor < 0) return failHere("the audit log {}: {}", path, std::strerror(errno));
  std::unique_ptr<Audit> audit(new Audit(path, descriptor));
  if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) return failHere("the audit log {}: another process writes it", path);
  SD_ASSIGN(const AuditSummary summary, verifyAudit(path, each));
  audit->last_ = summary.last;
  return audit;
}

Audit::~Audit() { ::close(descriptor_); }

Expected<void> Audit::append(const Fields &fields) {
  const std::lock_guard lock(mutex_);
  return writeLine(path_, descriptor_, fields, last_);
}

Expected<void> appendToAudit(const std::string &path, const Fields &fields) {
  const int descriptor = ::open(path.c_str(), O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  if (descriptor < 0) return failHere("the audit log {}: {}", path, std::strerror(errno));
  const std::unique_ptr<const int, void (*)(const int *)> closed(&descriptor, [](const int *open) { ::close(*open); });
  while (::flock(descriptor, LOCK_EX) != 0)
    if (errno != EINTR) return failHere("the audit log {}: {}", path, std::strerror(errno));
  SD_ASSIGN(std::string last, lastHash(path, descriptor));
  return writeLine(path, descriptor, fields, last);
}

} // namespace sd::service
