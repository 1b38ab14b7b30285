#include "runtime/net/Handshake.h"

#include <algorithm>
#include <cctype>
#include <string>

namespace sd {
namespace {

// As in PNG: bytes that a text protocol, a 7-bit link or a newline conversion can't produce by chance.
constexpr std::array<std::uint8_t, 8> kMagic = {0x89, 'S', 'D', 'C', '\r', '\n', 0x1a, '\n'};

std::string excerpt(std::span<const std::uint8_t> bytes) {
  std::string text;
  for (std::uint8_t byte : bytes)
    text += std::isprint(byte) ? static_cast<char>(byte) : '.';
  return text;
}

bool looksLikeTls(std::span<const std::uint8_t> bytes) {
  return bytes.size() >= 2 && (bytes[0] == 0x15 || bytes[0] == 0x16) && bytes[1] == 0x03;
}

} // namespace

std::array<std::uint8_t, kHelloBytes> helloBytes(std::uint16_t version) {
  std::array<std::uint8_t, kHelloBytes> hello{};
  std::copy(kMagic.begin(), kMagic.end(), hello.begin());
  hello[8] = static_cast<std::uint8_t>(version);
  hello[9] = static_cast<std::uint8_t>(version >> 8);
  return hello;
}

Handshake::Handshake(std::unique_ptr<ByteStream> stream) : stream_(std::move(stream)) {}

Expected<IoWait> Handshake::step() {
  if (!linked_) {
    SD_ASSIGN(const IoWait wait, stream_->handshake());
    if (wait != IoWait::None) return wait;
    linked_ = true;
  }
  static const std::array<std::uint8_t, kHelloBytes> kOurs = helloBytes();
  while (sent_ < kHelloBytes) {
    const Expected<IoResult> result = stream_->write(std::span(kOurs).subspan(sent_), {});
    if (!result) {
      SD_TRY(hear()); // a peer that has hung up may have said why
      return tl::unexpected<Error>(result.error());
    }
    sent_ += result->bytes;
    if (result->wait != IoWait::None) return result->wait;
  }
  return hear();
}

Expected<IoWait> Handshake::hear() {
  while (received_ < kHelloBytes) {
    SD_ASSIGN(const IoResult result, stream_->read(std::span(theirs_).subspan(received_)));
    received_ += result.bytes;
    SD_TRY(check());
    if (result.end) return fail(ErrorKind::Network, "closed the connection before its greeting");
    if (result.wait != IoWait::None && received_ < kHelloBytes) return result.wait;
  }
  return IoWait::None;
}

Expected<void> Handshake::check() const {
  const std::span<const std::uint8_t> got = std::span(theirs_).first(received_);
  const std::size_t known = std::min(received_, kMagic.size());
  if (!std::equal(got.begin(), got.begin() + static_cast<std::ptrdiff_t>(known), kMagic.begin())) {
    if (looksLikeTls(got))
      return fail(ErrorKind::Network,
                  "speaks TLS and this side does not; give --tls-cert, --tls-key and --tls-ca on both sides");
    return fail(ErrorKind::Network, "does not speak this protocol (it began with '{}')", excerpt(got));
  }
  if (received_ < kHelloBytes) return {};
  const int version = theirs_[8] | theirs_[9] << 8;
  if (version != kTransportVersion)
    return fail(ErrorKind::Network,
                "speaks version {} of this protocol and this side version {}; use the same release on both sides",
                version, kTransportVersion);
  return {};
}

} // namespace sd
