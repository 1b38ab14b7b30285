#include "runtime/he/Rlwe.h"

#include <bit>
#include <cassert>
#include <cmath>
#include <cstring>

namespace sd {

namespace {

constexpr int kN = kRlweDegree;
constexpr int kDropBits = kReplyBits - kWantedBits;
constexpr int kMessageShift = kReplyBits - kRingBits; // a message unit at the reply modulus is 2^9

// q mod 2^32 and 2^-32 mod each prime: round(q m / 2^32) = (q m + 2^31 - rho) / 2^32 with rho = (q m + 2^31) mod 2^32,
// and q m vanishes modulo the primes.
constexpr std::uint32_t kModulusLow = static_cast<std::uint32_t>(kPrimes[0]) * static_cast<std::uint32_t>(kPrimes[1]);

const ShoupFactor &inverseTwo32(int prime) {
  static const ShoupFactor factors[kPrimeCount] = {
      {inverseMod((std::uint64_t{1} << 32) % kPrimes[0], kPrimes[0]), kPrimes[0]},
      {inverseMod((std::uint64_t{1} << 32) % kPrimes[1], kPrimes[1]), kPrimes[1]}};
  return factors[prime];
}

std::uint64_t encodeResidue(Ring m, int prime) {
  const std::uint64_t p = kPrimes[prime];
  const std::uint32_t rho = kModulusLow * m + (std::uint32_t{1} << 31);
  return inverseTwo32(prime)((std::uint64_t{1} << 31) + p - rho, p);
}

std::uint64_t residue(std::int64_t small, std::uint64_t p) {
  return static_cast<std::uint64_t>(small) + (p & static_cast<std::uint64_t>(small >> 63));
}

// Centred binomial of parameter 21: the difference of two counts of 21 bits.
void errors(Prg &randomness, std::span<std::int32_t> out) {
  SecretVector<std::uint64_t> bits(out.size());
  randomness.fill(bits.span());
  constexpr std::uint64_t kMask = (std::uint64_t{1} << kErrorBound) - 1;
  for (std::size_t i = 0; i < out.size(); ++i)
    out[i] = std::popcount(bits[i] & kMask) - std::popcount(bits[i] >> kErrorBound & kMask);
}

// Uniform on {-1, 0, 1} up to 2^-62: the high word of 3 x.
void ternary(Prg &randomness, std::span<std::int32_t> out) {
  SecretVector<std::uint64_t> words(out.size());
  randomness.fill(words.span());
  for (std::size_t i = 0; i < out.size(); ++i)
    out[i] = static_cast<std::int32_t>(static_cast<Wide>(words[i]) * 3 >> 64) - 1;
}

const std::uint64_t *part(const RlwePoly &poly, int prime) { return poly.data() + std::size_t(prime) * kN; }
std::uint64_t *part(RlwePoly &poly, int prime) { return poly.data() + std::size_t(prime) * kN; }

// out = a s + b, all transforms.
void multiplyPlus(const RlwePoly &a, const RlwePoly &s, bool negate, RlwePoly &inOut) {
  thread_local ProductSum sum;
  SecretVector<std::uint64_t> product(kN);
  for (int i = 0; i < kPrimeCount; ++i) {
    const NttTables &t = nttTables(i);
    sum.clear();
    polyKernels().multiplyAdd(t, sum, part(a, i), part(s, i));
    polyKernels().reduce(t, sum, product.data());
    std::uint64_t *out = part(inOut, i);
    for (int j = 0; j < kN; ++j)
      out[j] = negate ? subMod(out[j], product[j], t.p) : addMod(out[j], product[j], t.p);
  }
  sum.clear();
}

// The fraction x / q mod 1 from x's residues: sum of x_i (q / p_i)^-1 / p_i.
struct Fraction {
  ShoupFactor factor[kPrimeCount];
  double inverse[kPrimeCount];
  Fraction() {
    for (int i = 0; i < kPrimeCount; ++i) {
      factor[i] = ShoupFactor(inverseMod(kPrimes[1 - i] % kPrimes[i], kPrimes[i]), kPrimes[i]);
      inverse[i] = 1.0 / static_cast<double>(kPrimes[i]);
    }
  }
  // round(x 2^41 / q) mod 2^41. Doubles leave an error of 2^-10 of a unit before the rounding, which is part of it.
  std::uint64_t scaled(std::uint64_t x0, std::uint64_t x1) const {
    const double f = static_cast<double>(factor[0](x0, kPrimes[0])) * inverse[0] +
                     static_cast<double>(factor[1](x1, kPrimes[1])) * inverse[1];
    return static_cast<std::uint64_t>(f * 0x1p41 + 0.5) & ((std::uint64_t{1} << kReplyBits) - 1);
  }
};

const Fraction &fraction() {
  static const Fraction f;
  return f;
}

// x mod p for x in [0, 2^66), given as the low 50 and the high 16 bits: 2^50 - p is small.
std::uint64_t floodResidue(std::uint64_t low50, std::uint64_t high16, std::uint64_t p) {
  const std::uint64_t x = low50 + high16 * ((std::uint64_t{1} << kPrimeBits) - p); // < 2^50 + 2^34
  return x >= p ? x - p : x;
}

} // namespace

RlwePoly makeRlwePoly() { return RlwePoly(kRlwePolyWords); }

void uniformPoly(Prg &stream, RlwePoly &out) {
  SecretVector<std::uint64_t> words(kN + 64);
  for (int i = 0; i < kPrimeCount; ++i) {
    std::size_t have = 0;
    while (have < kN) { // a candidate is refused with probability below 2^-32
      const std::size_t wanted = kN - have;
      stream.fill(words.span().first(wanted));
      for (std::size_t j = 0; j < wanted; ++j) {
        const std::uint64_t candidate = words[j] & ((std::uint64_t{1} << kPrimeBits) - 1);
        if (candidate < kPrimes[i]) part(out, i)[have++] = candidate;
      }
    }
  }
}

void transformSigned(std::span<const std::int32_t> coefficients, RlwePoly &out) {
  assert(coefficients.size() == kN);
  for (int i = 0; i < kPrimeCount; ++i) {
    for (int j = 0; j < kN; ++j)
      part(out, i)[j] = residue(coefficients[j], kPrimes[i]);
    polyKernels().forward(nttTables(i), part(out, i));
  }
}

void transformConstant(std::int32_t value, RlwePoly &out) {
  for (int i = 0; i < kPrimeCount; ++i)
    std::fill_n(part(out, i), kN, residue(value, kPrimes[i]));
}

void packBits(std::span<const std::uint64_t> values, int bits, std::span<std::uint8_t> out) {
  assert(bits <= 57 && out.size() == packedBytes(values.size(), bits));
  std::uint64_t pending = 0;
  int have = 0;
  std::uint8_t *to = out.data();
  for (std::uint64_t v : values) {
    pending |= v << have;
    have += bits;
    while (have >= 8 && have <= 64) {
      if (have >= 32) {
        const auto word = static_cast<std::uint32_t>(pending);
        std::memcpy(to, &word, 4);
        to += 4;
        pending >>= 32;
        have -= 32;
        continue;
      }
      *to++ = static_cast<std::uint8_t>(pending);
      pending >>= 8;
      have -= 8;
    }
  }
  if (have > 0) *to = static_cast<std::uint8_t>(pending);
}

void unpackBits(std::span<const std::uint8_t> in, int bits, std::span<std::uint64_t> values) {
  assert(bits <= 57 && in.size() == packedBytes(values.size(), bits));
  const std::uint64_t mask = (std::uint64_t{1} << bits) - 1;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::size_t at = i * bits, byte = at / 8;
    std::uint64_t word = 0;
    std::memcpy(&word, in.data() + byte, std::min<std::size_t>(8, in.size() - byte));
    values[i] = word >> (at % 8) & mask;
  }
}

