// RLWE encryption of ring elements under the hospital's key (Brakerski / Fan-Vercauteren form, plaintext modulus 2^32
// or 2^64), with the operations that one linear correlation needs. Polynomials have N coefficients; ciphertext
// polynomials are held as transforms modulo each prime, one after the other. Sizes: RlweParameters.h.
#pragma once

#include <array>
#include <span>

#include "ir/core/Error.h"
#include "runtime/crypto/Random.h"
#include "runtime/crypto/Secret.h"
#include "runtime/he/PolyRing.h"
#include "runtime/he/RlweParameters.h"

namespace sd {

// Z_p[X] / (X^N + 1) for prime number `prime` of the ring's parameters.
template <RingWord R, RlweUse U = RlweUse::Weights>
const PolyRing &polyRing(int prime);

// Transforms modulo kPrimes[0], then kPrimes[1], ...
using RlwePoly = SecretVector<std::uint64_t>;

template <RingWord R, RlweUse U = RlweUse::Weights>
RlwePoly makeRlwePoly() {
  return RlwePoly(RlweParameters<R, U>::kPolyWords);
}

// A uniform polynomial, as transforms: c1 of a fresh ciphertext, expanded from a public seed by both parties.
template <RingWord R, RlweUse U = RlweUse::Weights>
void uniformPoly(Prg &stream, RlwePoly &out);

// Signed coefficients, as transforms modulo each prime; below the primes but for masks.
template <RingWord R, RlweUse U = RlweUse::Weights>
void transformSigned(std::span<const SignedOf<R>> coefficients, RlwePoly &out);

// The same of kInterleaved polynomials in X^kInterleaved: coefficient i of number j stands at i + j.
template <RingWord R, RlweUse U = RlweUse::Weights>
void transformSparse(std::span<const SignedOf<R>> coefficients, std::span<RlwePoly, kInterleaved> out);

// The same for the constant polynomial `value`: every residue of its transform is the value.
template <RingWord R, RlweUse U = RlweUse::Weights>
void transformConstant(SignedOf<R> value, RlwePoly &out);

// 50-bit residues to bytes and back. unpack refuses residues that are not below their prime.
void packPoly(const RlwePoly &poly, std::span<std::uint8_t> out);
template <RingWord R, RlweUse U = RlweUse::Weights>
Expected<void> unpackPoly(std::span<const std::uint8_t> bytes, RlwePoly &out);

struct RlwePublicKey {
  RlwePoly k0, k1; // k0 + k1 s is small
};

// P1's side.
template <RingWord R, RlweUse U = RlweUse::Weights>
class RlweSecretKey {
public:
  // A ternary secret.
  explicit RlweSecretKey(Prg &randomness);

  // c0 of an encryption of the N ring elements `message`, for the c1 given.
  void encrypt(std::span<const R> message, const RlwePoly &c1, Prg &randomness, RlwePoly &c0) const;

  // k0 for the k1 given: an encryption of zero.
  void makePublicKey(const RlwePoly &k1, Prg &randomness, RlwePoly &k0) const;

  // Opens the coefficients `positions` of a reply. `c1` holds N values below 2^kReplyBits; wanted[i] is c0's
  // coefficient positions[i] divided by 2^6, rounded. Writes the messages; returns the largest distance of a phase from
  // its message, which decryption bears up to 2^8 (for tests and diagnosis).
  std::uint32_t decrypt(std::span<const ReplyWord<R>> c1, std::span<const ReplyWord<R>> wanted,
                        std::span<const std::int32_t> positions, std::span<R> out) const;

private:
  RlwePoly secret_; // transforms of s
};

// A weight polynomial times a ciphertext (c0, c1), all as transforms.
struct RlweTerm {
  const RlwePoly *weights, *c0, *c1;
};

// P0's side: a reply made of the product sums (one for each prime) of both ciphertext polynomials.
template <RingWord R, RlweUse U = RlweUse::Weights>
struct ReplySums {
  std::vector<ProductSum> c0, c1;
  ReplySums();
  // += the sum of the products, of at most kTermsAtOnce.
  void add(std::span<const RlweTerm> terms);
};

template <RingWord R>
struct ReplyRequest {
  std::span<const std::int32_t> positions; // wanted coefficients
  std::span<const R> mask;                 // u, one for each position: subtracted
};

// Re-randomises under the public key, subtracts the mask, floods, switches to the reply modulus, drops bits. c1: N
// values below 2^kReplyBits; wanted: one value below 2^kWantedBits a position.
template <RingWord R, RlweUse U = RlweUse::Weights>
void makeReply(const ReplySums<R, U> &sums, const RlwePublicKey &key, const ReplyRequest<R> &request, Prg &randomness,
               std::span<ReplyWord<R>> c1, std::span<ReplyWord<R>> wanted);

} // namespace sd
