// Who asked for what, and what became of it, at a service or at a hospital: a file of JSON lines that only grows. Each
// line holds the SHA-256 of itself and of the one before it, so that a line that was changed, left out or put in is
// noticed.
#pragma once

#include <mutex>
#include <string>

#include "ir/core/Error.h"
#include "runtime/service/EventLog.h"

namespace sd::service {

struct AuditSummary {
  std::uint64_t entries = 0;
  std::string last; // the last line's hash; of none: 64 zeros. Kept elsewhere, it shows that no lines were cut off.
};

// Errors name the first line that is not as it was written. `each` is told of every line in order, and `hash` of its
// hash.
Expected<AuditSummary> verifyAudit(const std::string &path, const std::function<void(const Fields &)> &each = {},
                                   const std::function<void(const std::string &)> &hash = {});

class Audit {
public:
  // Makes the file (its owner's alone) if there is none; verifies it if there is. One process at a time.
  static Expected<std::unique_ptr<Audit>> open(const std::string &path,
                                               const std::function<void(const Fields &)> &each = {});
  ~Audit();
  Audit(const Audit &) = delete;
  Audit &operator=(const Audit &) = delete;

  // On the disk when it returns. After an error the line is not there, and the next one may be tried.
  Expected<void> append(const Fields &fields);

private:
  Audit(std::string path, int descriptor) : path_(std::move(path)), descriptor_(descriptor) {}
  const std::string path_;
  const int descriptor_;
  std::mutex mutex_; // guards:
  std::string last_;
};

// One line, of a log that several processes may write: waits for the others and goes on after the last line, whose hash
// it takes as it is. The file is its owner's alone. Errors: as above, or the last line is cut short.
Expected<void> appendToAudit(const std::string &path, const Fields &fields);

} // namespace sd::service
