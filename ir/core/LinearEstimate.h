// Time of linear layers by RLWE, from their packing; and the balance of bytes and work that suits a network.
#pragma once

#include <vector>

#include "ir/core/LinearTransfer.h"
#include "ir/core/ProtocolCost.h"

namespace sd {

// Polynomials of weights, of a whole program, that the service transforms once for all inferences: what
// runtime/he/WeightTransforms.h has room for by default.
constexpr std::int64_t keptWeights(int ringBits) {
  const RlweSizes sizes = rlweSizes(ringBits);
  return 256'000'000 / (sizes.degree * (sizes.uploadBits / 50) * 8); // residues of 50 bits, in words
}

// What the work on a polynomial grows by from that of weights in Z_2^32: with its residues.
constexpr double polynomialWork(int ringBits, RlweUse use = RlweUse::Weights) {
  return static_cast<double>(rlweSizes(ringBits, use).uploadBytes()) /
         static_cast<double>(rlweSizes(kBitsOf<Ring32>).uploadBytes());
}

// Nanoseconds of one core, of both parties together, for an inference behind the first. `cost`: of a whole program.
double linearWork(const PackingCost &cost, int ringBits, const MachineProfile &machine);

// Seconds of the offline phase, but for its round trips: both directions of the link and the cores work at once, and
// the busiest settles it.
double estimateSeconds(const PackingCost &cost, int ringBits, const NetworkProfile &network,
                       const MachineProfile &machine = MachineProfile::twoCores());

// A value of Attr::Balance, the same for all layers, of least estimated time; the default unless another gains
// something.
std::int64_t bestBalance(std::vector<LinearGeometry> layers, const NetworkProfile &network);

} // namespace sd
