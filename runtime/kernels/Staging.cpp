#include "runtime/kernels/Staging.h"

#include <algorithm>

namespace sd {

Staging::Staging(const Shape &input, const Window &window) {
  assert(!input.empty() && input.size() <= kMaxSpatialRank);
  Triple kernel, dilation;
  const Shape output = outputExtents(input, window);
  const std::size_t lead = 3 - input.size();
  for (std::size_t i = 0; i < 3; ++i) {
    const bool real = i >= lead;
    auto value = [&](const Shape &s, std::int64_t other) { return real ? s[i - lead] : other; };
    input_[i] = value(input, 1), output_[i] = value(output, 1), kernel[i] = value(window.kernel, 1);
    stride_[i] = value(window.strides, 1), dilation[i] = value(window.dilations, 1),
    pad_[i] = value(window.padsBegin, 0);
    plane_[i] = output_[i] + (kernel[i] - 1) * dilation[i] / stride_[i];
  }
  planeSize_ = plane_[0] * plane_[1] * plane_[2];
  columns_ = ((output_[0] - 1) * plane_[1] + output_[1] - 1) * plane_[2] + output_[2];

  Triple k;
  for (k[0] = 0; k[0] < kernel[0]; ++k[0])
    for (k[1] = 0; k[1] < kernel[1]; ++k[1])
      for (k[2] = 0; k[2] < kernel[2]; ++k[2]) {
        Triple phase, shift;
        for (int i = 0; i < 3; ++i)
          phase[i] = k[i] * dilation[i] % stride_[i], shift[i] = k[i] * dilation[i] / stride_[i];
        auto plane = std::find(planes_.begin(), planes_.end(), phase);
        const std::int64_t index = plane - planes_.begin();
        if (plane == planes_.end()) planes_.push_back(phase);
        offsets_.push_back(index * planeSize_ + (shift[0] * plane_[1] + shift[1]) * plane_[2] + shift[2]);
      }
  identity_ = planes_.size() == 1 && plane_ == input_ && stride_ == Triple{1, 1, 1} && pad_ == Triple{0, 0, 0};
}

template <RingWord R>
void Staging::stageRow(const R *x, std::int64_t phase, R *out) const {
  // Element i of the row is x[stride * i + phase - pad] where that is inside the input.
  const std::int64_t stride = stride_[2], start = phase - pad_[2];
  const std::int64_t first = start >= 0 ? 0 : (-start + stride - 1) / stride;
  const std::int64_t last = input_[2] > start ? (input_[2] - 1 - start) / stride + 1 : 0;
  const std::int64_t lo = std::min(first, plane_[2]), hi = std::clamp(last, lo, plane_[2]);
  std::fill(out, out + lo, 0);
  if (stride == 1)
    std::copy(x + lo + start, x + hi + start, out + lo);
  else
    for (std::int64_t i = lo; i < hi; ++i)
      out[i] = x[stride * i + start];
  std::fill(out + hi, out + plane_[2], 0);
}

template <RingWord R>
void Staging::stage(const R *x, R *out) const {
  for (const Triple &phase : planes_)
    for (std::int64_t a = 0; a < plane_[0]; ++a)
      for (std::int64_t b = 0; b < plane_[1]; ++b, out += plane_[2]) {
        const std::int64_t depth = stride_[0] * a + phase[0] - pad_[0], height = stride_[1] * b + phase[1] - pad_[1];
        if (depth < 0 || depth >= input_[0] || height < 0 || height >= input_[1])
          std::fill(out, out + plane_[2], 0);
        else
          stageRow(x + (depth * input_[1] + height) * input_[2], phase[2], out);
      }
}

template void Staging::stage(const Ring32 *, Ring32 *) const;
template void Staging::stage(const Ring64 *, Ring64 *) const;

std::vector<Staging::Segment> Staging::segments(std::int64_t begin, std::int64_t end) const {
  std::vector<Segment> result;
  for (std::int64_t q = begin; q < end;) {
    const std::int64_t row = q / plane_[2], column = q % plane_[2];
    const std::int64_t rowEnd = (row + 1) * plane_[2];
    const std::int64_t a = row / plane_[1], b = row % plane_[1];
    const std::int64_t length = std::min(output_[2] - column, end - q);
    if (b < output_[1] && length > 0) result.push_back({q - begin, length, (a * output_[1] + b) * output_[2] + column});
    q = rowEnd;
  }
  return result;
}

} // namespace sd
