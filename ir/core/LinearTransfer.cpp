#include "ir/core/LinearTransfer.h"

#include <algorithm>
#include <cassert>

namespace sd {

namespace {

// Which kernel position an output position reads which input position by, along one axis; padding left out.
struct AxisTap {
  std::int64_t out, kernel, in;
};

std::vector<AxisTap> axisTaps(const LinearGeometry::Dim &dim) {
  std::vector<AxisTap> taps;
  for (std::int64_t out = 0; out < dim.out; ++out)
    for (std::int64_t kernel = 0; kernel < dim.kernel; ++kernel) {
      const std::int64_t in = out * dim.stride + kernel * dim.dilation - dim.padBegin;
      if (in >= 0 && in < dim.in) taps.push_back({out, kernel, in});
    }
  return taps;
}

std::uint64_t axisTapCount(const LinearGeometry::Dim &dim) {
  std::uint64_t count = 0;
  for (std::int64_t kernel = 0; kernel < dim.kernel; ++kernel) {
    // 0 <= out * stride + offset < in
    const std::int64_t offset = kernel * dim.dilation - dim.padBegin;
    const std::int64_t first = offset < 0 ? (-offset + dim.stride - 1) / dim.stride : 0;
    const std::int64_t last = offset < dim.in ? (dim.in - 1 - offset) / dim.stride : -1;
    count += static_cast<std::uint64_t>(std::max<std::int64_t>(std::min(last, dim.out - 1) - first + 1, 0));
  }
  return count;
}

std::uint64_t rlweBytes(const LinearGeometry &geometry) {
  const PackingCost cost = packingCost(geometry, choosePacking(geometry));
  return static_cast<std::uint64_t>(cost.bytesUp + cost.bytesDown);
}

} // namespace

LinearTaps linearTaps(const LinearGeometry &geometry) {
  const TransferCost cost = transferCost(geometry);
  assert(cost);
  std::array<std::vector<AxisTap>, kSpatialDims> axes;
  for (int d = 0; d < kSpatialDims; ++d)
    axes[d] = axisTaps(geometry.dims[d]);
  const auto &dims = geometry.dims;
  LinearTaps all;
  all.taps.reserve(cost.taps);
  for (std::int64_t o = 0; o < geometry.outChannels(); ++o)
    for (std::int64_t c = 0; c < geometry.inPerGroup; ++c) {
      const std::int64_t channel = o / geometry.outPerGroup * geometry.inPerGroup + c;
      LinearTap base{static_cast<std::uint32_t>(geometry.inChannelOffset[channel]),
                     static_cast<std::uint32_t>(geometry.outChannelOffset[o]),
                     static_cast<std::uint32_t>(o * geometry.weightOutStride + c * geometry.weightInStride)};
      const auto moved = [&](LinearTap from, int d, const AxisTap &tap) {
        return LinearTap{from.input + static_cast<std::uint32_t>(dims[d].inOffset[tap.in]),
                         from.output + static_cast<std::uint32_t>(dims[d].outOffset[tap.out]),
                         from.weight + static_cast<std::uint32_t>(tap.kernel * dims[d].weightStride)};
      };
      for (const AxisTap &t0 : axes[0])
        for (const AxisTap &t1 : axes[1])
          for (const AxisTap &t2 : axes[2])
            for (const AxisTap &t3 : axes[3])
              all.taps.push_back(moved(moved(moved(moved(base, 0, t0), 1, t1), 2, t2), 3, t3));
    }
  assert(all.taps.size() == cost.taps);
  std::ranges::sort(all.taps, {}, [](const LinearTap &tap) { return std::pair(tap.input, tap.output); });
  all.first.assign(cost.inputs + 1, 0);
  for (const LinearTap &tap : all.taps)
    ++all.first[tap.input + 1];
  for (std::size_t j = 0; j < cost.inputs; ++j)
    all.first[j + 1] += all.first[j];
  return all;
}

TransferCost transferCost(const LinearGeometry &geometry) {
  TransferCost cost{static_cast<std::uint64_t>(geometry.inChannels()),
                    static_cast<std::uint64_t>(geometry.outChannels() * geometry.inPerGroup),
                    static_cast<std::uint64_t>(geometry.ringBits)};
  for (const auto &dim : geometry.dims) {
    cost.inputs *= static_cast<std::uint64_t>(dim.in);
    cost.taps *= axisTapCount(dim);
  }
  return cost;
}

std::vector<TransferCost> chooseTransfers(std::span<const LinearGeometry> layers) {
  std::vector<TransferCost> all, best;
  std::uint64_t keyBytes = 0, saved = 0; // by the RLWE layers of the best mixture
  bool keyNeeded = false, couldBeAll = true;
  for (const LinearGeometry &layer : layers) {
    const RlweSizes sizes = layer.sizes();
    keyBytes = rlweKeyBytes(layer.ringBits);
    const TransferCost cost = transferCost(layer);
    const bool possible = cost && cost.taps <= kMaxTransferTaps;
    // No layer by RLWE is cheaper than one upload and one reply.
    bool cheaper = possible && cost.bytes() <= static_cast<std::uint64_t>(sizes.uploadBytes() + sizes.replyBytes());
    if (possible && !cheaper) {
      const std::uint64_t packed = rlweBytes(layer);
      cheaper = cost.bytes() < packed;
      if (!cheaper) saved += cost.bytes() - packed;
    }
    keyNeeded |= !cheaper;
    couldBeAll &= possible;
    all.push_back(cost);
    best.push_back(cheaper ? cost : TransferCost{});
  }
  return keyNeeded && couldBeAll && saved < keyBytes ? all : best;
}

} // namespace sd
