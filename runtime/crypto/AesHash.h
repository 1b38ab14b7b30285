// AES-128 as a hash and a generator for oblivious transfer, with keys that are public.
//
// H_K(x) = E_K(s(x)) ^ s(x) with the orthomorphism s(hi, lo) = (hi ^ lo, hi) is circular correlation robust in the
// ideal cipher model (Guo, Katz, Wang, Yu: Efficient and secure multiparty computation from fixed-key block ciphers,
// IEEE S&P 2020, section 7.3): of q values H_K(x_i ^ Delta), Delta of 127 unknown bits, p cipher calls under K tell an
// attacker nothing but with advantage 2 p q / 2^127 + q^2 / 2^129. Terms of different keys add up, and each call is
// under one key: p calls in all have at most 2 p q / 2^127 for the largest q, so keys are changed after few points
// (Guo, Katz, Wang, Weng, Yu: Better concrete security for half-gates garbling in the multi-instance setting, CRYPTO
// 2020, section 5). q is 256 for pads (kPadsPerKey), at most 12 for a correlated tree, whose path alone depends on
// Delta: a distinguisher by this bound takes 2^118 AES calls. Trees of the non-silent extension have no Delta, and a
// key each, too.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "runtime/crypto/Block.h"

namespace sd {

// A public AES-128 key and its round keys.
struct AesKey {
  explicit AesKey(Block key);
  alignas(64) Block roundKeys[11];
};

enum class AesBackend : std::uint8_t { Portable, AesNi, Vaes256, Vaes512 };

// The kernels of one backend. All give the same bits; in and out may be equal, not overlap otherwise.
struct AesKernels {
  AesBackend backend;
  const char *name;

  // out[i] = E_key(first + i), the counter in the low half.
  void (*counter)(const AesKey &key, std::uint64_t first, Block *out, std::size_t n);

  // out[i] = H_key(in[i] ^ offset).
  void (*hash)(const AesKey &key, Block offset, const Block *in, Block *out, std::size_t n);

  // The low halves of the same.
  void (*hashLow)(const AesKey &key, Block offset, const Block *in, std::uint64_t *out, std::size_t n);

  // One level of a correlated tree, in place: left = H_key(nodes[i]) goes to nodes[i], nodes[i] ^ left to nodes[i + n],
  // both after & mask. Returns the XOR of all left children (before the mask).
  Block (*expandLevel)(const AesKey &key, Block mask, Block *nodes, std::size_t n);

  // out[4 i + j] = E_keys[j](seeds[i]) ^ seeds[i].
  void (*stretch)(const AesKey *keys, const Block *seeds, Block *out, std::size_t n);
};

// The fastest backend of this machine; one backend, or null if this machine lacks it.
const AesKernels &aesKernels();
const AesKernels *aesKernels(AesBackend backend);

// A stream of pads: the keys are derived from a public one by counter. Both parties make the same calls in the same
// order.
class PadHash {
public:
  static constexpr std::size_t kPadsPerKey = 256;
  explicit PadHash(Block publicKey) : source_(publicKey) {}

  // zero[i] = low half of H(q[i]), one[i] = that of H(q[i] ^ delta), under the keys that follow.
  void pairs(std::span<const Block> q, Block delta, std::uint64_t *zero, std::uint64_t *one);
  // The same for the receiver, who has one of the two.
  void single(std::span<const Block> t, std::uint64_t *out);
  // Both halves.
  void pairs(std::span<const Block> q, Block delta, Block *zero, Block *one);
  void single(std::span<const Block> t, Block *out);

private:
  AesKey nextKey();
  AesKey source_;
  std::uint64_t used_ = 0;
};

} // namespace sd
