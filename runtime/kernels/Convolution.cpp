#include "runtime/kernels/Convolution.h"

#include <algorithm>
#include <memory>
#include <vector>

#include "runtime/kernels/Staging.h"
#include "runtime/kernels/Tile.h"

namespace sd {

namespace {

constexpr std::int64_t kRowChunk = 32;       // rows of W a task takes at once
constexpr std::int64_t kTaskWork = 1 << 17;  // multiply-adds worth handing to another thread
constexpr std::int64_t kStageWork = 1 << 14; // elements copied, the same

std::int64_t divideUp(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

// One image: the staged input, cut into tasks of some rows of W (of one group) times some columns.
template <RingWord R>
class ImageProduct {
public:
  ImageProduct(const ConvShape &shape, const Staging &staging, std::span<const R> w, std::span<const R> bias)
      : shape_(shape), staging_(staging), w_(w), bias_(bias), groupRows_(shape.outChannels / shape.groups),
        groupChannels_(shape.inChannels / shape.groups), depth_(groupChannels_ * elementCount(shape.window.kernel)),
        outputSize_(elementCount(shape.output())) {
    const std::int64_t units = divideUp(staging.columns(), kColumnUnit);
    tiles_ = divideUp(units, kTileColumns / kColumnUnit);
    chunks_ = divideUp(groupRows_, kRowChunk);
    // The larger operand is walked once, the smaller one stays in the cache.
    weightsOutside_ = groupRows_ * depth_ > groupChannels_ * staging.channelSize();
    for (std::int64_t i = 0; i < tiles_; ++i) {
      begin_.push_back(units * i / tiles_ * kColumnUnit);
      end_.push_back(std::min(units * (i + 1) / tiles_ * kColumnUnit, staging.columns()));
      segments_.push_back(staging.segments(begin_[i], end_[i]));
    }
  }

  std::int64_t tasks() const { return shape_.groups * chunks_ * tiles_; }
  std::int64_t grain() const { return divideUp(kTaskWork, std::min(groupRows_, kRowChunk) * kTileColumns * depth_); }

  void run(std::int64_t task, const R *planes, R *y) const {
    const std::int64_t group = task / (chunks_ * tiles_), rest = task % (chunks_ * tiles_);
    const std::int64_t chunk = weightsOutside_ ? rest / tiles_ : rest % chunks_;
    const std::int64_t tile = weightsOutside_ ? rest % tiles_ : rest / chunks_;
    const std::int64_t firstRow = group * groupRows_ + chunk * kRowChunk;
    const std::int64_t rows = std::min(kRowChunk, groupRows_ - chunk * kRowChunk);

    alignas(64) R out[kRowChunk * kTileColumns];
    const R *x = planes + group * groupChannels_ * staging_.channelSize() + begin_[tile];
    multiplyTile<R>({.w = w_.data() + firstRow * depth_,
                     .wStride = depth_,
                     .x = x,
                     .xStride = staging_.channelSize(),
                     .channels = groupChannels_,
                     .offsets = staging_.offsets(),
                     .y = out,
                     .yStride = kTileColumns},
                    rows, end_[tile] - begin_[tile]);
    for (std::int64_t row = 0; row < rows; ++row) {
      const R add = bias_.empty() ? 0 : bias_[firstRow + row];
      R *to = y + (firstRow + row) * outputSize_;
      for (const Staging::Segment &segment : segments_[tile]) {
        const R *from = out + row * kTileColumns + segment.column;
        for (std::int64_t i = 0; i < segment.length; ++i)
          to[segment.output + i] = from[i] + add;
      }
    }
  }

private:
  const ConvShape &shape_;
  const Staging &staging_;
  std::span<const R> w_, bias_;
  std::int64_t groupRows_, groupChannels_, depth_, outputSize_, tiles_, chunks_;
  bool weightsOutside_;
  std::vector<std::int64_t> begin_, end_;
  std::vector<std::vector<Staging::Segment>> segments_;
};

} // namespace

std::int64_t ConvShape::inputSize() const { return batch * inChannels * elementCount(input); }
std::int64_t ConvShape::weightSize() const { return outChannels * (inChannels / groups) * elementCount(window.kernel); }
std::int64_t ConvShape::outputSize() const { return batch * outChannels * elementCount(output()); }
std::int64_t ConvShape::multiplyAdds() const {
  return outputSize() * (inChannels / groups) * elementCount(window.kernel);
}

template <RingWord R>
void convolve(ThreadPool &pool, const ConvShape &shape, std::span<const std::type_identity_t<R>> x,
              std::span<const std::type_identity_t<R>> w, std::span<const std::type_identity_t<R>> bias,
              std::span<R> y) {
  assert(std::int64_t(x.size()) == shape.inputSize() && std::int64_t(w.size()) == shape.weightSize());
  assert(std::int64_t(y.size()) == shape.outputSize());
  assert(bias.empty() || std::int64_t(bias.size()) == shape.outChannels);
  if (y.empty()) return;

  const Staging staging(shape.input, shape.window);
  const ImageProduct<R> product(shape, staging, w, bias);
  const std::int64_t imageIn = shape.inputSize() / shape.batch, imageOut = shape.outputSize() / shape.batch;
  const std::int64_t channelIn = imageIn / shape.inChannels;
  const bool direct = staging.isIdentity() && staging.columns() % kColumnUnit == 0;
  const std::int64_t staged = direct ? 0 : shape.inChannels * staging.channelSize();
  auto buffer = std::make_unique_for_overwrite<R[]>(staged + kColumnUnit);
  std::fill_n(buffer.get() + staged, kColumnUnit, 0); // the last tile's unused columns

  for (std::int64_t image = 0; image < shape.batch; ++image) {
    const R *planes = x.data() + image * imageIn;
    if (!direct) {
      pool.parallelRanges(shape.inChannels, divideUp(kStageWork, staging.channelSize()),
                          [&, from = planes](std::int64_t begin, std::int64_t end) {
                            for (std::int64_t c = begin; c < end; ++c)
                              staging.stage(from + c * channelIn, buffer.get() + c * staging.channelSize());
                          });
      planes = buffer.get();
    }
    R *out = y.data() + image * imageOut;
    pool.parallelRanges(product.tasks(), product.grain(), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t task = begin; task < end; ++task)
        product.run(task, planes, out);
    });
  }
}

template void convolve(ThreadPool &, const ConvShape &, std::span<const Ring32>, std::span<const Ring32>,
                       std::span<const Ring32>, std::span<Ring32>);
template void convolve(ThreadPool &, const ConvShape &, std::span<const Ring64>, std::span<const Ring64>,
                       std::span<const Ring64>, std::span<Ring64>);

} // namespace sd
