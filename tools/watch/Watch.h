// A folder's files, each processed once, in order of arrival, until a signal.
#pragma once

#include <chrono>
#include <functional>
#include <vector>

#include "tools/Interruption.h"
#include "tools/watch/Arrivals.h"
#include "tools/watch/Ledger.h"

namespace sd {

struct WatchOptions {
  std::string in, out; // folders
  std::chrono::milliseconds rescan{10'000};
  std::vector<std::string> endings; // of the results of one file, each with its point
  std::string program;              // its digest, for the ledger
};

// What processing one file came to.
struct FileResult {
  enum class Kind {
    Done,    // its results are written
    Invalid, // the same, and some record has no valid result: `error` says which
    Broken,  // the file can't be a record: `error` says why
    Changed, // it was changed while it was read
    Away,    // no service did it: to be tried again
    Stopped, // a signal ended it between two records
    Failed,  // the watch can't go on
  };
  Kind kind = Kind::Done;
  Error error{};
};

// Reads the file at `path`, asks isSame() whether it has read what was announced, and writes a file for each of the
// endings, `result` with the ending, by rename.
using ProcessFile =
    std::function<FileResult(const std::string &path, const std::string &result, const std::function<bool()> &isSame)>;

// Returns after a signal, once the record at work has its result. What ends it otherwise is an error: folders that
// can't be read or written, a ledger that is damaged or in use.
Expected<void> watchFolder(const WatchOptions &options, const ProcessFile &process, Interruption &interruption);

} // namespace sd
