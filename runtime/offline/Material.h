// What the offline phase leaves with each party, one material for each entry of the plan.
//
// P0 is the service (holds X), P1 the hospital (holds the masks). n: elements. `r` always means P1's mask of the
// entry's operand. A share of a bit is by exclusive or, a share of a word by sum mod 2^32 (of a t-bit word: mod 2^t;
// the bits above are noise). "P0: random" means uniform and independent of everything but the correlation. Wanted, in
// the order that a provider makes them: what is uniform, then what is a function of r and of both parties' uniform
// parts.
#pragma once

#include <variant>

#include "runtime/offline/Plan.h"
#include "runtime/offline/SecretPlanes.h"

namespace sd {

// ---------------------------------------------------------------------------------------------------- Input, Output
struct InputMaterial {     // P1 alone
  SecretVector<Ring> mask; // random
};
struct OutputMaterial { // P1 alone
  SecretVector<Ring> r;
};

// ---------------------------------------------------------------------------------------------------- Linear
// u + v = W r mod 2^32. P1's mask of y = W x + b is v; P1 needs it offline only (the mask walk), so keeps nothing.
struct LinearMaterial { // P0 alone
  SecretVector<Ring> u;
};

// ---------------------------------------------------------------------------------------------------- Truncate
// nr = 1 - (r >> 31). wrap0 + wrap1 = c nr mod 2^t.
struct TruncateService {
  SecretPlanes c;          // one plane, random
  SecretVector<Ring> wrap; // wrap0: random
};
struct TruncateClient {
  SecretVector<Ring> r;
  SecretVector<Ring> wrap; // wrap1: function of r, c, wrap0
  SecretVector<Ring> mask; // random: the result's
};

// ---------------------------------------------------------------------------------------------------- Compare
// For a CompareShape {t, bound} with tree = CompareTree::make(bound - t, schedule), q1 = r >> t, nr = 1 - (r >> 31):
//
//  leaf      b = complement of the low bound - t bits of q1. For each digit of the tree, in order: 2^bits planes of
//            "greater", then, if it has equality, 2^bits planes of "equal". Plane e holds [e ^ c > b], [e ^ c == b] of
//            the digit's bits of c and b. table0 ^ table1 is that.
//  masks     one plane for each wire, level by level, in the order of the tree; the wire's mask is mask0 ^ mask1.
//  products  one plane for each CompareTree::Product, level by level: product0 ^ product1 = AND of its masks.
//  l         lam = l0 ^ l1 masks the sign.
//  select    select0 + select1 = lam q1 - l1 d mod 2^32. (d is a difference of two pads: from a random OT with
//            messages M0, M1 of P0's and P1's choice l1, d = M1 - M0, and a share -l1 d is M0 on P0's side and -M_l1 on
//            P1's.)
//  wrap      for t > 0, mod 2^t: nA0 + nA1 = cA nr; lA0 + lA1 = cA l1 nr; nB0 + nB1 = cB (1 - 2 l1) nr.
//            (A receiver P0 with choice cA gets both nA and lA from one OT.)
//
// For Maximum, r is the mask of a - b (r_a - r_b), t = 0, and P1 adds r_b to what it re-masks.
struct CompareService {
  SecretPlanes c;        // bound - t planes, random: the masks of P0's digits, bit k of the number in plane k
  SecretPlanes tables;   // table0
  SecretPlanes masks;    // random
  SecretPlanes products; // product0
  SecretPlanes l;        // l0, one plane, random
  SecretVector<Ring> d;  // random
  SecretVector<Ring> select;
  SecretPlanes wrapChoice;                 // cA, cB: random; no planes if t = 0
  SecretVector<Ring> wrapA, wrapLA, wrapB; // nA0, lA0, nB0; empty if t = 0
};
struct CompareClient {
  SecretVector<Ring> r;
  SecretPlanes tables;
  SecretPlanes masks; // random
  SecretPlanes products;
  SecretPlanes l; // l1, one plane, random
  SecretVector<Ring> select;
  SecretVector<Ring> wrapA, wrapLA, wrapB;
  SecretVector<Ring> addend; // Maximum: r_b; else empty
  SecretVector<Ring> mask;   // random: the result's
};

// ---------------------------------------------------------------------------------------------------- Product
// r, s: masks of x, y. product0 + product1 = alpha s + beta r mod 2^32.
struct ProductService {
  SecretVector<Ring> alpha, beta; // random
  SecretVector<Ring> product;
};
struct ProductClient {
  SecretVector<Ring> r, s;
  SecretVector<Ring> product;
  SecretVector<Ring> mask; // random: the result's
};

// The material of one entry, for each party. monostate: nothing to hold (P0's Input and Output, P1's Linear).
using ServiceMaterial = std::variant<std::monostate, LinearMaterial, TruncateService, CompareService, ProductService>;
using ClientMaterial =
    std::variant<std::monostate, InputMaterial, OutputMaterial, TruncateClient, CompareClient, ProductClient>;

// Whether the material is of this entry's kind and size: false also for one that has been moved from.
bool fits(const ServiceMaterial &material, const PlanEntry &entry);
bool fits(const ClientMaterial &material, const PlanEntry &entry);

// Exact size in memory of no padding but to the last byte: the form in which material is kept on disk.
std::size_t servicePackedBytes(const PlanEntry &entry);
std::size_t clientPackedBytes(const PlanEntry &entry);
SecretVector<std::uint8_t> pack(const ServiceMaterial &material, const PlanEntry &entry);
SecretVector<std::uint8_t> pack(const ClientMaterial &material, const PlanEntry &entry);
Expected<ServiceMaterial> unpackService(std::span<const std::uint8_t> bytes, const PlanEntry &entry);
Expected<ClientMaterial> unpackClient(std::span<const std::uint8_t> bytes, const PlanEntry &entry);

} // namespace sd
