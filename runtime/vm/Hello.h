// The greeting's bytes, and what a hospital asks for with it (Handshake.h has the chart).
#pragma once

#include <vector>

#include "ir/bytecode/ByteIo.h"
#include "ir/bytecode/Program.h"
#include "runtime/net/Channel.h"

namespace sd {

inline constexpr std::uint16_t kSessionStream = 0, kOnlineStream = 1; // others are the offline phase's
inline constexpr std::uint16_t kHelloTag = 1, kReadyTag = 2, kDoneTag = 3, kProgramTag = 4, kCountTag = 5;
inline constexpr std::uint16_t kProtocolVersion = 8;
inline constexpr std::uint64_t kMaxRecords = std::uint64_t{1} << 32; // of one session

enum class PreprocessMode : std::uint8_t { TwoParty = 0, Dealer = 1 };

// What a session is for.
enum class Purpose : std::uint8_t {
  Fresh = 0,   // records, each after its own offline phase
  Prepare = 1, // offline phases alone, for both sides' stores
  Stored = 2,  // records, from both sides' stores
  Fetch = 3,   // no session: the hospital asks for a model's public program (Fetch.h)
};

using SessionId = std::array<std::uint8_t, 16>;

struct Hello {
  std::uint16_t version = kProtocolVersion;
  std::uint8_t party = 0, mode = 0, purpose = 0; // may be unknown here
  Digest program{};                              // Purpose::Fetch: digestOfName()
  SessionId nonce{};
  std::uint64_t records = 0;
  std::array<std::uint8_t, 16> store{};
};

std::vector<std::uint8_t> encodeHello(const Hello &hello, Bytes channelBinding);

// Errors: no greeting, another version's, or one that was made for another connection.
Expected<Hello> decodeHello(Bytes bytes, Bytes channelBinding);

// The next message of `control`, as it came.
Expected<std::vector<std::uint8_t>> receiveHello(Channel &control);

} // namespace sd
