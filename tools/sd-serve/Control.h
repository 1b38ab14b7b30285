// What the operator tells a service by signals and files.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "ir/core/Error.h"

namespace sd::service {

struct ControlOptions {
  // SIGTERM or SIGINT, unless the process was started to ignore it; a second one ends the process at once.
  std::function<void()> stop;
  std::function<void()> reload;                    // SIGHUP, or `files` have changed
  std::function<std::vector<std::string>()> files; // asked for every few seconds
};

// While it exists, those signals are taken by a thread of its own, which calls the functions. Make it before other
// threads, which inherit that the signals are not theirs.
class Control {
public:
  static Expected<std::unique_ptr<Control>> start();
  ~Control();
  Control(const Control &) = delete;
  Control &operator=(const Control &) = delete;

  // From now on; a signal that has come already is seen then.
  void obey(ControlOptions options);

  // The functions are not called any more.
  void end();

private:
  struct Impl;
  explicit Control(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

} // namespace sd::service
