#include "runtime/he/Rlwe.h"

#include <bit>
#include <cassert>
#include <cstdlib>

#include "runtime/he/PackBits.h"

namespace sd {

namespace {

template <RingWord R, RlweUse U>
using P = RlweParameters<R, U>;

constexpr int kFloodTerms = 3; // uniform integers in a flood

template <RingWord R, RlweUse U>
inline constexpr int kDropBits = P<R, U>::kReplyBits - P<R, U>::kWantedBits;
template <RingWord R, RlweUse U>
inline constexpr int kMessageShift = P<R, U>::kReplyBits - kBitsOf<R>; // a message unit at the reply modulus is 2^9

// floor((q m + d) / 2^L) = (q m + d - rho) / 2^L with rho = (q m + d) mod 2^L, and q m vanishes modulo the primes. With
// a uniform d the rounding's error has mean 0 and variance at most 1/4, whatever m is; with d = 2^(L-1) it is the
// nearest.
template <RingWord R, RlweUse U>
std::uint64_t encodeResidue(R m, R dither, int prime) {
  constexpr R kModulusLow = [] {
    R low = 1;
    for (int i = 0; i < P<R, U>::kPrimeCount; ++i)
      low *= static_cast<R>(kPrimes[i]);
    return low;
  }();
  static constexpr auto kInverse = [] { // 2^-L
    std::array<ShoupFactor, P<R, U>::kPrimeCount> factors;
    for (int i = 0; i < P<R, U>::kPrimeCount; ++i)
      factors[i] = {inverseMod(powMod(2, kBitsOf<R>, kPrimes[i]), kPrimes[i]), kPrimes[i]};
    return factors;
  }();
  const std::uint64_t p = kPrimes[prime];
  const R rho = kModulusLow * m + dither;
  return subMod(kInverse[prime](dither, p), kInverse[prime](rho, p), p);
}
template <RingWord R>
inline constexpr R kNearest = R{1} << (kBitsOf<R> - 1);

std::uint64_t residue(std::int64_t small, std::uint64_t p) {
  return static_cast<std::uint64_t>(small) + (p & static_cast<std::uint64_t>(small >> 63));
}

// Of numbers in parts: the low 50 bits, and what is above.
constexpr auto powersOf2(int bits) {
  std::array<ShoupFactor, std::size(kPrimes)> factors;
  for (std::size_t i = 0; i < factors.size(); ++i)
    factors[i] = {powMod(2, static_cast<std::uint64_t>(bits), kPrimes[i]), kPrimes[i]};
  return factors;
}
std::uint64_t residueOfParts(std::uint64_t low50, std::uint64_t high, int prime) {
  static constexpr auto kTwo50 = powersOf2(kPrimeBits);
  const std::uint64_t p = kPrimes[prime];
  return addMod(low50 >= p ? low50 - p : low50, kTwo50[prime](high, p), p);
}
constexpr std::uint64_t kLow50 = (std::uint64_t{1} << kPrimeBits) - 1;

// Of a number below 2^bits.
template <int bits>
std::uint64_t residueOf(Wide x, int prime) {
  const auto low = static_cast<std::uint64_t>(x) & kLow50;
  if constexpr (bits <= kPrimeBits + 64) {
    return residueOfParts(low, static_cast<std::uint64_t>(x >> kPrimeBits), prime);
  } else {
    static constexpr auto kTwo100 = powersOf2(2 * kPrimeBits);
    const std::uint64_t p = kPrimes[prime];
    return addMod(residueOfParts(low, static_cast<std::uint64_t>(x >> kPrimeBits) & kLow50, prime),
                  kTwo100[prime](static_cast<std::uint64_t>(x >> 2 * kPrimeBits), p), p);
  }
}

// Centred binomial: the difference of two counts of kErrorBound bits.
template <class Int>
void errors(Prg &randomness, std::span<Int> out) {
  SecretVector<std::uint64_t> bits(out.size());
  randomness.fill(bits.span());
  constexpr std::uint64_t kMask = (std::uint64_t{1} << kErrorBound) - 1;
  for (std::size_t i = 0; i < out.size(); ++i)
    out[i] = std::popcount(bits[i] & kMask) - std::popcount(bits[i] >> kErrorBound & kMask);
}

// Uniform on {-1, 0, 1} up to 2^-62: the high word of 3 x.
template <class Int>
void ternary(Prg &randomness, std::span<Int> out) {
  SecretVector<std::uint64_t> words(out.size());
  randomness.fill(words.span());
  for (std::size_t i = 0; i < out.size(); ++i)
    out[i] = static_cast<Int>(static_cast<Wide>(words[i]) * 3 >> 64) - 1;
}

template <RingWord R, RlweUse U>
const std::uint64_t *part(const RlwePoly &poly, int prime) {
  return poly.data() + std::size_t(prime) * P<R, U>::kDegree;
}
template <RingWord R, RlweUse U>
std::uint64_t *part(RlwePoly &poly, int prime) {
  return poly.data() + std::size_t(prime) * P<R, U>::kDegree;
}

template <RingWord R, RlweUse U>
void residues(std::span<const SignedOf<R>> coefficients, int prime, std::uint64_t *out) {
  assert((coefficients.size() == P<R, U>::kDegree));
  for (int j = 0; j < P<R, U>::kDegree; ++j)
    if constexpr (U == RlweUse::Masks && P<R, U>::kWide) // a mask of 64 bits may be above the prime
      out[j] = residue(coefficients[j] % static_cast<std::int64_t>(kPrimes[prime]), kPrimes[prime]);
    else
      out[j] = residue(coefficients[j], kPrimes[prime]);
}

// inOut += a s, or -= with `negate`; all transforms.
template <RingWord R, RlweUse U>
void multiplyPlus(const RlwePoly &a, const RlwePoly &s, bool negate, RlwePoly &inOut) {
  ProductSum sum(P<R, U>::kDegree);
  SecretVector<std::uint64_t> product(P<R, U>::kDegree);
  for (int i = 0; i < P<R, U>::kPrimeCount; ++i) {
    const PolyRing &ring = polyRing<R, U>(i);
    sum.clear();
    ring.multiplyAdd(sum, part<R, U>(a, i), part<R, U>(s, i));
    ring.reduce(sum, product.data());
    std::uint64_t *out = part<R, U>(inOut, i);
    for (int j = 0; j < P<R, U>::kDegree; ++j)
      out[j] = negate ? subMod(out[j], product[j], ring.prime()) : addMod(out[j], product[j], ring.prime());
  }
}

// round(x 2^kReplyBits / q) mod 2^kReplyBits from x's residues: x / q = sum of x_i (q / p_i)^-1 / p_i mod 1.
template <RingWord R, RlweUse U>
class Scaling {
public:
  Scaling() {
    for (int i = 0; i < kCount; ++i) {
      std::uint64_t others = 1;
      for (int j = 0; j < kCount; ++j)
        if (j != i) others = mulMod(others, kPrimes[j] % kPrimes[i], kPrimes[i]);
      factor_[i] = {inverseMod(others, kPrimes[i]), kPrimes[i]};
      inverse_[i] = 1.0 / static_cast<double>(kPrimes[i]);
      const Wide top = Wide{1} << 127;
      wideInverse_[i] = (top / kPrimes[i] << 19) + (top % kPrimes[i] << 19) / kPrimes[i];
    }
  }

