// A TCP relay to a server's socket, which can stop forwarding without closing anything.
#pragma once

#include <atomic>
#include <string>
#include <thread>
#include <vector>

namespace sd::test {

class PostgresRelay {
public:
  explicit PostgresRelay(std::string socket); // its path
  ~PostgresRelay();

  // A PostgresServer's URL, by way of the relay.
  std::string url(std::string direct) const;
  int accepted() const { return accepted_; } // connections so far

  void stall() { stalled_ = true; } // connections are taken, bytes are neither read nor written
  void goOn() { stalled_ = false; }

private:
  void acceptAll();
  void forward(int client);

  std::string socket_;
  int listener_ = -1, port_ = 0;
  std::atomic<bool> stalled_ = false, ended_ = false;
  std::atomic<int> accepted_ = 0;
  std::vector<std::jthread> links_; // of the accepting thread, until that has ended
  std::jthread accepting_;
};

} // namespace sd::test
