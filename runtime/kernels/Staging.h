// Lays an image out so that every tap of a convolution is a fixed offset: padding is written out, and an input of
// stride s is dealt into its s phases. Output positions are then consecutive columns of a plane, a few of them unused.
#pragma once

#include <array>
#include <vector>

#include "ir/core/Ring.h"
#include "runtime/kernels/ThreadPool.h"
#include "runtime/kernels/Window.h"

namespace sd {

class Staging {
public:
  Staging(const Shape &input, const Window &window);

  std::int64_t channelSize() const { return planeSize_ * static_cast<std::int64_t>(planes_.size()); } // in elements
  std::int64_t columns() const { return columns_; }                     // last output position's column + 1
  const std::vector<std::int64_t> &offsets() const { return offsets_; } // one a tap, in the kernel's row-major order
  bool isIdentity() const { return identity_; }                         // a channel of x already is its own plane

  // Writes the planes of one channel.
  template <RingWord R>
  void stage(const R *x, R *out) const;

  // A stretch of columns that are consecutive outputs.
  struct Segment {
    std::int64_t column, length, output;
  };
  // The outputs among columns [begin, end), columns counted from `begin`.
  std::vector<Segment> segments(std::int64_t begin, std::int64_t end) const;

private:
  using Triple = std::array<std::int64_t, 3>;
  template <RingWord R>
  void stageRow(const R *x, std::int64_t phase, R *out) const;

  Triple input_, output_, stride_, pad_, plane_; // rank 1 and 2 have leading dimensions of 1
  std::vector<Triple> planes_;                   // the phase of each
  std::vector<std::int64_t> offsets_;
  std::int64_t planeSize_, columns_;
  bool identity_;
};

} // namespace sd
