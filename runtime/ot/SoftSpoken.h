// The non-silent extension of correlated OT, semi-honest: SoftSpokenOT (Roy, CRYPTO 2022, section 3 and figure 7
// without its checks) with the repetition code over GF(2^8). It costs 15 bits a transfer, all of them from the
// receiver, and no assumption beyond the hash; the silent extension starts from it, and small jobs end with it.
//
// For each of 16 groups of 8 base transfers the receiver of the extension owns a tree of 256 leaves, the sender knows
// all but one of them, the one at its 8 bits of Delta. With r_x the stretched leaf x: u = XOR r_x, v_b = XOR of those
// with bit b of x set; the sender computes w_b = XOR over x of bit b of (x ^ delta) times r_x = v_b ^ delta_b u. The
// receiver sends the difference of the groups' u, and the columns v, w are transposed to rows: q_i = t_i ^ u_i Delta.
#pragma once

#include <span>

#include "runtime/crypto/AesHash.h"
#include "runtime/crypto/Random.h"
#include "runtime/crypto/Secret.h"
#include "runtime/net/Channel.h"

namespace sd {

// Transfers come in multiples of this.
inline constexpr std::size_t kSoftSpokenUnit = 512;
// At most this many a message.
inline constexpr std::size_t kSoftSpokenBatch = 8192;

// The receiver of the extension: t_i, whose lowest bit is the random choice bit.
class SoftSpokenReceiver {
public:
  // `zero`, `one`: the 128 base transfers' pads, of which the peer has one each. Sends one message.
  static Expected<SoftSpokenReceiver> create(Channel &channel, Prg &prg, Block session, std::span<const Block> zero,
                                             std::span<const Block> one);
  // t.size() is a multiple of kSoftSpokenUnit, and the peer's is the same.
  Expected<void> extend(Channel &channel, std::span<Block> t);

private:
  explicit SoftSpokenReceiver(Block session) : session_(session) {}
  AesKey session_;
  std::uint64_t next_ = 0;
  SecretVector<Block> leaves_;
};

// The sender of the extension: q_i, whose lowest bit is 0.
class SoftSpokenSender {
public:
  // `chosen[i]` is the base transfer's pad under bit i of `delta`. Receives one message.
  static Expected<SoftSpokenSender> create(Channel &channel, Block session, Block delta, std::span<const Block> chosen);
  Expected<void> extend(Channel &channel, std::span<Block> q);

private:
  explicit SoftSpokenSender(Block session) : session_(session) {}
  AesKey session_;
  std::uint64_t next_ = 0;
  SecretVector<Block> delta_;  // one
  SecretVector<Block> leaves_; // leaf x of a group at x ^ delta, so that the unknown one is the first
};

// Payload bytes of the message of create(), and of extend(n), and the number of extend's messages.
std::uint64_t softSpokenSetupBytes();
std::uint64_t softSpokenBytes(std::uint64_t n);
std::uint64_t softSpokenMessages(std::uint64_t n);

} // namespace sd
