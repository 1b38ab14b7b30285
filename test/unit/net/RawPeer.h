// The other end of a TCP connection, without this project's manners.
#pragma once

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <span>
#include <string_view>
#include <vector>

#include "runtime/net/Socket.h"

namespace sd::test {

class RawPeer {
public:
  explicit RawPeer(Socket socket) : socket_(std::move(socket)) {}
  static RawPeer to(const Address &address) { return RawPeer(*connectTo(address, Deadline::max())); }
  // The next connection to `listener`, for which it waits.
  static RawPeer from(const Socket &listener) {
    pollfd waiting{listener.get(), POLLIN, 0};
    pollUntil({&waiting, 1}, Deadline::max());
    return RawPeer(acceptFrom(listener).first);
  }

  void send(std::span<const std::uint8_t> bytes) const {
    ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
  }
  void send(std::string_view text) const { ::send(socket_.get(), text.data(), text.size(), MSG_NOSIGNAL); }

  // As much as the other side takes, until it hangs up.
  void sendAll(std::span<const std::uint8_t> bytes) const {
    while (!bytes.empty()) {
      pollfd writable{socket_.get(), POLLOUT, 0};
      pollUntil({&writable, 1}, Deadline::max());
      const ssize_t count = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (count <= 0) return;
      bytes = bytes.subspan(static_cast<std::size_t>(count));
    }
  }

  // Until `size` bytes have come, or the other side has hung up or is silent for ten seconds.
  std::vector<std::uint8_t> read(std::size_t size) const {
    std::vector<std::uint8_t> bytes(size);
    std::size_t got = 0;
    while (got < size) {
      pollfd waiting{socket_.get(), POLLIN, 0};
      if (!pollUntil({&waiting, 1}, std::chrono::steady_clock::now() + std::chrono::seconds(10))) break;
      const ssize_t count = ::recv(socket_.get(), bytes.data() + got, size - got, 0);
      if (count <= 0) break;
      got += static_cast<std::size_t>(count);
    }
    bytes.resize(got);
    return bytes;
  }

  // What comes within the time.
  std::vector<std::uint8_t> readSome(std::chrono::milliseconds time) const {
    std::vector<std::uint8_t> bytes(65536);
    pollfd waiting{socket_.get(), POLLIN, 0};
    ssize_t count = 0;
    if (pollUntil({&waiting, 1}, std::chrono::steady_clock::now() + time))
      count = ::recv(socket_.get(), bytes.data(), bytes.size(), 0);
    bytes.resize(static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
    return bytes;
  }

private:
  Socket socket_;
};

} // namespace sd::test
