#include <poll.h>

#include <algorithm>
#include <deque>
#include <thread>
#include <vector>

#include "runtime/net/Connect.h"
#include "runtime/net/Handshake.h"
#include "runtime/net/SocketConnection.h"
#include "runtime/net/Tcp.h"

namespace sd {
namespace {

using Clock = std::chrono::steady_clock;

// Beyond this the oldest unfinished handshake gives way to a new one.
constexpr std::size_t kMostPending = 64;

struct Pending {
  Handshake handshake;
  std::string name;
  Clock::time_point deadline;
  IoWait wait = IoWait::None; // None: done, or not begun
  bool done = false;
};

} // namespace

struct Listener::Impl {
  EndpointOptions options;
  std::optional<TlsContext> tls;
  Socket socket;
  WakeUp stopped;
  std::deque<Pending> pending; // oldest first
  std::size_t refused = 0;
  std::string lastRefused;

  void refuse(const Pending &who, std::string_view why) {
    ++refused;
    lastRefused = fmt::format("{} {}", who.name, why);
    if (options.onRefused) options.onRefused(lastRefused);
  }

  void admit() {
    auto [peer, from] = acceptFrom(socket);
    if (!peer) { // it has gone again, or no descriptor is left: then don't spin
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
      return;
    }
    std::unique_ptr<ByteStream> stream = tls ? tls->server(std::move(peer)) : makeTcpStream(std::move(peer));
    if (!stream) return;
    if (pending.size() == kMostPending) {
      refuse(pending.front(), "was too slow with its greeting while others waited");
      pending.pop_front();
    }
    pending.push_back({Handshake(std::move(stream)), toString(from), Clock::now() + options.handshakeTimeout});
  }

  // Advances every handshake; the first that is done leaves the list.
  std::optional<Pending> advance() {
    for (auto it = pending.begin(); it != pending.end();) {
      const Expected<IoWait> wait = it->handshake.step();
      if (wait && *wait == IoWait::None) {
        Pending ready = std::move(*it);
        pending.erase(it);
        return ready;
      }
      if (wait && Clock::now() < it->deadline) {
        it->wait = *wait;
        ++it;
        continue;
      }
      refuse(*it, wait ? std::string_view("did not finish its greeting in time") : wait.error().message);
      it = pending.erase(it);
    }
    return std::nullopt;
  }

  // Waits for a new connection, for a step of a handshake, or for stop(); false at the deadline.
  bool waitUntil(Deadline deadline) {
    std::vector<pollfd> descriptors = {{stopped.descriptor(), POLLIN, 0}, {socket.get(), POLLIN, 0}};
    Deadline soonest = deadline;
    for (const Pending &one : pending) {
      soonest = std::min(soonest, one.deadline);
      const short events = one.wait == IoWait::Write ? POLLOUT : POLLIN;
      descriptors.push_back({one.handshake.descriptor(), events, 0});
    }
    const bool ready = pollUntil(descriptors, soonest);
    if (ready && descriptors[1].revents != 0) admit();
    return ready || soonest < deadline;
  }

  bool stopRequested() const {
    pollfd waiting{stopped.descriptor(), POLLIN, 0};
    return pollUntil({&waiting, 1}, Clock::now());
  }
};

Listener::Listener(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Listener::Listener(Listener &&) noexcept = default;
Listener &Listener::operator=(Listener &&) noexcept = default;
Listener::~Listener() = default;

Address Listener::address() const { return localAddress(impl_->socket); }

void Listener::stop() { impl_->stopped.wake(); }

Expected<std::unique_ptr<Connection>> Listener::accept() {
  Impl &impl = *impl_;
  const std::chrono::milliseconds patience = impl.options.waitForPeer;
  const Deadline deadline = patience.count() == 0 ? Deadline::max() : Clock::now() + patience;
  while (true) {
    if (impl.stopRequested()) return fail("the listener on {} was stopped", toString(address()));
    if (std::optional<Pending> ready = impl.advance()) {
      auto made = makeSocketConnection(ready->handshake.release(), ready->name, impl.options.connection);
      if (made) return made;
      impl.refuse(*ready, made.error().message); // no descriptor left, say: no reason to end the service
      continue;
    }
    if (impl.waitUntil(deadline)) continue;
    const std::string refused =
        impl.refused == 0 ? ""
                          : fmt::format("; {} turned away, the last one because {}", impl.refused, impl.lastRefused);
    return fail("no peer came to {} within {} s{}", toString(address()), static_cast<double>(patience.count()) / 1000,
                refused);
  }
}

Expected<Listener> listen(const EndpointOptions &options) {
  std::optional<TlsContext> tls;
  if (options.tls) {
    SD_ASSIGN(tls, TlsContext::load(*options.tls));
  } else {
    SD_TRY(checkPlaintextAllowed(options.address, options.allowPlaintext));
  }
  SD_ASSIGN(Socket socket, listenOn(options.address));
  SD_ASSIGN(WakeUp stopped, WakeUp::make());
  return Listener(std::unique_ptr<Listener::Impl>(
      new Listener::Impl{options, std::move(tls), std::move(socket), std::move(stopped), {}, 0, ""}));
}

} // namespace sd
