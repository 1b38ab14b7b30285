// The linear correlation u + v = W r of one layer by oblivious transfer (docs/protocols.md, small linear layers), and
// the choice between that and RLWE. An OT for each bit of r has as its correlation the weights of all outputs that read
// the element: in Z_2^32, 66 bytes a weight that is read and about 68 an element of r, where RLWE has at least 72 kB a
// layer. So transfers are for tiny and for diagonal layers. Public sizes only: both parties and the compiler choose
// alike.
#pragma once

#include "ir/core/LinearPacking.h"

namespace sd {

// Output `output` has weights[weight] * input[input] as one of its terms.
struct LinearTap {
  std::uint32_t input = 0, output = 0, weight = 0;
};

// All taps of a layer, by input, then by output. Those of input j are taps[first[j]] to taps[first[j + 1]].
struct LinearTaps {
  std::vector<LinearTap> taps;
  std::vector<std::uint32_t> first;
  std::size_t inputs() const { return first.size() - 1; }
  std::span<const LinearTap> of(std::size_t input) const {
    return std::span(taps).subspan(first[input], first[input + 1] - first[input]);
  }
};

LinearTaps linearTaps(const LinearGeometry &geometry); // of a layer small enough for transfers

// Sizes of a layer by transfers; no taps: the layer goes by RLWE.
struct TransferCost {
  std::uint64_t inputs = 0, taps = 0;
  std::uint64_t ringBits = 0; // L
  explicit operator bool() const { return taps > 0; }
  std::uint64_t ots() const { return ringBits * inputs; }         // P1 receives
  std::uint64_t bytesUp() const { return ringBits / 8 * inputs; } // P1's choices, one message
  // L + (L - 1) + ... + 1 bits a tap, whole bytes, one message.
  std::uint64_t bytesDown() const { return ringBits * (ringBits + 1) / 16 * taps; }
  std::uint64_t bytes() const { return bytesUp() + bytesDown() + 2 * ots(); } // with 16 bits an OT, an upper estimate
  bool operator==(const TransferCost &) const = default;
};

inline constexpr std::uint64_t kMaxTransferTaps = 100'000;
// What the first RLWE layer of a session costs beside itself: seed and public key.
constexpr std::uint64_t rlweKeyBytes(int ringBits, RlweUse use = RlweUse::Weights) {
  return 16 + static_cast<std::uint64_t>(rlweSizes(ringBits, use).uploadBytes());
}

TransferCost transferCost(const LinearGeometry &geometry);

// For each layer of a program, all of one ring, its transfers, or none where RLWE is cheaper. If all layers by
// transfers cost less than the RLWE ones of the best mixture with the key, all are.
std::vector<TransferCost> chooseTransfers(std::span<const LinearGeometry> layers);

} // namespace sd
