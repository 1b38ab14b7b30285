// How the two parties find each other: party 0 listens, party 1 connects, over TLS or plain TCP.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "runtime/net/AddressRange.h"
#include "runtime/net/StreamedConnection.h"
#include "runtime/net/Tls.h"

namespace sd {

struct EndpointOptions {
  Address address{};             // to listen on, or of the peer
  std::optional<TlsFiles> tls{}; // none: plain TCP, refused beyond this machine unless
  bool allowPlaintext = false;   // the user accepts it
  ConnectionOptions connection;
  // connect() tries for so long to reach a peer that listens and answers, and once at least; accept() waits so long, or
  // for ever if it is 0.
  std::chrono::milliseconds waitForPeer{60'000};
  // How long a connected peer may take for its part of the handshake; connect() gives it more while waitForPeer lasts.
  std::chrono::milliseconds handshakeTimeout{10'000};
  // A listener behind balancers: connections come from these addresses alone, each with a PROXY header (ProxyHeader.h),
  // whose source counts as the peer's address. Without any, no header is expected.
  std::vector<AddressRange> proxies{};
  // Told of each connection that the listener turned away, for a log.
  std::function<void(std::string_view)> onRefused{};
};

Expected<std::unique_ptr<Connection>> connect(const EndpointOptions &options);

// Waits for peers. Stray connections (port scanners, other programs, wrong certificates) are turned away and do not
// end it; handshakes go on at the same time, so that a slow one holds up no other.
class Listener {
public:
  Listener(Listener &&) noexcept;
  Listener &operator=(Listener &&) noexcept;
  ~Listener();

  Address address() const; // the real port, where 0 was asked for

  // The next peer whose handshake is complete. One thread at a time; the connections are independent of the listener.
  Expected<std::unique_ptr<Connection>> accept();

  // The same for a service of several sessions, `places` at once: the next peer that has begun to speak, as soon as
  // there is a place for it. Those that speak meanwhile are told that they have to wait, and wait in line, first come,
  // first served. Those that don't hold no place, and have the connection's timeout to do so; beyond 256 of them
  // one has to go (Crowd.h). Beyond 256 in line, new ones wait in the system's queue. Null after stop(), which
  // ends the line, too.
  std::unique_ptr<Connection> acceptInTurn(unsigned places);
  void leavePlace(); // a session is over whose peer acceptInTurn() gave; from any thread

  // Certificates for the connections from now on; from any thread. Only for a listener that has TLS already.
  void useTls(TlsContext context);

  // Ends a waiting accept() and all later ones with an error; from any thread or a signal handler.
  void stop();

private:
  friend Expected<Listener> listen(const EndpointOptions &options);
  struct Impl;
  explicit Listener(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

Expected<Listener> listen(const EndpointOptions &options);

} // namespace sd
