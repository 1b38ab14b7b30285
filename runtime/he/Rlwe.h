// RLWE encryption of ring elements under the hospital's key (Brakerski / Fan-Vercauteren form, plaintext modulus 2^32),
// with the operations that one linear correlation needs. Polynomials have N coefficients; ciphertext polynomials are
// held as transforms modulo both primes, one after the other.
#pragma once

#include <span>

#include "ir/core/Ring.h"
#include "runtime/crypto/Random.h"
#include "runtime/crypto/Secret.h"
#include "runtime/he/Ntt.h"

namespace sd {

// 2 N residues: transforms modulo kPrimes[0], then kPrimes[1].
using RlwePoly = SecretVector<std::uint64_t>;
inline constexpr std::size_t kRlwePolyWords = std::size_t{kPrimeCount} * kRlweDegree;
inline constexpr std::size_t kPackedUploadBytes = std::size_t{kRlweDegree} * kUploadBits / 8;
inline constexpr std::size_t kPackedReplyBytes = std::size_t{kRlweDegree} * kReplyBits / 8;

RlwePoly makeRlwePoly();

// A uniform polynomial, as transforms: c1 of a fresh ciphertext, expanded from a public seed by both parties.
void uniformPoly(Prg &stream, RlwePoly &out);

// Small signed coefficients as transforms modulo both primes.
void transformSigned(std::span<const std::int32_t> coefficients, RlwePoly &out);

// The same for the constant polynomial `value`: every residue of its transform is the value.
void transformConstant(std::int32_t value, RlwePoly &out);

// 50-bit residues to bytes and back. unpack refuses residues that are not below their prime.
void packPoly(const RlwePoly &poly, std::span<std::uint8_t> out);
Expected<void> unpackPoly(std::span<const std::uint8_t> bytes, RlwePoly &out);

struct RlwePublicKey {
  RlwePoly k0, k1; // k0 + k1 s is small
};

// P1's side.
class RlweSecretKey {
public:
  // A ternary secret.
  explicit RlweSecretKey(Prg &randomness);

  // c0 of an encryption of the N ring elements `message`, for the c1 given.
  void encrypt(std::span<const Ring> message, const RlwePoly &c1, Prg &randomness, RlwePoly &c0) const;

  // k0 for the k1 given: an encryption of zero.
  void makePublicKey(const RlwePoly &k1, Prg &randomness, RlwePoly &k0) const;

  // Opens the coefficients `positions` of a reply. `c1` holds N values below 2^41; wanted[i] is c0's coefficient
  // positions[i] divided by 2^6, rounded. Writes the messages; returns the largest distance of a phase from its
  // message, which decryption bears up to 2^8 (for tests and diagnosis).
  std::uint32_t decrypt(std::span<const std::uint64_t> c1, std::span<const std::uint64_t> wanted,
                        std::span<const std::int32_t> positions, std::span<Ring> out) const;

private:
  RlwePoly secret_; // transforms of s
};

// A weight polynomial times a ciphertext (c0, c1), all as transforms.
struct RlweTerm {
  const RlwePoly *weights, *c0, *c1;
};
inline constexpr std::size_t kTermsAtOnce =
    4; // a weight polynomial and a ciphertext of each fit beside the sums in a core's cache

// P0's side: a reply made of the product sums (one for each prime) of both ciphertext polynomials.
struct ReplySums {
  ProductSum c0[kPrimeCount], c1[kPrimeCount];
  void clear();
  // += the sum of the products, of at most kTermsAtOnce.
  void add(std::span<const RlweTerm> terms);
};

struct ReplyRequest {
  std::span<const std::int32_t> positions; // wanted coefficients
  std::span<const Ring> mask;              // u, one for each position: subtracted
};

// Re-randomises under the public key, subtracts the mask, floods, switches to 2^41, drops bits. c1: N values below
// 2^41; wanted: one value below 2^35 a position.
void makeReply(const ReplySums &sums, const RlwePublicKey &key, const ReplyRequest &request, Prg &randomness,
               std::span<std::uint64_t> c1, std::span<std::uint64_t> wanted);

// Values of `bits` <= 57 bits, concatenated, little-endian; the last byte is padded with zeros.
void packBits(std::span<const std::uint64_t> values, int bits, std::span<std::uint8_t> out);
void unpackBits(std::span<const std::uint8_t> in, int bits, std::span<std::uint64_t> values);
inline std::size_t packedBytes(std::size_t count, int bits) { return (count * bits + 7) / 8; }

} // namespace sd
