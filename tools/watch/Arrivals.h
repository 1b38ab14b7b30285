// Files that arrive in a folder and the folders in it, each when it is complete: closed after it was written, moved in,
// or unchanged between two scans. Hidden files, DICOMDIR and names that end in .tmp, .part or ~ are not looked at.
#pragma once

#include <deque>
#include <map>
#include <set>

#include "ir/core/Error.h"
#include "runtime/store/Posix.h"
#include "tools/watch/Stamp.h"

namespace sd {

struct Arrival {
  std::string name; // relative to the folder
  FileStamp stamp;
};

class Arrivals {
public:
  // Error: no such folder. Where the system has no watch left, scans alone find files: `isTold()` says so.
  static Expected<Arrivals> open(std::string folder);

  bool isTold() const { return static_cast<bool>(events_); }
  int descriptor() const { return events_.get(); } // readable when there is something for takeEvents(); -1: never

  // Takes what the system has told, without waiting. True if some of it was lost: a scan will find what it was about.
  bool takeEvents();

  // Finds what events did not tell: files that were there before, of other machines, in new folders. A file that no
  // event said to be complete needs two scans. Files of one scan come in the order of their last change.
  Expected<void> scan();

  // The next complete file, in order of arrival; each state of a file is given once.
  std::optional<Arrival> next();

  // It was changed after all: it comes again when it is complete.
  void putBack(const std::string &name);

private:
  explicit Arrivals(std::string folder) : folder_(std::move(folder)) {}
  void watchFolder(const std::string &name);
  void take(const std::string &name);
  void onEvent(std::uint32_t mask, int watch, const std::string &name);
  Expected<std::map<std::string, FileStamp>> filesNow();
  std::string pathOf(const std::string &name) const;

  std::string folder_;
  FileHandle events_;
  std::map<int, std::string> watched_;     // folders by inotify's number, relative
  std::set<std::string> writing_;          // somebody has them open and writes
  std::map<std::string, FileStamp> seen_;  // by the last scan, and not given
  std::map<std::string, FileStamp> given_; // to be given, or given
  std::deque<std::string> queue_;
  std::set<std::string> queued_; // what is in it
};

} // namespace sd
