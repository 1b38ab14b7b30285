#include "runtime/net/Connect.h"

#include <poll.h>

#include <thread>

#include "runtime/net/Handshake.h"
#include "runtime/net/SocketConnection.h"
#include "runtime/net/Tcp.h"

namespace sd {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

// An attempt that may succeed later: nobody listens yet, or something in between hung up at once.
struct Attempt {
  std::unique_ptr<ByteStream> stream;
  std::string error;
  bool again = false;
};

Attempt shakeHands(std::unique_ptr<ByteStream> stream, Deadline deadline) {
  Handshake handshake(std::move(stream));
  while (true) {
    const Expected<IoWait> wait = handshake.step();
    // A link that was cut, perhaps for want of room there, may be better next time; what the peer said will not.
    if (!wait)
      return {nullptr, wait.error().message, wait.error().kind == ErrorKind::Network && !handshake.heardAnything()};
    if (*wait == IoWait::None) return {handshake.release(), "", false};
    pollfd ready{handshake.descriptor(), static_cast<short>(*wait == IoWait::Read ? POLLIN : POLLOUT), 0};
    if (!pollUntil({&ready, 1}, deadline))
      return {nullptr, "accepts connections but does not answer; is it another program, or too busy?", false};
  }
}

Attempt attempt(const EndpointOptions &options, const std::optional<TlsContext> &tls, Deadline deadline) {
  // A busy service answers late. One attempt may take the handshake's time even if the caller would not wait.
  deadline = std::max(deadline, Clock::now() + options.handshakeTimeout);
  Expected<Socket> socket = connectTo(options.address, deadline);
  if (!socket) return {nullptr, socket.error().message, true};
  std::unique_ptr<ByteStream> stream =
      tls ? tls->client(std::move(*socket), options.address.host) : makeTcpStream(std::move(*socket));
  if (!stream) return {nullptr, "OpenSSL takes no such host name", false};
  return shakeHands(std::move(stream), deadline);
}

} // namespace

Expected<std::unique_ptr<Connection>> connect(const EndpointOptions &options) {
  const std::string name = toString(options.address);
  std::optional<TlsContext> tls;
  if (options.tls) {
    SD_ASSIGN(tls, TlsContext::load(*options.tls));
  } else {
    SD_TRY(checkPlaintextAllowed(options.address, options.allowPlaintext));
  }
  const Clock::time_point deadline = Clock::now() + options.waitForPeer;
  for (std::chrono::milliseconds pause = 20ms;; pause = std::min(2 * pause, 500ms)) {
    Attempt result = attempt(options, tls, deadline);
    if (result.stream) return makeSocketConnection(std::move(result.stream), name, options.connection);
    if (!result.again) return fail(ErrorKind::Network, "the peer at {} {}", name, result.error);
    if (Clock::now() + pause >= deadline)
      return fail(ErrorKind::Network, "cannot reach a peer at {} within {} s: {}; is the other party listening there",
                  name, static_cast<double>(options.waitForPeer.count()) / 1000, result.error);
    std::this_thread::sleep_for(pause);
  }
}

} // namespace sd
