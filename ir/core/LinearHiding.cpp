#include "ir/core/LinearHiding.h"

#include <algorithm>
#include <cmath>

namespace sd {

namespace {

// The sum of the squares of an output channel's weights.
template <class Weight>
double squaresOf(const LinearGeometry &geometry, std::int64_t channel, std::span<const Weight> weights) {
  std::vector<std::int64_t> taps{0};
  for (const auto &dim : geometry.dims) {
    std::vector<std::int64_t> all;
    for (const std::int64_t tap : taps)
      for (std::int64_t k = 0; k < dim.kernel; ++k)
        all.push_back(tap + k * dim.weightStride);
    taps = std::move(all);
  }
  double sum = 0;
  for (std::int64_t c = 0; c < geometry.inPerGroup; ++c)
    for (const std::int64_t tap : taps) {
      const auto at = channel * geometry.weightOutStride + c * geometry.weightInStride + tap;
      const auto value = static_cast<double>(weights[static_cast<std::size_t>(at)]);
      sum += value * value;
    }
  return sum;
}

} // namespace

std::vector<double> replyCounts(const LinearGeometry &geometry, const Packing &packing) {
  std::vector<double> counts;
  for (std::int64_t block = 0; block < packing.outBlocks(geometry); ++block) {
    double wanted = 0;
    for (std::int64_t tile = 0; tile < packing.tileCount(); ++tile)
      wanted += static_cast<double>(packing.wanted(geometry, block, tile));
    const std::int64_t left = geometry.outChannels() - block * packing.outBlock;
    counts.insert(counts.end(), static_cast<std::size_t>(std::min(packing.outBlock, left)), wanted);
  }
  return counts;
}

template <class Weight>
double replySquares(const LinearGeometry &geometry, const Packing &packing, std::span<const Weight> weights) {
  const std::vector<double> counts = replyCounts(geometry, packing);
  double sum = 0;
  for (std::size_t o = 0; o < counts.size(); ++o)
    sum += counts[o] * squaresOf(geometry, static_cast<std::int64_t>(o), weights);
  return sum;
}

template double replySquares(const LinearGeometry &, const Packing &, std::span<const std::int32_t>);
template double replySquares(const LinearGeometry &, const Packing &, std::span<const std::int64_t>);

double hidingBits(double squares, int ringBits) {
  return kHidingBits - std::log2(squares / maxReplySquares(ringBits)) / 2;
}

} // namespace sd
