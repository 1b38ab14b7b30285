// The only way out. A Connection to the peer carries numbered streams; a Channel is one of them: ordered, tagged
// messages. Every byte of a frame (header and payload) is counted here and nowhere else; TLS records and TCP headers
// are not.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "ir/core/Error.h"

namespace sd {

// Frame: u32 payload length, u16 stream, u16 tag, payload; little-endian.
inline constexpr std::size_t kFrameHeaderBytes = 8;

struct Traffic {
  // Headers included; a message counts as sent when send() takes it, as received when receive() returns it.
  std::uint64_t bytesSent = 0, bytesReceived = 0;
  std::uint64_t messagesSent = 0, messagesReceived = 0;
  Traffic operator-(const Traffic &) const;
  Traffic &operator+=(const Traffic &);
  bool operator==(const Traffic &) const = default;
};

// One stream of a connection. send() may return before the bytes have left; receive() waits while bytes of the peer
// keep coming, and at most the connection's timeout when few do. Both are safe to call from different threads, each
// from one thread at a time.
class Channel {
public:
  virtual ~Channel() = default;

  enum class Arrival { Message, Nothing, Closed };

  // Sends one message. `tag` names the protocol step; the receiver must ask for the same one.
  virtual Expected<void> send(std::uint16_t tag, std::span<const std::uint8_t> payload) = 0;

  // Receives the next message of the stream into `payload`. Errors, and closes the connection, if the message has
  // another tag or another length, if the peer has gone, or if none comes within the timeout.
  virtual Expected<void> receive(std::uint16_t tag, std::span<std::uint8_t> payload) = 0;

  // The same for a message whose length the receiver can't know, up to `limit` bytes.
  virtual Expected<std::vector<std::uint8_t>> receiveUpTo(std::uint16_t tag, std::size_t limit) = 0;

  // Waits for the next message, at most so long, and neither takes it nor ends the session: for a peer that may be
  // silent as long as it is there. Closed: it has ended the session without giving a reason. Any other end is an error.
  virtual Expected<Arrival> await(std::chrono::milliseconds atMost) = 0;

  virtual Traffic traffic() const = 0; // of this stream
};

inline constexpr std::uint16_t kStreams = 64; // so many can a connection have

class Connection {
public:
  virtual ~Connection() = default;

  // The stream `id` (below kStreams), made at first use by each side; the connection outlives its channels.
  virtual Channel &stream(std::uint16_t id) = 0;

  // From now on a peer that sends more than `bytes` that nobody here has asked for ends the session. It can only lower
  // what the connection allows by itself.
  virtual void limitUnread(std::size_t bytes) = 0;

  virtual Traffic traffic() const = 0;      // of all streams
  virtual std::string peerName() const = 0; // for messages: "127.0.0.1:7766", "the other thread"

  // Ends the session: this side's receives fail, and the peer's once it has read what was sent before; its errors
  // tell `reason`. Destroying a connection closes it without one.
  virtual void close(std::string_view reason) = 0;
};

} // namespace sd
