// The eight bytes in front of every message, and the frames that are the transport's own.
#pragma once

#include <array>
#include <cstdint>

#include "runtime/net/Channel.h"

namespace sd {

struct FrameHeader {
  std::uint32_t length = 0; // of the payload
  std::uint16_t stream = 0;
  std::uint16_t tag = 0;
};

// A longer message is refused by the sender, and ends the session at the receiver before anything is allocated.
inline constexpr std::uint32_t kMaxFrameBytes = std::uint32_t{1} << 30;

// The stream of the transport's own frames, which are in no one's traffic. A frame of tag kCloseTag ends the
// session; its payload is the reason, at most kMaxReasonBytes of text. A frame of tag kBusyTag says that the peer has
// to wait for its turn; its payload is the number of sessions that go on meanwhile, u16.
inline constexpr std::uint16_t kControlStream = 0xffff;
inline constexpr std::uint16_t kCloseTag = 1, kBusyTag = 2;
inline constexpr std::size_t kBusyBytes = 2;
inline constexpr std::size_t kMaxReasonBytes = 1024;

inline std::array<std::uint8_t, kFrameHeaderBytes> encodeFrameHeader(const FrameHeader &h) {
  const auto byte = [](std::uint32_t value, int i) { return static_cast<std::uint8_t>(value >> (8 * i)); };
  return {byte(h.length, 0), byte(h.length, 1), byte(h.length, 2), byte(h.length, 3),
          byte(h.stream, 0), byte(h.stream, 1), byte(h.tag, 0),    byte(h.tag, 1)};
}

inline FrameHeader decodeFrameHeader(std::span<const std::uint8_t, kFrameHeaderBytes> b) {
  const auto word = [&](int i) { return static_cast<std::uint16_t>(b[i] | b[i + 1] << 8); };
  return {static_cast<std::uint32_t>(word(0)) | static_cast<std::uint32_t>(word(2)) << 16, word(4), word(6)};
}

} // namespace sd
