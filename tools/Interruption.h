// Signals that ask for the end of a run, where there is something to bring home first.
#pragma once

#include <csignal>

#include <functional>
#include <memory>

#include "ir/core/Error.h"

namespace sd {

// While it exists, SIGINT, SIGTERM and SIGHUP are taken by a thread of its own. Make it before other threads, which
// inherit that the signals are not theirs.
class Interruption {
public:
  static Expected<std::unique_ptr<Interruption>> make();
  ~Interruption();
  Interruption(const Interruption &) = delete;
  Interruption &operator=(const Interruption &) = delete;

  // While a scope exists, the first signal calls `stop`, in another thread. Without one, and from the second signal on,
  // a signal ends the process at once.
  class Scope {
  public:
    Scope(Interruption &interruption, std::function<void()> stop);
    ~Scope();
    Scope(const Scope &) = delete;
    Scope &operator=(const Scope &) = delete;

  private:
    Interruption &interruption_;
  };

  int signal() const; // the first one that came during a Scope, or 0

private:
  struct Impl;
  explicit Interruption(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

} // namespace sd
