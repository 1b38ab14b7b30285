// How the linear correlation u + v = W r of one layer is cut into RLWE polynomials (docs/protocols.md, linear layers).
// Coefficient packing after Cheetah (Huang, Lu, Hong, Ding; USENIX Security 2022, section 4), extended: a strided
// convolution is split into its phases, neighbouring rows and channels share their zero padding, and spatial tiles,
// channel blocks and output blocks are chosen together. Public sizes only: both parties and the compiler derive the
// same.
#pragma once

#include <array>
#include <span>

#include "ir/core/OpKind.h"
#include "ir/core/Ring.h"
#include "ir/core/Type.h"

namespace sd {

// Sizes of a ring's polynomials (runtime/he/RlweParameters.h).
struct RlweSizes {
  std::int64_t degree; // N, coefficients of a polynomial
  int uploadBits;      // an uploaded coefficient: two to four residues of 50 bits
  int replyBits;       // the reply modulus is 2^replyBits
  int wantedBits;      // bits kept of a wanted coefficient of c0
  constexpr std::int64_t uploadBytes() const { return degree * uploadBits / 8; }
  constexpr std::int64_t replyBytes() const { return degree * replyBits / 8; } // of c1
  constexpr std::int64_t replyBytes(std::int64_t wanted) const { return replyBytes() + (wanted * wantedBits + 7) / 8; }
};
// What is multiplied with the hospital's masks. Its size decides how much room an encryption needs.
enum class RlweUse : std::uint8_t {
  Weights, // a layer's
  Masks,   // the service's, uniform in the ring: of products of two secret matrices (DotPacking.h)
};
constexpr RlweSizes rlweSizes(int ringBits, RlweUse use = RlweUse::Weights) {
  const bool wide = ringBits == kBitsOf<Ring64>;
  if (use == RlweUse::Masks) return wide ? RlweSizes{8192, 200, 73, 68} : RlweSizes{8192, 150, 41, 36};
  return wide ? RlweSizes{8192, 150, 73, 67} : RlweSizes{4096, 100, 41, 35};
}
inline constexpr std::int64_t kUploadsPerMessage = 16;

// Attr::Balance if left out: a product's time on a link of 1 Gbit/s.
inline constexpr std::int64_t kDefaultBalance = 1500;

inline constexpr int kSpatialDims = 4; // batch, then up to three spatial axes; unused ones have size 1

// A linear layer as a convolution. Offsets are in elements of the flat tensors.
struct LinearGeometry {
  struct Dim {
    std::int64_t in = 1, out = 1, kernel = 1, stride = 1, dilation = 1, padBegin = 0;
    std::int64_t weightStride = 0;
    std::vector<std::int64_t> inOffset, outOffset; // by position
  };
  std::array<Dim, kSpatialDims> dims;
  int ringBits = kBitsOf<Ring32>;
  std::int64_t group = 1, inPerGroup = 1, outPerGroup = 1;
  std::vector<std::int64_t> inChannelOffset, outChannelOffset; // by channel; group * perGroup of them
  std::int64_t weightInStride = 0, weightOutStride = 0;        // weight index = o * out + (c within group) * in + taps
  std::int64_t balance = kDefaultBalance;                      // bytes that a polynomial product is worth

  std::int64_t inChannels() const { return group * inPerGroup; }
  std::int64_t outChannels() const { return group * outPerGroup; }
  std::int64_t outputs() const;
  RlweSizes sizes() const { return rlweSizes(ringBits); }
};

bool isPacked(OpKind kind); // share.conv, share.matmul or share.scale

// The geometry of share.conv, share.matmul or share.scale from its operands' and result's types; asserts that the rule
// holds.
LinearGeometry linearGeometry(OpKind kind, std::span<const Type> operands, const Attrs &attrs, const Type &result,
                              int ringBits);

// A data block of one polynomial: an input channel, seen at one phase of the strides (or at one tap).
struct VirtualChannel {
  std::int64_t channel = 0;
  std::array<std::int64_t, kSpatialDims> phase{}; // index into Packing::phases
};

// Along one axis: the taps of one phase, and which padded input positions phase + stride * y its data are.
struct Phase {
  std::int64_t offset = 0;          // padded position of y = 0
  std::vector<std::int64_t> taps;   // kernel positions
  std::vector<std::int64_t> shifts; // y - output position of each tap, minus `base`
  std::int64_t base = 0;            // first y of a tile's data, relative to the tile's first output
};

// What a packing's weight polynomials are, by its shape and not their values.
enum class WeightForm {
  Dense,
  Sparse,   // in X^kSparseStep, as of 1 x 1 kernels: that many take little more than one transform together
  Constant, // 1 x 1 kernels, one channel in and out: its own transform
};
inline constexpr std::int64_t kSparseStep = 4;

struct Packing {
  std::array<std::int64_t, kSpatialDims> tile{};   // outputs of a tile along each axis
  std::array<std::int64_t, kSpatialDims> tiles{};  // number of tiles
  std::array<std::int64_t, kSpatialDims> extent{}; // positions that a channel's data take
  std::array<std::vector<Phase>, kSpatialDims> phases;
  std::int64_t area = 0; // coefficients of a channel: the extents' product, or up to kSparseStep - 1 more
  std::int64_t inBlock = 0, outBlock = 0; // channels of a polynomial; inBlock * outBlock * area <= N
  std::vector<VirtualChannel> channels;

  std::int64_t tileCount() const;
  std::int64_t inBlocks() const;
  std::int64_t outBlocks(const LinearGeometry &geometry) const;
  // Outputs of one tile along an axis: the last tile may be short.
  std::int64_t tileOutputs(const LinearGeometry &geometry, int axis, std::int64_t tileIndex) const;
  // Coordinates of tile `index`, the last axis fastest.
  std::array<std::int64_t, kSpatialDims> tileAt(std::int64_t index) const;
  std::array<std::int64_t, kSpatialDims> strides() const; // coefficients from a position to the next along each axis
  WeightForm weightForm() const;
  // Outputs wanted of one reply.
  std::int64_t wanted(const LinearGeometry &geometry, std::int64_t outBlockIndex, std::int64_t tileIndex) const;
  // Does this output block read this input block? (Not so for most pairs of a grouped convolution.)
  bool connected(const LinearGeometry &geometry, std::int64_t outBlockIndex, std::int64_t inBlockIndex) const;
};

struct PackingCost {
  std::int64_t uploads = 0, replies = 0, products = 0; // polynomials
  std::int64_t denseWeights = 0, otherWeights = 0;     // polynomials of weights: a product each for every tile
  std::int64_t bytesUp = 0, bytesDown = 0;             // P1 to P0, P0 to P1; keys and frame headers not counted
  std::int64_t messagesUp = 0, messagesDown = 0;
  PackingCost &operator+=(const PackingCost &other);
};

// Of the packings within 8 % of the fewest bytes, the one with the least weighted sum of bytes and time.
Packing choosePacking(const LinearGeometry &geometry);
PackingCost packingCost(const LinearGeometry &geometry, const Packing &packing);

} // namespace sd
