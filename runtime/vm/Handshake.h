// The first message of a session, each way, on stream 0: do both sides mean to run the same thing?
//
//   P1 -> P0, then P0 -> P1   magic, version, party, preprocess mode, purpose, program's digest, nonce, number of
//                             records, the store's identity, SHA-256 of the channel binding and all before
//
// P0 answers only a peer that names its program. Over TLS the last field shows that the nonces and the stores are those
// of the two ends of this TLS connection, and of no other; over plain TCP there is no binding, and it shows nothing.
#pragma once

#include "runtime/crypto/Random.h"
#include "runtime/vm/Hello.h"

namespace sd {

std::string_view toString(PreprocessMode mode);

struct HandshakeOptions {
  int party = 0;
  Digest program{};
  PreprocessMode mode = PreprocessMode::TwoParty;
  std::uint64_t records = 0; // party 1's; ignored for party 0, unless it prepares at most so many
  Purpose purpose = Purpose::Fresh;
  std::array<std::uint8_t, 16> store{};          // the identity of this side's, unless Purpose::Fresh
  std::vector<std::uint8_t> channelBinding = {}; // runtime/net/ChannelBinding.h
  std::uint64_t mostRecords = kMaxRecords;       // party 0's: that party 1 may announce
  std::vector<std::uint8_t> heard = {};          // party 1's greeting, if receiveHello() has taken it already
};

struct HandshakeResult {
  SessionId
      session{}; // the same on both sides, new for each session, chosen by neither alone, and bound to the channel
  std::uint64_t records = 0; // of inferences to prepare: the smaller of both sides' numbers
  std::array<std::uint8_t, 16> peerStore{};
};

// On a mismatch both sides get an error that names what differs. `nonce` is drawn from.
Expected<HandshakeResult> shakeHands(Channel &control, const HandshakeOptions &options, Prg &nonce);

// Waits until the peer has come to the same point of the session.
Expected<void> meet(Channel &control, std::uint16_t tag);

} // namespace sd
