// The PROXY protocol, version 2 (haproxy.org, proxy-protocol.txt, section 2.2): who really connects, told by a balancer
// before anything else on the connection.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>

#include "runtime/net/Address.h"
#include "runtime/net/ByteStream.h"
#include "runtime/net/Socket.h"

namespace sd {

inline constexpr std::size_t kProxyHeadBytes = 16, kMostProxyBytes = 1024; // of the head, and of what follows it

struct ProxyHead {
  bool proxied = false;        // else the balancer speaks for itself: a look whether the service is there
  std::uint8_t family = 0;     // and transport
  std::uint16_t following = 0; // bytes, at most kMostProxyBytes
};

// Errors complete "the peer at HOST:PORT ...". `head`: kProxyHeadBytes, or the first bytes of it, which are then as far
// as they go those of a head.
Expected<ProxyHead> readProxyHead(std::span<const std::uint8_t> head);
// The source; none if the balancer does not know it.
Expected<std::optional<Address>> readProxySource(const ProxyHead &head, std::span<const std::uint8_t> following);

// A stream that begins with such a header. Its handshake() reads that, not a byte more, then calls `seen` with the
// source if there is one, and goes on with the stream that `inner` makes of the socket.
std::unique_ptr<ByteStream> makeProxiedStream(Socket socket, std::function<std::unique_ptr<ByteStream>(Socket)> inner,
                                              std::function<void(const Address &)> seen);

} // namespace sd
