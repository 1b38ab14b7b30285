// The first bytes on a connection, by which both sides know that they talk to one of their own.
//
// Each side sends 16 bytes, after the TLS handshake if there is one: the magic number (8 bytes), the version of the
// transport (u16, little-endian), and zeros. Neither waits for the other's before it sends.
#pragma once

#include <array>
#include <memory>

#include "runtime/net/ByteStream.h"

namespace sd {

inline constexpr std::size_t kHelloBytes = 16;
inline constexpr std::uint16_t kTransportVersion = 2;

std::array<std::uint8_t, kHelloBytes> helloBytes(std::uint16_t version = kTransportVersion);

class Handshake {
public:
  explicit Handshake(std::unique_ptr<ByteStream> stream);

  // Goes on as far as it can; None: done. Errors as those of ByteStream.
  Expected<IoWait> step();

  bool heardAnything() const { return received_ > 0; }
  int descriptor() const { return stream_->descriptor(); }
  ByteStream &stream() { return *stream_; }
  std::unique_ptr<ByteStream> release() {
    std::unique_ptr<ByteStream> successor = stream_->successor();
    return successor ? std::move(successor) : std::move(stream_);
  }

private:
  Expected<IoWait> hear();
  Expected<void> check() const;

  std::unique_ptr<ByteStream> stream_;
  bool linked_ = false; // the stream's own handshake is over
  std::size_t sent_ = 0, received_ = 0;
  std::array<std::uint8_t, kHelloBytes> theirs_{};
};

} // namespace sd
