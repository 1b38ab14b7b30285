#include <poll.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "ir/core/Guard.h"
#include "runtime/crypto/Random.h"
#include "runtime/net/Connect.h"
#include "runtime/net/Crowd.h"
#include "runtime/net/Frame.h"
#include "runtime/net/Handshake.h"
#include "runtime/net/ProxyHeader.h"
#include "runtime/net/SocketConnection.h"
#include "runtime/net/Tcp.h"

namespace sd {
namespace {

using Clock = std::chrono::steady_clock;

// Beyond this one that is not in line gives way (Crowd.h).
constexpr std::size_t kMostPending = 256;

// Beyond this none is admitted.
constexpr std::size_t kLongestLine = 256;

// After a failure that will be there again at once: don't spin.
constexpr std::chrono::milliseconds kPause{10};

struct Pending {
  Handshake handshake;
  std::string name, origin; // Crowd.h
  Clock::time_point deadline;
  IoWait wait = IoWait::None;                       // None: not begun
  bool progressed = false;                          // it has sent something that a handshake has
  bool greeted = false;                             // the handshake is done
  bool told = false;                                // that it has to wait in line
  std::shared_ptr<std::optional<Address>> source{}; // behind a balancer: whose connection it is, once that was said
};

bool hasInput(const Pending &who) {
  pollfd input{who.handshake.descriptor(), POLLIN, 0};
  return pollUntil({&input, 1}, Clock::now());
}

// Sends a frame of the transport's own, which is small enough to leave at once if the peer is sound.
bool say(Pending &who, std::uint16_t tag, std::span<const std::uint8_t> payload) {
  const auto head = encodeFrameHeader({static_cast<std::uint32_t>(payload.size()), kControlStream, tag});
  const Expected<IoResult> sent = who.handshake.stream().write(head, payload);
  return sent && sent->bytes == head.size() + payload.size();
}

// Reads first: what is unread when a socket is closed may cost the peer what was said.
void sendAway(Pending &who, std::string_view reason) {
  std::array<std::uint8_t, 4096> unread{};
  static_cast<void>(who.handshake.stream().read(unread));
  say(who, kCloseTag, {reinterpret_cast<const std::uint8_t *>(reason.data()), reason.size()});
  who.handshake.stream().endWrite();
}

} // namespace

struct Listener::Impl {
  EndpointOptions options;
  std::mutex tlsMutex; // guards:
  std::optional<TlsContext> tls;
  Socket socket;
  WakeUp stopped, placeLeft;
  std::atomic<unsigned> taken = 0; // places
  std::deque<Pending> pending;     // oldest first
  std::deque<Pending> line;        // of those that have begun to speak
  std::size_t refused = 0;
  std::string lastRefused;
  Prg lots;

  struct Signals {
    WakeUp stopped, placeLeft;
  };
  Impl(const EndpointOptions &endpoint, std::optional<TlsContext> context, Socket listening, Signals signals,
       const Seed &seed)
      : options(endpoint), tls(std::move(context)), socket(std::move(listening)), stopped(std::move(signals.stopped)),
        placeLeft(std::move(signals.placeLeft)), lots(seed) {}

  void refuse(const Pending &who, std::string_view why) { refuse(who.name, why); }
  void refuse(std::string_view name, std::string_view why) {
    ++refused;
    lastRefused = fmt::format("{} {}", name, why);
    if (options.onRefused) options.onRefused(lastRefused);
  }

  void admit() {
    auto [peer, from] = acceptFrom(socket);
    if (!peer) { // it has gone again, or no descriptor is left
      std::this_thread::sleep_for(kPause);
      return;
    }
    const bool proxied = !options.proxies.empty();
    if (proxied && !std::ranges::any_of(options.proxies, [&](const AddressRange &one) { return one.holds(from); }))
      return refuse(toString(from), "is none of the balancers that connections are taken from");
    const auto source = proxied ? std::make_shared<std::optional<Address>>() : nullptr;
    std::unique_ptr<ByteStream> stream =
        proxied ? makeProxiedStream(
                      std::move(peer), [this](Socket accepted) { return streamOf(std::move(accepted)); },
                      [source](const Address &address) { *source = address; })
                : streamOf(std::move(peer));
    if (!stream) return;
    pending.push_back({.handshake = Handshake(std::move(stream)),
                       .name = toString(from),
                       .origin = originOf(from),
                       .deadline = Clock::now() + options.handshakeTimeout,
                       .source = source});
    if (pending.size() > kMostPending) makeRoom();
  }

