#include "runtime/he/PackingLayout.h"

#include <algorithm>
#include <cmath>

#include "runtime/he/RlweParameters.h"

namespace sd {

namespace {

// Positions along one axis: (offset in a channel's block, offset in the flat tensor).
using AxisMap = std::vector<std::pair<std::int64_t, std::int64_t>>;

AxisMap inputAxis(const LinearGeometry::Dim &dim, const Phase &phase, std::int64_t start, std::int64_t tile,
                  std::int64_t step) {
  AxisMap map;
  if (phase.shifts.empty()) return map;
  const std::int64_t count = tile + *std::ranges::max_element(phase.shifts);
  for (std::int64_t y = 0; y < count; ++y) {
    const std::int64_t at = phase.offset + dim.stride * (start + phase.base + y) - dim.padBegin;
    if (at >= 0 && at < dim.in) map.emplace_back(y * step, dim.inOffset[at]);
  }
  return map;
}

template <class Body>
void forEach(const std::array<AxisMap, kSpatialDims> &axes, const Body &body) {
  for (auto &[b0, t0] : axes[0])
    for (auto &[b1, t1] : axes[1])
      for (auto &[b2, t2] : axes[2])
        for (auto &[b3, t3] : axes[3])
          body(b0 + b1 + b2 + b3, t0 + t1 + t2 + t3);
}

} // namespace

template <RingWord R>
void packInput(const LinearGeometry &geometry, const Packing &packing, std::int64_t tile, std::int64_t inBlock,
               std::span<const R> x, std::span<R> coefficients) {
  std::ranges::fill(coefficients, 0);
  const auto strides = packing.strides();
  const auto at = packing.tileAt(tile);
  const std::int64_t first = inBlock * packing.inBlock;
  const auto last = std::min<std::int64_t>(first + packing.inBlock, std::ssize(packing.channels));
  for (std::int64_t c = first; c < last; ++c) {
    const VirtualChannel &channel = packing.channels[c];
    std::array<AxisMap, kSpatialDims> axes;
    for (int d = 0; d < kSpatialDims; ++d)
      axes[d] = inputAxis(geometry.dims[d], packing.phases[d][channel.phase[d]], at[d] * packing.tile[d],
                          packing.tile[d], strides[d]);
    const R *from = x.data() + geometry.inChannelOffset[channel.channel];
    R *to = coefficients.data() + (c - first) * packing.area;
    forEach(axes, [&](std::int64_t block, std::int64_t element) { to[block] = from[element]; });
  }
}

template <RingWord R>
void packWeights(const LinearGeometry &geometry, const Packing &packing, std::int64_t outBlock, std::int64_t inBlock,
                 std::span<const SignedOf<R>> weights, std::span<SignedOf<R>> coefficients, std::int64_t offset) {
  const auto strides = packing.strides();
  const std::int64_t firstIn = inBlock * packing.inBlock, firstOut = outBlock * packing.outBlock;
  const auto lastIn = std::min<std::int64_t>(firstIn + packing.inBlock, std::ssize(packing.channels));
  const auto lastOut = std::min(firstOut + packing.outBlock, geometry.outChannels());
  for (std::int64_t c = firstIn; c < lastIn; ++c) {
    const VirtualChannel &channel = packing.channels[c];
    const std::int64_t group = channel.channel / geometry.inPerGroup;
    std::array<AxisMap, kSpatialDims> axes;
    for (int d = 0; d < kSpatialDims; ++d) {
      const Phase &phase = packing.phases[d][channel.phase[d]];
      for (std::size_t i = 0; i < phase.taps.size(); ++i)
        axes[d].emplace_back(phase.shifts[i] * strides[d], phase.taps[i] * geometry.dims[d].weightStride);
    }
    const std::int64_t fromOut = std::max(firstOut, group * geometry.outPerGroup);
    const std::int64_t toOut = std::min(lastOut, (group + 1) * geometry.outPerGroup);
    for (std::int64_t o = fromOut; o < toOut; ++o) {
      const SignedOf<R> *w = weights.data() + o * geometry.weightOutStride +
                             channel.channel % geometry.inPerGroup * geometry.weightInStride;
      const std::int64_t origin = ((o - firstOut) * packing.inBlock - (c - firstIn)) * packing.area;
      forEach(axes, [&](std::int64_t shift, std::int64_t tap) {
        const std::int64_t at = origin - shift; // X^-k is -X^(N-k)
        coefficients[(at < 0 ? at + std::ssize(coefficients) : at) + offset] = at < 0 ? -w[tap] : w[tap];
      });
    }
  }
}

WantedOutputs wantedOutputs(const LinearGeometry &geometry, const Packing &packing, std::int64_t outBlock,
                            std::int64_t tile) {
  WantedOutputs wanted;
  const auto strides = packing.strides();
  const auto at = packing.tileAt(tile);
  std::array<AxisMap, kSpatialDims> axes;
  for (int d = 0; d < kSpatialDims; ++d)
    for (std::int64_t i = 0; i < packing.tileOutputs(geometry, d, at[d]); ++i)
      axes[d].emplace_back(i * strides[d], geometry.dims[d].outOffset[at[d] * packing.tile[d] + i]);
  const std::int64_t first = outBlock * packing.outBlock;
  const auto last = std::min(first + packing.outBlock, geometry.outChannels());
  for (std::int64_t o = first; o < last; ++o)
    forEach(axes, [&](std::int64_t block, std::int64_t element) {
      wanted.positions.push_back(static_cast<std::int32_t>((o - first) * packing.inBlock * packing.area + block));
      wanted.elements.push_back(geometry.outChannelOffset[o] + element);
    });
  return wanted;
}

#define SD_INSTANTIATE(R)                                                                                              \
  template void packInput<R>(const LinearGeometry &, const Packing &, std::int64_t, std::int64_t, std::span<const R>,  \
                             std::span<R>);                                                                            \
  template void packWeights<R>(const LinearGeometry &, const Packing &, std::int64_t, std::int64_t,                    \
                               std::span<const SignedOf<R>>, std::span<SignedOf<R>>, std::int64_t);
SD_INSTANTIATE(Ring32)
SD_INSTANTIATE(Ring64)
#undef SD_INSTANTIATE

} // namespace sd