void packPoly(const RlwePoly &poly, std::span<std::uint8_t> out) { packBits(poly.span(), kPrimeBits, out); }

Expected<void> unpackPoly(std::span<const std::uint8_t> bytes, RlwePoly &out) {
  unpackBits(bytes, kPrimeBits, out.span());
  for (int i = 0; i < kPrimeCount; ++i)
    for (int j = 0; j < kN; ++j)
      if (part(out, i)[j] >= kPrimes[i]) return fail("the peer sent a ciphertext that is not well formed");
  return {};
}

RlweSecretKey::RlweSecretKey(Prg &randomness) : secret_(makeRlwePoly()) {
  SecretVector<std::int32_t> s(kN);
  ternary(randomness, s.span());
  transformSigned(s.span(), secret_);
}

void RlweSecretKey::encrypt(std::span<const Ring> message, const RlwePoly &c1, Prg &randomness, RlwePoly &c0) const {
  assert(message.size() == kN);
  SecretVector<std::int32_t> e(kN);
  errors(randomness, e.span());
  for (int i = 0; i < kPrimeCount; ++i) {
    for (int j = 0; j < kN; ++j)
      part(c0, i)[j] = addMod(encodeResidue(message[j], i), residue(e[j], kPrimes[i]), kPrimes[i]);
    polyKernels().forward(nttTables(i), part(c0, i));
  }
  multiplyPlus(c1, secret_, true, c0);
}

void RlweSecretKey::makePublicKey(const RlwePoly &k1, Prg &randomness, RlwePoly &k0) const {
  SecretVector<std::int32_t> e(kN);
  errors(randomness, e.span());
  transformSigned(e.span(), k0);
  multiplyPlus(k1, secret_, true, k0);
}

