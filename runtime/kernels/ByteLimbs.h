// Words taken apart into 8-bit limbs, laid out as ByteTiles.h wants them.
#pragma once

#include "runtime/kernels/ByteTiles.h"

namespace sd {

// Rows of `channels` times `taps` words, channel by channel, `wStride` apart, to blocks of kByteStep bytes: those of
// each 16 rows one after another. `out` holds byteWeightsSize() bytes; what has no weight becomes zero.
void packByteWeights(const Ring32 *w, std::int64_t wStride, std::int64_t rows, std::int64_t channels, std::int64_t taps,
                     std::uint8_t *out);
std::int64_t byteWeightsSize(std::int64_t rows, std::int64_t channels, std::int64_t taps);

// Four planes of `size` words that lie `xStride` apart, one of each channel, of which the first `channels` exist: limb
// j to out + j limbStride.
void packByteQuad(const Ring32 *x, std::int64_t xStride, std::int64_t channels, std::int64_t size, Ring32 *out,
                  std::int64_t limbStride);

} // namespace sd
