// Convolution over the ring, with 1, 2 or 3 spatial dimensions, strides, dilations, groups and padding.
#pragma once

#include <span>
#include <type_traits>

#include "ir/core/Ring.h"
#include "runtime/kernels/ByteTiles.h"
#include "runtime/kernels/ThreadPool.h"
#include "runtime/kernels/Window.h"

namespace sd {

struct ConvShape {
  std::int64_t batch = 1, groups = 1;
  std::int64_t inChannels = 1, outChannels = 1; // of all groups together
  Shape input;                                  // spatial extents
  Window window;

  Shape output() const { return outputExtents(input, window); }
  std::int64_t inputSize() const;
  std::int64_t weightSize() const;
  std::int64_t outputSize() const;
  std::int64_t multiplyAdds() const;
};

// y = W x + bias: x is [batch, inChannels, input...], w [outChannels, inChannels / groups, kernel...], bias
// [outChannels] or empty, y [batch, outChannels, output...]. Padding is with zeros.
template <RingWord R>
void convolve(ThreadPool &pool, const ConvShape &shape, std::span<const std::type_identity_t<R>> x,
              std::span<const std::type_identity_t<R>> w, std::span<const std::type_identity_t<R>> bias,
              std::span<R> y);
// The same with `bytes` for layers that suit it (Z_2^32 alone), or without if it is null.
template <RingWord R>
void convolveBy(ByteKernel *bytes, ThreadPool &pool, const ConvShape &shape, std::span<const std::type_identity_t<R>> x,
                std::span<const std::type_identity_t<R>> w, std::span<const std::type_identity_t<R>> bias,
                std::span<R> y);

} // namespace sd