std::uint32_t RlweSecretKey::decrypt(std::span<const std::uint64_t> c1, std::span<const std::uint64_t> wanted,
                                     std::span<const std::int32_t> positions, std::span<Ring> out) const {
  // c1 s over the integers: c1 centred is below 2^40 and, as c1 is pseudorandom, the sum of its 2731 signed terms has
  // deviation 2^44.9; half the prime is 2^49, 17 deviations away. One prime is enough.
  const NttTables &t = nttTables(0);
  SecretVector<std::uint64_t> product(kN);
  constexpr std::int64_t kHalf = std::int64_t{1} << (kReplyBits - 1);
  for (int j = 0; j < kN; ++j) {
    const auto v = static_cast<std::int64_t>(c1[j]);
    product[j] = residue(v >= kHalf ? v - 2 * kHalf : v, t.p);
  }
  polyKernels().forward(t, product.data());
  thread_local ProductSum sum;
  sum.clear();
  polyKernels().multiplyAdd(t, sum, product.data(), part(secret_, 0));
  polyKernels().reduce(t, sum, product.data());
  polyKernels().inverse(t, product.data());
  sum.clear();
  std::uint32_t worst = 0;
  for (std::size_t i = 0; i < positions.size(); ++i) {
    const std::uint64_t v = product[positions[i]];
    const std::uint64_t centred = v > t.p / 2 ? v - t.p : v;
    const std::uint64_t phase = (wanted[i] << kDropBits) + centred;
    const std::uint64_t rounded = phase + (std::uint64_t{1} << (kMessageShift - 1));
    out[i] = static_cast<Ring>(rounded >> kMessageShift);
    const auto distance = static_cast<std::int32_t>(rounded & ((1U << kMessageShift) - 1)) - (1 << (kMessageShift - 1));
    worst = std::max(worst, static_cast<std::uint32_t>(std::abs(distance)));
  }
  return worst;
}

void ReplySums::clear() {
  for (int i = 0; i < kPrimeCount; ++i) {
    c0[i].clear();
    c1[i].clear();
  }
}

void ReplySums::add(std::span<const RlweTerm> terms) {
  assert(terms.size() <= kTermsAtOnce);
  PairTerm pairs[kTermsAtOnce];
  for (int i = 0; i < kPrimeCount; ++i) {
    for (std::size_t k = 0; k < terms.size(); ++k)
      pairs[k] = {part(*terms[k].weights, i), part(*terms[k].c0, i), part(*terms[k].c1, i)};
    polyKernels().multiplyAddPairs(nttTables(i), c0[i], c1[i], std::span(pairs, terms.size()));
  }
}

void makeReply(const ReplySums &sums, const RlwePublicKey &key, const ReplyRequest &request, Prg &randomness,
               std::span<std::uint64_t> c1, std::span<std::uint64_t> wanted) {
  RlwePoly poly0 = makeRlwePoly(), poly1 = makeRlwePoly(), blind = makeRlwePoly();
  SecretVector<std::int32_t> small(kN), e0(request.positions.size());
  ternary(randomness, small.span());
  transformSigned(small.span(), blind);
  for (int i = 0; i < kPrimeCount; ++i) {
    polyKernels().reduce(nttTables(i), sums.c0[i], part(poly0, i));
    polyKernels().reduce(nttTables(i), sums.c1[i], part(poly1, i));
  }
  multiplyPlus(key.k0, blind, false, poly0);
  multiplyPlus(key.k1, blind, false, poly1);
  for (int i = 0; i < kPrimeCount; ++i) {
    polyKernels().inverse(nttTables(i), part(poly0, i));
    polyKernels().inverse(nttTables(i), part(poly1, i));
  }
  const Fraction &f = fraction();
  errors(randomness, small.span());
  for (int j = 0; j < kN; ++j)
    c1[j] = f.scaled(addMod(part(poly1, 0)[j], residue(small[j], kPrimes[0]), kPrimes[0]),
                     addMod(part(poly1, 1)[j], residue(small[j], kPrimes[1]), kPrimes[1]));
  errors(randomness, e0.span());
  SecretVector<std::uint64_t> flood(2 * request.positions.size());
  randomness.fill(flood.span());
  constexpr std::uint64_t kLowMask = (std::uint64_t{1} << kPrimeBits) - 1;
  constexpr std::uint64_t kHighMask = (std::uint64_t{1} << (kFloodBits - kPrimeBits)) - 1;
  // The flood is drawn from [0, 2^66); half of that, 2^65, is taken off again.
  static const std::uint64_t kHalfFlood[kPrimeCount] = {powMod(2, kFloodBits - 1, kPrimes[0]),
                                                        powMod(2, kFloodBits - 1, kPrimes[1])};
  for (std::size_t j = 0; j < request.positions.size(); ++j) {
    std::uint64_t x[kPrimeCount];
    for (int i = 0; i < kPrimeCount; ++i) {
      const std::uint64_t p = kPrimes[i];
      std::uint64_t v = part(poly0, i)[request.positions[j]];
      v = subMod(v, encodeResidue(request.mask[j], i), p);
      v = addMod(v, residue(e0[j], p), p);
      v = addMod(v, floodResidue(flood[2 * j] & kLowMask, flood[2 * j + 1] & kHighMask, p), p);
      x[i] = subMod(v, kHalfFlood[i], p);
    }
    wanted[j] = (f.scaled(x[0], x[1]) + (std::uint64_t{1} << (kDropBits - 1))) >> kDropBits &
                ((std::uint64_t{1} << kWantedBits) - 1);
  }
}

} // namespace sd
