#include "runtime/net/Socket.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>
#include <memory>

namespace sd {
namespace {

using AddressList = std::unique_ptr<addrinfo, decltype(&freeaddrinfo)>;

Expected<AddressList> resolve(const Address &address, int flags) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags | AI_NUMERICSERV;
  addrinfo *found = nullptr;
  const int status = getaddrinfo(address.host.c_str(), std::to_string(address.port).c_str(), &hints, &found);
  AddressList list(found, freeaddrinfo);
  if (status != 0)
    return fail(ErrorKind::Network, "the host '{}' is not known here ({})", address.host,
                status == EAI_SYSTEM ? std::strerror(errno) : gai_strerror(status));
  return list;
}

Socket openSocket(const addrinfo &info) {
  return Socket(::socket(info.ai_family, info.ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, info.ai_protocol));
}

void set(const Socket &socket, int level, int option, int value) {
  setsockopt(socket.get(), level, option, &value, sizeof value);
}

// Small messages wait for an answer: they must leave at once. Some waits have no timeout: a peer whose machine has gone
// is noticed by the probes, after two minutes.
void tune(const Socket &socket) {
  set(socket, IPPROTO_TCP, TCP_NODELAY, 1);
  set(socket, SOL_SOCKET, SO_KEEPALIVE, 1);
  set(socket, IPPROTO_TCP, TCP_KEEPIDLE, 60);
  set(socket, IPPROTO_TCP, TCP_KEEPINTVL, 15);
  set(socket, IPPROTO_TCP, TCP_KEEPCNT, 4);
}

Address toAddress(const sockaddr_storage &storage) {
  char text[INET6_ADDRSTRLEN] = "?";
  if (storage.ss_family == AF_INET) {
    const auto &v4 = reinterpret_cast<const sockaddr_in &>(storage);
    inet_ntop(AF_INET, &v4.sin_addr, text, sizeof text);
    return {text, ntohs(v4.sin_port)};
  }
  const auto &v6 = reinterpret_cast<const sockaddr_in6 &>(storage);
  inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof text);
  return {text, ntohs(v6.sin6_port)};
}

// 0, or the errno of why not.
int connectOne(const Socket &socket, const addrinfo &info, Deadline deadline) {
  if (::connect(socket.get(), info.ai_addr, info.ai_addrlen) == 0) return 0;
  if (errno != EINPROGRESS && errno != EINTR) return errno;
  pollfd waiting{socket.get(), POLLOUT, 0};
  if (!pollUntil({&waiting, 1}, deadline)) return ETIMEDOUT;
  int error = 0;
  socklen_t size = sizeof error;
  if (getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &size) != 0) return errno;
  return error;
}

} // namespace

Socket::~Socket() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

bool pollUntil(std::span<pollfd> descriptors, Deadline deadline) {
  while (true) {
    int timeout = -1;
    if (deadline != Deadline::max()) {
      const auto left =
          std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()).count();
      timeout = static_cast<int>(std::clamp<std::int64_t>(left, 0, std::numeric_limits<int>::max()));
    }
    const int ready = ::poll(descriptors.data(), descriptors.size(), timeout);
    if (ready > 0) return true;
    if (ready == 0) return false;
    if (errno != EINTR && errno != EAGAIN) return false;
  }
}

Expected<Socket> listenOn(const Address &address) {
  SD_ASSIGN(const AddressList list, resolve(address, AI_PASSIVE));
  int error = 0;
  for (const addrinfo *info = list.get(); info != nullptr; info = info->ai_next) {
    Socket socket = openSocket(*info);
    const int on = 1;
    if (socket && setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
        ::bind(socket.get(), info->ai_addr, info->ai_addrlen) == 0 && ::listen(socket.get(), SOMAXCONN) == 0)
      return socket;
    error = errno;
  }
  return fail(ErrorKind::Network, "cannot listen on {}: {}{}", toString(address), std::strerror(error),
              error == EADDRINUSE ? "; another program does already, choose another port with --address" : "");
}

std::pair<Socket, Address> acceptFrom(const Socket &listener) {
  sockaddr_storage from{};
  socklen_t size = sizeof from;
  Socket socket(::accept4(listener.get(), reinterpret_cast<sockaddr *>(&from), &size, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (!socket) return {};
  tune(socket);
  return {std::move(socket), toAddress(from)};
}

Expected<Socket> connectTo(const Address &address, Deadline deadline) {
  SD_ASSIGN(const AddressList list, resolve(address, 0));
  int error = 0;
  for (const addrinfo *info = list.get(); info != nullptr; info = info->ai_next) {
    Socket socket = openSocket(*info);
    error = socket ? connectOne(socket, *info, deadline) : errno;
    if (error != 0) continue;
    tune(socket);
    return socket;
  }
  return fail(ErrorKind::Network, "{}", std::strerror(error));
}

Address localAddress(const Socket &socket) {
  sockaddr_storage local{};
  socklen_t size = sizeof local;
  if (getsockname(socket.get(), reinterpret_cast<sockaddr *>(&local), &size) != 0) return {"?", 0};
  return toAddress(local);
}

Expected<WakeUp> WakeUp::make() {
  Socket event(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  if (!event)
    return fail(ErrorKind::Resources, "no descriptor is left: {}; raise the limit (ulimit -n)", std::strerror(errno));
  return WakeUp(std::move(event));
}

void WakeUp::wake() const {
  const std::uint64_t one = 1;
  // It fails only if it is awake already.
  if (::write(event_.get(), &one, sizeof one) < 0) return;
}

void WakeUp::clear() const {
  std::uint64_t count = 0;
  if (::read(event_.get(), &count, sizeof count) < 0) return;
}

Expected<Timer> Timer::make() {
  Socket timer(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC));
  if (!timer)
    return fail(ErrorKind::Resources, "no descriptor is left: {}; raise the limit (ulimit -n)", std::strerror(errno));
  return Timer(std::move(timer));
}

void Timer::start(std::chrono::nanoseconds delay) const {
  itimerspec when{};
  when.it_value.tv_sec = static_cast<time_t>(delay.count() / 1'000'000'000);
  when.it_value.tv_nsec = static_cast<long>(delay.count() % 1'000'000'000);
  timerfd_settime(timer_.get(), 0, &when, nullptr);
}

void Timer::stop() const {
  const itimerspec never{};
  timerfd_settime(timer_.get(), 0, &never, nullptr);
}

void Timer::clear() const {
  std::uint64_t count = 0;
  if (::read(timer_.get(), &count, sizeof count) < 0) return;
}

} // namespace sd
