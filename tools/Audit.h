// The hospital's own log of what was asked: a line of JSON for each record, without its values or results. Each line
// holds the SHA-256 of the line before, so that one that was changed, inserted or taken out is seen; the last lines can
// be cut off unseen, unless their hash is kept elsewhere.
#pragma once

#include <string>

#include "ir/core/Error.h"

namespace sd {

struct AuditEntry {
  std::string time, id, program, service; // the program's digest in hex
  bool valid = true;
};

// Appends the entry and flushes it to the disk. Runs that write to one file at the same time wait for each other. The
// file is its owner's alone. Errors: it can't be written, its last line is cut short.
Expected<void> appendToAudit(const std::string &path, const AuditEntry &entry);

} // namespace sd
