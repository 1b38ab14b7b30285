// The signals that a process has taken, one after another, for a thread that waits for them.
#pragma once

#include <csignal>

#include <initializer_list>
#include <optional>

#include "runtime/net/Socket.h"

namespace sd {

// While it exists. Make it before other threads, which inherit that the signals are not theirs.
class Signals {
public:
  // `ends`: those that ask for the end, but for the ones that this process was started to ignore (nohup, a script's
  // background job). `orders`: others, which are taken in any case.
  static Expected<Signals> take(std::initializer_list<int> ends, std::initializer_list<int> orders = {});
  ~Signals();
  Signals(Signals &&) noexcept;
  Signals(const Signals &) = delete;
  Signals &operator=(const Signals &) = delete;

  // Waits for the next one; 0 if none comes until the deadline, nothing after stop().
  std::optional<int> next(Deadline deadline = Deadline::max()) const;
  void stop() const;

  // Ends the process by this signal, as if nobody had taken it.
  void die(int signal) const;

private:
  Signals(WakeUp over, sigset_t taken);

  sigset_t taken_{}, before_{};
  Socket descriptor_; // empty once it is moved from
  WakeUp over_;
};

} // namespace sd
