// What became of each file of a folder that is watched: lines of JSON beside the results, each on the disk before the
// next step, so that no end of the process makes a file's record run twice or be left out.
//
// A file begins with its name, its content's SHA-256 and the name of its results, and ends with what became of it. The
// same name with the same content is the same record; the same content under another name is another one. A line that
// a power cut left without its end is dropped.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <vector>

#include "ir/core/Error.h"
#include "runtime/store/Posix.h"
#include "tools/watch/Stamp.h"

namespace sd {

enum class Outcome { Done, Invalid, Broken };

struct LedgerFile {
  std::string name; // any bytes
  FileStamp stamp;
  std::string content; // hex; empty: it could not be read
  std::string result;  // where results go, relative and without their endings; the ledger's alone

  bool operator==(const LedgerFile &) const = default;
};

class Ledger {
public:
  // Opens or makes it, its owner's alone, and locks it. Errors: another process has it, a line is damaged.
  static Expected<Ledger> open(const std::string &path);

  bool isFinished(const std::string &name, const FileStamp &stamp) const;
  bool isFinished(const std::string &name, const std::string &content) const;
  std::uint64_t finished() const { return finished_; }

  // Begun by a process that died before it wrote what became of them.
  const std::vector<LedgerFile> &begun() const { return begun_; }

  // A name for the results of a file: as one that was begun, or a new one that `isFree`.
  using IsFree = std::function<bool(const std::string &result)>;
  std::string resultFor(const std::string &name, const std::string &content, const IsFree &isFree) const;

  Expected<void> begin(const LedgerFile &file, const std::string &program);
  Expected<void> finish(const LedgerFile &file, Outcome outcome, const std::string &problem);

private:
  Ledger(std::string path, FileHandle file) : path_(std::move(path)), file_(std::move(file)) {}
  Expected<void> load();
  Expected<void> take(std::string_view line, std::uint64_t number);
  Expected<void> append(const std::string &line);
  void note(const LedgerFile &file, bool isEnd);

  std::string path_;
  FileHandle file_;
  std::uint64_t size_ = 0; // bytes
  std::uint64_t finished_ = 0;
  std::map<std::string, std::vector<LedgerFile>> byName_; // finished
  std::vector<LedgerFile> begun_;
  std::set<std::string> results_;
};

} // namespace sd
