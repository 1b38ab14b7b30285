#include "runtime/service/Audit.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>

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

} // namespace

Expected<AuditSummary> verifyAudit(const std::string &path, const std::function<void(const Fields &)> &each,
                                   const std::function<void(const std::string &)> &eachHash) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return failHere("{}: {}", path, std::strerror(errno));
  AuditSummary summary{0, kNone};
  for (std::string line; std::getline(file, line);) {
    const std::uint64_t number = summary.entries + 1;
    if (file.eof())
      return failHere("{}:{}: the line has no end; the machine may have failed as it was written", path, number);
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
  const std::string hash = hashOf(last_, dump(fields));
  Fields whole = fields;
  whole["hash"] = hash;
  struct stat before {};
  ::fstat(descriptor_, &before);
  if (auto written = writeAll(descriptor_, dump(whole) + "\n"); !written) {
    // A part of a line must not stay.
    if (::ftruncate(descriptor_, before.st_size) != 0) return failHere("the audit log {} is damaged", path_);
    return failHere("the audit log {} can't be written: {}", path_, written.error().message);
  }
  last_ = hash;
  return {};
}

} // namespace sd::service
