// Sockets of the operating system: owned, non-blocking, with deadlines.
#pragma once

#include <chrono>
#include <span>
#include <utility>
#include <vector>

#include "runtime/net/Address.h"

struct pollfd;

namespace sd {

// A file descriptor, closed with its owner.
class Socket {
public:
  Socket() = default;
  explicit Socket(int descriptor) : descriptor_(descriptor) {}
  Socket(Socket &&other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  Socket &operator=(Socket &&other) noexcept {
    Socket old(std::exchange(descriptor_, std::exchange(other.descriptor_, -1)));
    return *this;
  }
  ~Socket();
  int get() const { return descriptor_; }
  explicit operator bool() const { return descriptor_ >= 0; }

private:
  int descriptor_ = -1;
};

using Deadline = std::chrono::steady_clock::time_point;

// poll(2) until the deadline (time_point::max(): none), whatever signals come. True if a descriptor is ready.
bool pollUntil(std::span<pollfd> descriptors, Deadline deadline);

Expected<Socket> listenOn(const Address &address);

// The next waiting connection, with its address; an empty socket if there is none after all.
std::pair<Socket, Address> acceptFrom(const Socket &listener);

// One attempt over all addresses of the host.
Expected<Socket> connectTo(const Address &address, Deadline deadline);

Address localAddress(const Socket &socket);

// Wakes a thread that polls: descriptor() becomes readable by wake(), until clear().
class WakeUp {
public:
  static Expected<WakeUp> make();
  int descriptor() const { return event_.get(); }
  void wake() const; // also from a signal handler
  void clear() const;

private:
  explicit WakeUp(Socket event) : event_(std::move(event)) {}
  Socket event_;
};

// A descriptor that becomes readable some time after start(), until clear(). start() sets it anew.
class Timer {
public:
  static Expected<Timer> make();
  int descriptor() const { return timer_.get(); }
  void start(std::chrono::nanoseconds delay) const;
  void stop() const;
  void clear() const;

private:
  explicit Timer(Socket timer) : timer_(std::move(timer)) {}
  Socket timer_;
};

} // namespace sd