  std::unique_ptr<ByteStream> streamOf(Socket peer) {
    const std::unique_lock lock(tlsMutex);
    return tls ? tls->server(std::move(peer)) : makeTcpStream(std::move(peer));
  }

  void makeRoom() {
    std::vector<Newcomer> newcomers;
    for (const Pending &one : pending)
      newcomers.push_back({one.origin, one.progressed});
    const auto out = pending.begin() + static_cast<std::ptrdiff_t>(whoMustGo(newcomers, lots.next<std::uint64_t>()));
    refuse(*out, "had to go while more connections than there is room for had not said who they are");
    pending.erase(out);
  }

  // Whether it is done: it has greeted and, if it must, begun to speak.
  Expected<bool> step(Pending &who, bool mustSpeak) const {
    if (!who.greeted) {
      const bool begun = who.wait != IoWait::None;
      const bool spoke = begun && hasInput(who);
      const Expected<IoWait> wait = who.handshake.step();
      if (who.source && *who.source) who.name = toString(**who.source), who.origin = originOf(**who.source);
      SD_ASSIGN(who.wait, wait);
      who.progressed = who.progressed || spoke;
      if (who.wait != IoWait::None) return false;
      who.greeted = true;
      who.wait = IoWait::Read;
      who.deadline = Clock::now() + options.connection.timeout;
    }
    return !mustSpeak || hasInput(who);
  }

  // Advances all that are pending; the first that is done leaves the list.
  std::optional<Pending> advance(bool mustSpeak) {
    for (auto it = pending.begin(); it != pending.end();) {
      const Expected<bool> done = step(*it, mustSpeak);
      if (done && *done) {
        Pending ready = std::move(*it);
        pending.erase(it);
        return ready;
      }
      if (done && Clock::now() < it->deadline) {
        ++it;
        continue;
      }
      const std::string_view late = it->greeted ? "had nothing to say" : "did not finish its greeting in time";
      refuse(*it, done ? late : done.error().message);
      it = pending.erase(it);
    }
    return std::nullopt;
  }

  // Null if that fails, for want of a descriptor or a thread, say: no reason to end the service.
  std::unique_ptr<Connection> letIn(Pending who) {
    auto made = makeSocketConnection(who.handshake.release(), who.name, options.connection);
    if (made) return *std::move(made);
    refuse(who, made.error().message);
    return nullptr;
  }

  void joinLine() {
    while (std::optional<Pending> next = advance(true))
      line.push_back(*std::move(next));
  }

  // Who has hung up leaves it.
  void clearLine() {
    if (line.empty()) return;
    std::vector<pollfd> ends;
    for (const Pending &one : line)
      ends.push_back({one.handshake.descriptor(), POLLRDHUP, 0});
    if (!pollUntil(ends, Clock::now())) return;
    for (std::size_t i = ends.size(); i-- > 0;) {
      if (ends[i].revents == 0) continue;
      refuse(line[i], "did not wait for its turn");
      line.erase(line.begin() + static_cast<std::ptrdiff_t>(i));
    }
  }

  // Null: nothing yet.
  std::unique_ptr<Connection> nextInLine(unsigned places) {
    joinLine();
    clearLine();
    while (!line.empty() && taken < places) {
      Pending first = std::move(line.front());
      line.pop_front();
      std::unique_ptr<Connection> peer = letIn(std::move(first));
      if (!peer) continue;
      ++taken;
      return peer;
    }
    return nullptr;
  }

  void tellThoseInLine(unsigned places) {
    const std::array<std::uint8_t, kBusyBytes> sessions = {static_cast<std::uint8_t>(places),
                                                           static_cast<std::uint8_t>(places >> 8)};
    for (auto it = line.begin(); it != line.end();)
      it = std::exchange(it->told, true) || say(*it, kBusyTag, sessions) ? it + 1 : line.erase(it);
  }

