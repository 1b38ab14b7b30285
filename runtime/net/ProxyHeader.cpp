#include "runtime/net/ProxyHeader.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>

#include "runtime/net/Tcp.h"

namespace sd {

namespace {

constexpr std::array<std::uint8_t, 12> kSignature = {'\r', '\n', '\r', '\n', 0, '\r', '\n', 'Q', 'U', 'I', 'T', '\n'};
constexpr std::uint8_t kLocal = 0x20, kProxy = 0x21; // version and command
constexpr std::uint8_t kUnknown = 0x00, kTcp4 = 0x11, kTcp6 = 0x21, kUnix = 0x31;

std::uint16_t bigEndian(std::span<const std::uint8_t> bytes) {
  return static_cast<std::uint16_t>(bytes[0] << 8 | bytes[1]);
}

Address addressOf(int family, std::span<const std::uint8_t> host, std::span<const std::uint8_t> port) {
  char text[INET6_ADDRSTRLEN] = "";
  ::inet_ntop(family, host.data(), text, sizeof text);
  return {text, bigEndian(port)};
}

class ProxiedStream final : public ByteStream {
public:
  ProxiedStream(Socket socket, std::function<std::unique_ptr<ByteStream>(Socket)> inner,
                std::function<void(const Address &)> seen)
      : socket_(std::move(socket)), makeInner_(std::move(inner)), seen_(std::move(seen)) {}

  int descriptor() const override { return inner_ ? inner_->descriptor() : socket_.get(); }
  Expected<IoWait> handshake() override {
    if (!inner_) {
      SD_ASSIGN(const IoWait wait, hear());
      if (wait != IoWait::None) return wait;
      inner_ = makeInner_(std::move(socket_));
      if (!inner_) return fail(ErrorKind::Network, "came when there was no memory for it");
    }
    return inner_->handshake();
  }
  // Only after the handshake; before it there is nothing to say.
  Expected<IoResult> read(std::span<std::uint8_t> out) override {
    return inner_ ? inner_->read(out) : IoResult{0, IoWait::Read};
  }
  Expected<IoResult> write(std::span<const std::uint8_t> head, std::span<const std::uint8_t> body) override {
    return inner_ ? inner_->write(head, body) : IoResult{0, IoWait::Write};
  }
  void endWrite() override {
    if (inner_) inner_->endWrite();
  }

  // The peer's certificate is the inner stream's.
  std::unique_ptr<ByteStream> successor() override { return std::move(inner_); }

private:
  Expected<IoWait> hear() {
    while (true) {
      const std::span<const std::uint8_t> got = std::span(bytes_).first(received_);
      SD_ASSIGN(const ProxyHead head, readProxyHead(got.first(std::min(received_, kProxyHeadBytes))));
      const std::size_t whole = kProxyHeadBytes + (received_ < kProxyHeadBytes ? 0u : head.following);
      if (received_ >= kProxyHeadBytes && received_ == whole) {
        SD_ASSIGN(const std::optional<Address> source, readProxySource(head, got.subspan(kProxyHeadBytes)));
        if (source) seen_(*source);
        return IoWait::None;
      }
      SD_ASSIGN(const IoResult result,
                receiveBytes(socket_.get(), std::span(bytes_).subspan(received_, whole - received_)));
      received_ += result.bytes;
      if (result.end) return fail(ErrorKind::Network, "closed the connection before its PROXY header was whole");
      if (result.bytes == 0) return result.wait;
    }
  }

  Socket socket_;
  std::function<std::unique_ptr<ByteStream>(Socket)> makeInner_;
  std::function<void(const Address &)> seen_;
  std::unique_ptr<ByteStream> inner_;
  std::array<std::uint8_t, kProxyHeadBytes + kMostProxyBytes> bytes_{};
  std::size_t received_ = 0;
};

} // namespace

Expected<ProxyHead> readProxyHead(std::span<const std::uint8_t> head) {
  const std::size_t known = std::min(head.size(), kSignature.size());
  if (!std::ranges::equal(head.first(known), std::span(kSignature).first(known)))
    return fail(ErrorKind::Network, "sent no PROXY header of version 2 (send-proxy-v2 in HAProxy)");
  if (head.size() < kProxyHeadBytes) return ProxyHead{};
  const ProxyHead read{head[12] == kProxy, head[13], bigEndian(head.subspan(14))};
  if (head[12] != kProxy && head[12] != kLocal)
    return fail(ErrorKind::Network, "sent a PROXY header of another version or with an unknown command");
  if (read.following > kMostProxyBytes)
    return fail(ErrorKind::Network, "announced {} bytes in its PROXY header; at most {} are taken", read.following,
                kMostProxyBytes);
  return read;
}

Expected<std::optional<Address>> readProxySource(const ProxyHead &head, std::span<const std::uint8_t> following) {
  if (!head.proxied || head.family == kUnknown || head.family == kUnix) return std::nullopt;
  const bool wide = head.family == kTcp6;
  if (!wide && head.family != kTcp4)
    return fail(ErrorKind::Network, "sent a PROXY header for another transport than TCP");
  const std::size_t bytes = wide ? 16 : 4;
  if (following.size() < 2 * bytes + 4) return fail(ErrorKind::Network, "sent a PROXY header that is too short");
  return addressOf(wide ? AF_INET6 : AF_INET, following, following.subspan(2 * bytes));
}

std::unique_ptr<ByteStream> makeProxiedStream(Socket socket, std::function<std::unique_ptr<ByteStream>(Socket)> inner,
                                              std::function<void(const Address &)> seen) {
  return std::make_unique<ProxiedStream>(std::move(socket), std::move(inner), std::move(seen));
}

} // namespace sd
