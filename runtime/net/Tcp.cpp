#include "runtime/net/Tcp.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <cerrno>
#include <cstring>

namespace sd {
namespace {

bool wouldBlock(int error) { return error == EAGAIN || error == EWOULDBLOCK; }

class TcpStream final : public ByteStream {
public:
  explicit TcpStream(Socket socket) : socket_(std::move(socket)) {}
  int descriptor() const override { return socket_.get(); }
  Expected<IoWait> handshake() override { return IoWait::None; }
  Expected<IoResult> read(std::span<std::uint8_t> out) override { return receiveBytes(descriptor(), out); }
  Expected<IoResult> write(std::span<const std::uint8_t> head, std::span<const std::uint8_t> body) override {
    return sendBytes(descriptor(), head, body);
  }
  void endWrite() override { ::shutdown(descriptor(), SHUT_WR); }

private:
  const Socket socket_;
};

} // namespace

std::unique_ptr<ByteStream> makeTcpStream(Socket socket) { return std::make_unique<TcpStream>(std::move(socket)); }

Expected<IoResult> receiveBytes(int descriptor, std::span<std::uint8_t> out) {
  while (true) {
    const ssize_t count = ::recv(descriptor, out.data(), out.size(), 0);
    if (count > 0) { // a short count means that there is no more, and spares a call to find out
      const auto bytes = static_cast<std::size_t>(count);
      return IoResult{bytes, bytes < out.size() ? IoWait::Read : IoWait::None};
    }
    if (count == 0) return IoResult{.bytes = 0, .wait = IoWait::None, .end = true};
    if (wouldBlock(errno)) return IoResult{0, IoWait::Read};
    if (errno != EINTR) return fail(ErrorKind::Network, "cut the connection ({})", std::strerror(errno));
  }
}

Expected<IoResult> sendBytes(int descriptor, std::span<const std::uint8_t> head, std::span<const std::uint8_t> body) {
  IoResult result;
  while (!head.empty() || !body.empty()) {
    iovec parts[2] = {{const_cast<std::uint8_t *>(head.data()), head.size()},
                      {const_cast<std::uint8_t *>(body.data()), body.size()}};
    msghdr message{};
    message.msg_iov = head.empty() ? parts + 1 : parts;
    message.msg_iovlen = head.empty() ? 1 : 2;
    const ssize_t count = ::sendmsg(descriptor, &message, MSG_NOSIGNAL);
    if (count < 0) {
      if (errno == EINTR) continue;
      if (!wouldBlock(errno)) return fail(ErrorKind::Network, "cut the connection ({})", std::strerror(errno));
      result.wait = IoWait::Write;
      return result;
    }
    const auto sent = static_cast<std::size_t>(count);
    result.bytes += sent;
    const std::size_t ofHead = std::min(sent, head.size());
    head = head.subspan(ofHead);
    body = body.subspan(sent - ofHead);
  }
  return result;
}

} // namespace sd
