// What the offline phase leaves with each party, one material for each entry of the plan.
//
// P0 is the service (holds X), P1 the hospital (holds the masks). n: elements. `r` always means P1's mask of the
// entry's operand. A share of a bit is by exclusive or, a share of a word by sum in the ring R, Z_2^B (of a t-bit word:
// mod 2^t; the bits above are noise). "P0: random" means uniform and independent of everything but the correlation.
// Wanted, in the order that a provider makes them: what is uniform, then what is a function of r and of both parties'
// uniform parts.
#pragma once

#include <variant>

#include "runtime/offline/Plan.h"
#include "runtime/offline/SecretPlanes.h"

namespace sd {

// nr: whether the top bit of a mask is clear.
template <RingWord R>
constexpr R notTop(R r) {
  return 1 - (r >> (kBitsOf<R> - 1));
}

// ---------------------------------------------------------------------------------------------------- Input, Output
template <RingWord R>
struct InputMaterial {  // P1 alone
  SecretVector<R> mask; // random
};
template <RingWord R>
struct OutputMaterial { // P1 alone
  SecretVector<R> r;
};

// ---------------------------------------------------------------------------------------------------- Linear
// u + v = W r mod 2^B. P1's mask of y = W x + b is v; P1 needs it offline only (the mask walk), so keeps nothing.
template <RingWord R>
struct LinearMaterial { // P0 alone
  SecretVector<R> u;
};

// ---------------------------------------------------------------------------------------------------- comparisons
// For a CompareShape {t, bound} with tree = shape.tree(), q1 = r >> t, nr = 1 - (r >> (B - 1)):
//
//  leaf      b = complement of the low tree.bits bits of r. For each digit of the tree, in order: 2^bits planes of
//            "greater", then, if it has equality, 2^bits planes of "equal". Plane e holds [e ^ c > b], [e ^ c == b] of
//            the digit's bits of c and b. table0 ^ table1 is that.
//  masks     one plane for each wire, level by level, in the order of the tree; the wire's mask is mask0 ^ mask1.
//  products  one plane for each CompareTree::Product, level by level: product0 ^ product1 = AND of its masks.
//  ends      shares of the masks of the results: lam = l0 ^ l1 masks the sign, then for t > 0 rho = rho0 ^ rho1 masks
//            [sign and carry]. Of a truncation alone: rho, which masks the carry.
//  select    select0 + select1 = lam q1 - l1 d mod 2^B. (d is a difference of two pads: from a random OT with
//            messages M0, M1 of P0's and P1's choice l1, d = M1 - M0, and a share -l1 d is M0 on P0's side and -M_l1 on
//            P1's.)
//  wrap      for t > 0, mod 2^t: nA0 + nA1 = cA nr; lA0 + lA1 = cA l1 nr; nB0 + nB1 = cB (1 - 2 l1) nr.
//            (A receiver P0 with choice cA gets both nA and lA from one OT.)
//  carry     for t > 0: carry0 + carry1 = rho mod 2^B.
//
// A truncation alone selects nothing: no l, d, select, cB, wrapLA, wrapB. For Maximum, r is the mask of a - b (r_a -
// r_b), t = 0, and P1 adds r_b to what it re-masks.
template <RingWord R>
struct CompareService {
  SecretPlanes c;        // tree.bits planes, random: the masks of P0's digits, bit k of the number in plane k
  SecretPlanes tables;   // table0
  SecretPlanes masks;    // random
  SecretPlanes products; // product0
  SecretPlanes ends;     // l0, rho0: random
  SecretVector<R> d;     // random
  SecretVector<R> select;
  SecretPlanes wrapChoice;              // cA, cB: random
  SecretVector<R> wrapA, wrapLA, wrapB; // nA0, lA0, nB0
  SecretVector<R> carry;                // carry0
};
template <RingWord R>
struct CompareClient {
  SecretVector<R> r;
  SecretPlanes tables;
  SecretPlanes masks; // random
  SecretPlanes products;
  SecretPlanes ends; // l1, rho1: random
  SecretVector<R> select;
  SecretVector<R> wrapA, wrapLA, wrapB;
  SecretVector<R> carry;
  SecretVector<R> addend; // Maximum: r_b; else empty
  SecretVector<R> mask;   // random: the result's
};

// ---------------------------------------------------------------------------------------------------- Product, Dot
// r, s: masks of x, y. product0 + product1 = alpha s + beta r mod 2^B; of a Dot, whose matrices these then are,
// alpha s^T + r beta^T.
template <RingWord R>
struct ProductService {
  SecretVector<R> alpha, beta; // random
  SecretVector<R> product;
};
template <RingWord R>
struct ProductClient {
  SecretVector<R> r, s;
  SecretVector<R> product;
  SecretVector<R> mask; // random: the result's
};

// The material of one entry, for each party. monostate: nothing to hold (P0's Input and Output, P1's Linear).
template <RingWord R>
using ServiceMaterial = std::variant<std::monostate, LinearMaterial<R>, CompareService<R>, ProductService<R>>;
template <RingWord R>
using ClientMaterial =
    std::variant<std::monostate, InputMaterial<R>, OutputMaterial<R>, CompareClient<R>, ProductClient<R>>;

// What tells them apart, for code that takes either.
template <class Material>
struct MaterialTraits;
template <RingWord R>
struct MaterialTraits<ServiceMaterial<R>> {
  using Word = R;
  static constexpr int kParty = 0;
};
template <RingWord R>
struct MaterialTraits<ClientMaterial<R>> {
  using Word = R;
  static constexpr int kParty = 1;
};
template <class Material>
concept PartyMaterial = requires {
  typename MaterialTraits<Material>::Word;
};

// Whether the material is of this entry's kind and size: false also for one that has been moved from.
template <PartyMaterial Material>
bool fits(const Material &material, const PlanEntry &entry);

// Exact size in memory of no padding but to the last byte: the form in which material is kept on disk.
std::size_t packedBytes(const PlanEntry &entry, int party, int ringBits);
template <PartyMaterial Material>
SecretVector<std::uint8_t> pack(const Material &material, const PlanEntry &entry);
template <PartyMaterial Material>
Expected<Material> unpack(std::span<const std::uint8_t> bytes, const PlanEntry &entry);

} // namespace sd
