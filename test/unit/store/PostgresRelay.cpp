#include "test/unit/store/PostgresRelay.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <stdexcept>

namespace sd::test {

namespace {

constexpr int kTick = 10; // ms, after which changes are looked for

// One read and all of it written; false at the end.
bool pass(int from, int to) {
  char buffer[65536];
  const ssize_t count = ::recv(from, buffer, sizeof buffer, 0);
  for (ssize_t at = 0; at < count;) {
    const ssize_t sent = ::send(to, buffer + at, static_cast<std::size_t>(count - at), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    at += sent;
  }
  return count > 0;
}

} // namespace

PostgresRelay::PostgresRelay(std::string socket) : socket_(std::move(socket)) {
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  if (::bind(listener_, reinterpret_cast<sockaddr *>(&address), length) != 0 || ::listen(listener_, 32) != 0 ||
      ::getsockname(listener_, reinterpret_cast<sockaddr *>(&address), &length) != 0)
    throw std::runtime_error("no port for the relay");
  port_ = ntohs(address.sin_port);
  accepting_ = std::jthread([this] { acceptAll(); });
}

PostgresRelay::~PostgresRelay() {
  ended_ = true;
  accepting_.join();
  links_.clear();
  ::close(listener_);
}

std::string PostgresRelay::url(std::string direct) const {
  const std::size_t at = direct.find("host="), end = direct.find('&', at);
  return direct.replace(at, end - at, "host=127.0.0.1&port=" + std::to_string(port_));
}

void PostgresRelay::acceptAll() {
  while (!ended_) {
    pollfd ready{listener_, POLLIN, 0};
    if (::poll(&ready, 1, kTick) <= 0) continue;
    const int client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (client < 0) continue;
    ++accepted_;
    links_.emplace_back([this, client] { forward(client); });
  }
}

void PostgresRelay::forward(int client) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  socket_.copy(address.sun_path, sizeof address.sun_path - 1);
  const int server = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  bool open = ::connect(server, reinterpret_cast<const sockaddr *>(&address), sizeof address) == 0;
  while (open && !ended_) {
    if (stalled_) {
      std::this_thread::sleep_for(std::chrono::milliseconds(kTick));
      continue;
    }
    pollfd ready[] = {{client, POLLIN, 0}, {server, POLLIN, 0}};
    if (::poll(ready, 2, kTick) <= 0 || stalled_) continue;
    if (ready[0].revents != 0) open = pass(client, server);
    if (open && ready[1].revents != 0) open = pass(server, client);
  }
  ::close(client);
  ::close(server);
}

} // namespace sd::test