  ReplyWord<R> operator()(std::span<const std::uint64_t, P<R, U>::kPrimeCount> x) const {
    constexpr auto kMask = (ReplyWord<R>{1} << P<R, U>::kReplyBits) - 1;
    if constexpr (P<R, U>::kWide) {
      // The fraction in units of 2^-96, each term less than 2 of them too small: 2^-20 of a unit of the result.
      Wide f = 0;
      for (int i = 0; i < kCount; ++i) {
        const Wide y = factor_[i](x[i], kPrimes[i]);
        f += (y * static_cast<std::uint64_t>(wideInverse_[i]) >> 50) + (y * (wideInverse_[i] >> 64) << 14);
      }
      constexpr int kShift = 96 - P<R, U>::kReplyBits;
      return (f + (Wide{1} << (kShift - 1))) >> kShift & kMask;
    } else {
      // Doubles leave an error of 2^-10 of a unit before the rounding, which is part of it.
      double f = 0;
      for (int i = 0; i < kCount; ++i)
        f += static_cast<double>(factor_[i](x[i], kPrimes[i])) * inverse_[i];
      return static_cast<std::uint64_t>(f * 0x1p41 + 0.5) & kMask;
    }
  }

private:
  static constexpr int kCount = P<R, U>::kPrimeCount;
  ShoupFactor factor_[kCount];
  double inverse_[kCount];
  Wide wideInverse_[kCount]; // floor(2^146 / p)
};
static_assert(rlweSizes(kBitsOf<Ring32>, RlweUse::Weights).replyBits == 41 &&
              rlweSizes(kBitsOf<Ring32>, RlweUse::Masks).replyBits == 41);

template <RingWord R, RlweUse U>
const Scaling<R, U> &scaling() {
  static const Scaling<R, U> s;
  return s;
}

// The number in (-q'/2, q'/2] with these residues, q' the product of the primes that decryption uses, mod 2^64 or
// 2^128.
template <RingWord R, RlweUse U>
ReplyWord<R> centred(std::span<const std::uint64_t, P<R, U>::kDecryptPrimes> x) {
  if constexpr (P<R, U>::kWide) {
    static constexpr ShoupFactor kInverse{inverseMod(kPrimes[0] % kPrimes[1], kPrimes[1]), kPrimes[1]};
    constexpr Wide kModulus = static_cast<Wide>(kPrimes[0]) * kPrimes[1];
    const std::uint64_t digit = kInverse(x[1] + 2 * kPrimes[1] - x[0], kPrimes[1]);
    const Wide v = x[0] + static_cast<Wide>(kPrimes[0]) * digit;
    return v > kModulus / 2 ? v - kModulus : v;
  } else {
    return x[0] > kPrimes[0] / 2 ? x[0] - kPrimes[0] : x[0];
  }
}

} // namespace

template <RingWord R, RlweUse U>
const PolyRing &polyRing(int prime) {
  static const std::vector<PolyRing> rings = [] {
    std::vector<PolyRing> all;
    for (int i = 0; i < P<R, U>::kPrimeCount; ++i)
      all.emplace_back(kPrimes[i], P<R, U>::kDegree);
    return all;
  }();
  return rings[prime];
}

template <RingWord R, RlweUse U>
void uniformPoly(Prg &stream, RlwePoly &out) {
  constexpr std::size_t kN = P<R, U>::kDegree;
  SecretVector<std::uint64_t> words(kN);
  for (int i = 0; i < P<R, U>::kPrimeCount; ++i) {
    std::size_t have = 0;
    while (have < kN) { // a candidate is refused with probability below 2^-29
      const std::size_t wanted = kN - have;
      stream.fill(words.span().first(wanted));
      for (std::size_t j = 0; j < wanted; ++j)
        if (const std::uint64_t candidate = words[j] & kLow50; candidate < kPrimes[i])
          part<R, U>(out, i)[have++] = candidate;
    }
  }
}

template <RingWord R, RlweUse U>
void transformSigned(std::span<const SignedOf<R>> coefficients, RlwePoly &out) {
  for (int i = 0; i < P<R, U>::kPrimeCount; ++i) {
    residues<R, U>(coefficients, i, part<R, U>(out, i));
    polyRing<R, U>(i).forward(part<R, U>(out, i));
  }
}

template <RingWord R, RlweUse U>
void transformSparse(std::span<const SignedOf<R>> coefficients, std::span<RlwePoly, kInterleaved> out) {
  SecretVector<std::uint64_t> interleaved(P<R, U>::kDegree);
  for (int i = 0; i < P<R, U>::kPrimeCount; ++i) {
    residues<R, U>(coefficients, i, interleaved.data());
    std::array<std::uint64_t *, kInterleaved> parts;
    for (int j = 0; j < kInterleaved; ++j)
      parts[j] = part<R, U>(out[j], i);
    polyRing<R, U>(i).forwardSparse(interleaved.data(), parts);
  }
}

template <RingWord R, RlweUse U>
void transformConstant(SignedOf<R> value, RlwePoly &out) {
  for (int i = 0; i < P<R, U>::kPrimeCount; ++i)
    std::fill_n(part<R, U>(out, i), P<R, U>::kDegree, residue(value, kPrimes[i]));
}

void packPoly(const RlwePoly &poly, std::span<std::uint8_t> out) { packBits(poly.span(), kPrimeBits, out); }

template <RingWord R, RlweUse U>
Expected<void> unpackPoly(std::span<const std::uint8_t> bytes, RlwePoly &out) {
  unpackBits(bytes, kPrimeBits, out.span());
  for (int i = 0; i < P<R, U>::kPrimeCount; ++i)
    for (int j = 0; j < P<R, U>::kDegree; ++j)
      if (part<R, U>(out, i)[j] >= kPrimes[i]) return fail("the peer sent a ciphertext that is not well formed");
  return {};
}

template <RingWord R, RlweUse U>
RlweSecretKey<R, U>::RlweSecretKey(Prg &randomness) : secret_(makeRlwePoly<R, U>()) {
  SecretVector<SignedOf<R>> s(P<R, U>::kDegree);
  ternary(randomness, s.span());
  transformSigned<R, U>(s.span(), secret_);
}

template <RingWord R, RlweUse U>
void RlweSecretKey<R, U>::encrypt(std::span<const R> message, const RlwePoly &c1, Prg &randomness, RlwePoly &c0) const {
  assert((message.size() == P<R, U>::kDegree));
  SecretVector<std::int32_t> e(P<R, U>::kDegree);
  errors(randomness, e.span());
  SecretVector<R> dither(P<R, U>::kDegree);
  randomness.fill(dither.span());
  for (int i = 0; i < P<R, U>::kPrimeCount; ++i) {
    for (int j = 0; j < P<R, U>::kDegree; ++j)
      part<R, U>(c0, i)[j] =
          addMod(encodeResidue<R, U>(message[j], dither[j], i), residue(e[j], kPrimes[i]), kPrimes[i]);
    polyRing<R, U>(i).forward(part<R, U>(c0, i));
  }
  multiplyPlus<R, U>(c1, secret_, true, c0);
}

template <RingWord R, RlweUse U>
void RlweSecretKey<R, U>::makePublicKey(const RlwePoly &k1, Prg &randomness, RlwePoly &k0) const {
  SecretVector<SignedOf<R>> e(P<R, U>::kDegree);
  errors(randomness, e.span());
  transformSigned<R, U>(e.span(), k0);
  multiplyPlus<R, U>(k1, secret_, true, k0);
}

template <RingWord R, RlweUse U>
std::uint32_t RlweSecretKey<R, U>::decrypt(std::span<const ReplyWord<R>> c1, std::span<const ReplyWord<R>> wanted,
                                           std::span<const std::int32_t> positions, std::span<R> out) const {
  // c1 s over the integers. c1 centred is below 2^(kReplyBits - 1) and pseudorandom, so the sum of its some 2 N / 3
  // signed terms has deviation 2^44.9 or 2^77.4; half the modulus is 2^49 or 2^99, 17 deviations away or more.
  constexpr int kUsed = P<R, U>::kDecryptPrimes;
  constexpr ReplyWord<R> kModulus = ReplyWord<R>{1} << P<R, U>::kReplyBits;
  SecretVector<std::uint64_t> products[kUsed];
  ProductSum sum(P<R, U>::kDegree);
  for (int i = 0; i < kUsed; ++i) {
    const PolyRing &ring = polyRing<R, U>(i);
    const std::uint64_t modulus = powMod(2, P<R, U>::kReplyBits, kPrimes[i]);
    products[i] = SecretVector<std::uint64_t>(P<R, U>::kDegree);
    for (int j = 0; j < P<R, U>::kDegree; ++j) {
      const std::uint64_t x = residueOfParts(static_cast<std::uint64_t>(c1[j]) & kLow50,
                                             static_cast<std::uint64_t>(c1[j] >> kPrimeBits), i);
      products[i][j] = c1[j] >= kModulus / 2 ? subMod(x, modulus, kPrimes[i]) : x;
    }
    ring.forward(products[i].data());
    sum.clear();
    ring.multiplyAdd(sum, products[i].data(), part<R, U>(secret_, i));
    ring.reduce(sum, products[i].data());
    ring.inverse(products[i].data());
  }
  constexpr int kShift = kMessageShift<R, U>;
  std::uint32_t worst = 0;
  for (std::size_t i = 0; i < positions.size(); ++i) {
    std::array<std::uint64_t, kUsed> x;
    for (int k = 0; k < kUsed; ++k)
      x[k] = products[k][positions[i]];
    const ReplyWord<R> rounded = (wanted[i] << kDropBits<R, U>)+centred<R, U>(x) + (ReplyWord<R>{1} << (kShift - 1));
    out[i] = static_cast<R>(rounded >> kShift);
    const auto distance = static_cast<std::int32_t>(rounded & ((1U << kShift) - 1)) - (1 << (kShift - 1));
    worst = std::max(worst, static_cast<std::uint32_t>(std::abs(distance)));
  }
  return worst;
}

template <RingWord R, RlweUse U>
ReplySums<R, U>::ReplySums() {
  for (int i = 0; i < P<R, U>::kPrimeCount; ++i) {
    c0.emplace_back(P<R, U>::kDegree);
    c1.emplace_back(P<R, U>::kDegree);
  }
}

template <RingWord R, RlweUse U>
void ReplySums<R, U>::add(std::span<const RlweTerm> terms) {
  assert(terms.size() <= kTermsAtOnce);
  PairTerm pairs[kTermsAtOnce];
  for (int i = 0; i < P<R, U>::kPrimeCount; ++i) {
    for (std::size_t k = 0; k < terms.size(); ++k)
      pairs[k] = {part<R, U>(*terms[k].weights, i), part<R, U>(*terms[k].c0, i), part<R, U>(*terms[k].c1, i)};
    polyRing<R, U>(i).multiplyAddPairs(c0[i], c1[i], std::span(pairs, terms.size()));
  }
}

template <RingWord R, RlweUse U>
void makeReply(const ReplySums<R, U> &sums, const RlwePublicKey &key, const ReplyRequest<R> &request, Prg &randomness,
               std::span<ReplyWord<R>> c1, std::span<ReplyWord<R>> wanted) {
  constexpr int kN = P<R, U>::kDegree, kCount = P<R, U>::kPrimeCount;
  RlwePoly poly0 = makeRlwePoly<R, U>(), poly1 = makeRlwePoly<R, U>(), blind = makeRlwePoly<R, U>();
  SecretVector<SignedOf<R>> small(kN);
  ternary(randomness, small.span());
  transformSigned<R, U>(small.span(), blind);
  for (int i = 0; i < kCount; ++i) {
    polyRing<R, U>(i).reduce(sums.c0[i], part<R, U>(poly0, i));
    polyRing<R, U>(i).reduce(sums.c1[i], part<R, U>(poly1, i));
  }
  multiplyPlus<R, U>(key.k0, blind, false, poly0);
  multiplyPlus<R, U>(key.k1, blind, false, poly1);
  for (int i = 0; i < kCount; ++i) {
    polyRing<R, U>(i).inverse(part<R, U>(poly0, i));
    polyRing<R, U>(i).inverse(part<R, U>(poly1, i));
  }
  const Scaling<R, U> &scaled = scaling<R, U>();
  std::array<std::uint64_t, kCount> x;
  errors(randomness, small.span());
  for (int j = 0; j < kN; ++j) {
    for (int i = 0; i < kCount; ++i)
      x[i] = addMod(part<R, U>(poly1, i)[j], residue(small[j], kPrimes[i]), kPrimes[i]);
    c1[j] = scaled(x);
  }
  SecretVector<std::int32_t> e0(request.positions.size());
  errors(randomness, e0.span());
  SecretVector<Wide> uniform(kFloodTerms * request.positions.size());
  randomness.fill(uniform.span());
  constexpr Wide kUniformMask = (Wide{1} << P<R, U>::kFloodBits) - 1;
  std::array<std::uint64_t, kCount> centre; // of the flood, which is drawn from [0, kFloodTerms 2^kFloodBits)
  for (int i = 0; i < kCount; ++i)
    centre[i] = mulMod(kFloodTerms, powMod(2, P<R, U>::kFloodBits - 1, kPrimes[i]), kPrimes[i]);
  for (std::size_t j = 0; j < request.positions.size(); ++j) {
    Wide flood = 0;
    for (int k = 0; k < kFloodTerms; ++k)
      flood += uniform[kFloodTerms * j + k] & kUniformMask;
    for (int i = 0; i < kCount; ++i) {
      const std::uint64_t p = kPrimes[i];
      std::uint64_t v = part<R, U>(poly0, i)[request.positions[j]];
      v = subMod(v, encodeResidue<R, U>(request.mask[j], kNearest<R>, i), p);
      v = addMod(v, residue(e0[j], p), p);
      v = addMod(v, residueOf<P<R, U>::kFloodBits + 2>(flood, i), p);
      x[i] = subMod(v, centre[i], p);
    }
    constexpr auto kMask = (ReplyWord<R>{1} << P<R, U>::kWantedBits) - 1;
    wanted[j] = (scaled(x) + (ReplyWord<R>{1} << (kDropBits<R, U> - 1))) >> kDropBits<R, U> & kMask;
  }
}

#define SD_INSTANTIATE(R, U)                                                                                           \
  template const PolyRing &polyRing<R, U>(int);                                                                        \
  template void uniformPoly<R, U>(Prg &, RlwePoly &);                                                                  \
  template void transformSigned<R, U>(std::span<const SignedOf<R>>, RlwePoly &);                                       \
  template void transformSparse<R, U>(std::span<const SignedOf<R>>, std::span<RlwePoly, kInterleaved>);                \
  template void transformConstant<R, U>(SignedOf<R>, RlwePoly &);                                                      \
  template Expected<void> unpackPoly<R, U>(std::span<const std::uint8_t>, RlwePoly &);                                 \
  template class RlweSecretKey<R, U>;                                                                                  \
  template struct ReplySums<R, U>;                                                                                     \
  template void makeReply<R, U>(const ReplySums<R, U> &, const RlwePublicKey &, const ReplyRequest<R> &, Prg &,        \
                                std::span<ReplyWord<R>>, std::span<ReplyWord<R>>);
SD_INSTANTIATE(Ring32, RlweUse::Weights)
SD_INSTANTIATE(Ring64, RlweUse::Weights)
SD_INSTANTIATE(Ring32, RlweUse::Masks)
SD_INSTANTIATE(Ring64, RlweUse::Masks)
#undef SD_INSTANTIATE

} // namespace sd
