// Base oblivious transfers over Curve25519, semi-honest, out of X25519 alone.
//
//   sender                                receiver (choice bit c)
//     S = X25519(s, 9)      -- S -->        key_c = X25519(r, 9), key_1-c = a random point, its logarithm unknown
//                      <-- key_0, key_1 --
//   pad_j = KDF(X25519(s, key_j))          pad_c = KDF(X25519(r, S))
//
// This is transfer from encryption whose public keys can be sampled obliviously (Gertner, Kannan, Malkin, Reingold,
// Viswanathan: The relationship between public key encryption and oblivious transfer, FOCS 2000, section 4), with
// hashed Diffie-Hellman as the encryption. The two keys must look alike. A real key is u(8m P), P the generator of the
// subgroup of prime order l and m uniform in [2^251, 2^252); as l = 2^252 + 2^124.6.. and u(-Q) = u(Q), it is uniform
// among the u of that subgroup, up to a distance of 2^-126. The other key is sampled as a uniform u that lies on the
// curve (half of all u lie on its twist: rejected by the Legendre symbol of u^3 + 486662 u^2 + u), times a clamped
// scalar: a multiple of 8, which takes the point into the subgroup, where the scalar is a bijection. So both are
// uniform in the same set, the receiver's choice is hidden up to 2^-119 for 128 transfers, whatever the sender's power;
// and the sender's other pad is hidden by the gap Diffie-Hellman assumption with the KDF (SHA-256 over the keys, the
// index and the shared point) as a random oracle.
#pragma once

#include <span>

#include "runtime/crypto/Block.h"
#include "runtime/crypto/Random.h"
#include "runtime/net/Channel.h"

namespace sd {

// Both return 128 public bits that name this run (a hash of the messages), equal at both parties: the seed of the
// public codes and keys of the extensions made from it. The spans of one party, and of both, have equal sizes, at most
// 2^16.
Expected<Block> sendBaseOts(Channel &channel, Prg &prg, std::span<Block> zero, std::span<Block> one);

// choices[i] in {0, 1}; chosen[i] is the sender's zero[i] or one[i].
Expected<Block> receiveBaseOts(Channel &channel, Prg &prg, std::span<const std::uint8_t> choices,
                               std::span<Block> chosen);

} // namespace sd
