// Where a layer's tensors stand in its polynomials (ir/core/LinearPacking.h chooses the packing; this walks it).
#pragma once

#include <span>

#include "ir/core/LinearPacking.h"
#include "ir/core/Ring.h"

namespace sd {

// Fills the N coefficients of one upload from the layer's flat input.
template <RingWord R>
void packInput(const LinearGeometry &geometry, const Packing &packing, std::int64_t tile, std::int64_t inBlock,
               std::span<const R> x, std::span<R> coefficients);

// Writes the coefficients of one weight polynomial (the same for every tile) that are not 0 by its shape, each `offset`
// behind its place.
template <RingWord R>
void packWeights(const LinearGeometry &geometry, const Packing &packing, std::int64_t outBlock, std::int64_t inBlock,
                 std::span<const SignedOf<R>> weights, std::span<SignedOf<R>> coefficients, std::int64_t offset = 0);

// The wanted coefficients of one reply, and which elements of the layer's flat output they are.
struct WantedOutputs {
  std::vector<std::int32_t> positions;
  std::vector<std::int64_t> elements;
};
WantedOutputs wantedOutputs(const LinearGeometry &geometry, const Packing &packing, std::int64_t outBlock,
                            std::int64_t tile);

} // namespace sd
