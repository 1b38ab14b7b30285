// How far a long task is, on standard error: a bar on a terminal, else a line every 10 s, or every SDC_PROGRESS_SECONDS
// (0: for each step); JSON with --log-format json, nothing with --quiet. A thread tells it, so that a step that takes
// minutes says that time goes on.
#pragma once

#include <memory>

#include "tools/ProgressText.h"

namespace sd {

class Progress {
public:
  // "tune" and "setting". Signals that somebody waits for must have been blocked before (Interruption).
  Progress(std::string task, std::string unit);
  ~Progress(); // clears the bar
  Progress(const Progress &) = delete;
  Progress &operator=(const Progress &) = delete;

  // What follows counts something else, from 0; any of these from any thread.
  void begin(const std::string &unit, std::uint64_t all, double predictedSeconds = 0);
  void step(std::uint64_t done, std::uint64_t all, const std::string &what = "", bool isAbout = false);
  void say(const std::string &what); // is done now

private:
  struct Impl;
  std::unique_ptr<Impl> impl_; // none with --quiet
};

} // namespace sd