  // Waits for a new connection, for a step of one that is here, for a place, or for stop(); false at the deadline.
  bool waitUntil(Deadline deadline) {
    const bool room = line.size() < kLongestLine;
    std::vector<pollfd> descriptors = {
        {stopped.descriptor(), POLLIN, 0}, {placeLeft.descriptor(), POLLIN, 0}, {room ? socket.get() : -1, POLLIN, 0}};
    Deadline soonest = deadline;
    for (const Pending &one : pending) {
      soonest = std::min(soonest, one.deadline);
      const short events = one.wait == IoWait::Write ? POLLOUT : POLLIN;
      descriptors.push_back({one.handshake.descriptor(), events, 0});
    }
    for (const Pending &one : line)
      descriptors.push_back({one.handshake.descriptor(), POLLRDHUP, 0});
    const bool ready = pollUntil(descriptors, soonest);
    if (ready && descriptors[1].revents != 0) placeLeft.clear();
    if (ready && descriptors[2].revents != 0) admit();
    return ready || soonest < deadline;
  }

  bool stopRequested() const {
    pollfd waiting{stopped.descriptor(), POLLIN, 0};
    return pollUntil({&waiting, 1}, Clock::now());
  }

  void shut() {
    socket = Socket();
    for (std::deque<Pending> *list : {&pending, &line}) {
      for (Pending &one : *list)
        if (one.greeted) sendAway(one, "the service is being stopped");
      list->clear();
    }
  }
};

Listener::Listener(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Listener::Listener(Listener &&) noexcept = default;
Listener &Listener::operator=(Listener &&) noexcept = default;
Listener::~Listener() = default;

Address Listener::address() const { return localAddress(impl_->socket); }

void Listener::useTls(TlsContext context) {
  const std::lock_guard lock(impl_->tlsMutex);
  impl_->tls = std::move(context);
}

void Listener::stop() { impl_->stopped.wake(); }

Expected<std::unique_ptr<Connection>> Listener::accept() {
  Impl &impl = *impl_;
  const std::chrono::milliseconds patience = impl.options.waitForPeer;
  const Deadline deadline = patience.count() == 0 ? Deadline::max() : Clock::now() + patience;
  while (true) {
    if (impl.stopRequested()) return fail(ErrorKind::Network, "the listener on {} was stopped", toString(address()));
    if (std::optional<Pending> ready = impl.advance(false)) {
      if (auto peer = impl.letIn(*std::move(ready))) return peer;
      continue;
    }
    if (impl.waitUntil(deadline)) continue;
    const std::string refused =
        impl.refused == 0 ? ""
                          : fmt::format("; {} turned away, the last one because {}", impl.refused, impl.lastRefused);
    return fail(ErrorKind::Network, "no peer came to {} within {} s{}", toString(address()),
                static_cast<double>(patience.count()) / 1000, refused);
  }
}

std::unique_ptr<Connection> Listener::acceptInTurn(unsigned places) {
  Impl &impl = *impl_;
  while (!impl.stopRequested()) {
    auto next = guarded([&]() -> Expected<std::unique_ptr<Connection>> {
      std::unique_ptr<Connection> peer = impl.nextInLine(places);
      if (peer) return peer;
      impl.tellThoseInLine(places);
      impl.waitUntil(Deadline::max());
      return nullptr;
    });
    if (next && *next) return *std::move(next);
    if (!next) std::this_thread::sleep_for(kPause);
  }
  impl.shut();
  return nullptr;
}

void Listener::leavePlace() {
  --impl_->taken;
  impl_->placeLeft.wake();
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
  SD_ASSIGN(WakeUp placeLeft, WakeUp::make());
  SD_ASSIGN(const Seed seed, Seed::fresh());
  return Listener(std::make_unique<Listener::Impl>(options, std::move(tls), std::move(socket),
                                                   Listener::Impl::Signals{std::move(stopped), std::move(placeLeft)},
                                                   seed));
}

} // namespace sd
