#include "runtime/kernels/Convolution.h"

#include <algorithm>
#include <memory>
#include <vector>

#include "runtime/kernels/ByteLimbs.h"
#include "runtime/kernels/Staging.h"
#include "runtime/kernels/Tile.h"

namespace sd {

namespace {

constexpr std::int64_t kRowChunk = 32;       // rows of W a task takes at once
constexpr std::int64_t kTaskWork = 1 << 17;  // multiply-adds worth handing to another thread
constexpr std::int64_t kStageWork = 1 << 14; // elements copied, the same
static_assert(kRowChunk % kByteRows == 0 && kTileColumns % kByteColumns == 0);

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

  // Of `planes`, the staged channels.
  void run(std::int64_t begin, std::int64_t end, const R *planes, R *y) const {
    alignas(64) R out[kRowChunk * kTileColumns];
    for (std::int64_t task = begin; task < end; ++task) {
      const Task at = taskOf(task, weightsOutside_);
      multiplyTile<R>({.w = w_.data() + at.firstRow * depth_,
                       .wStride = depth_,
                       .x = planes + at.group * groupChannels_ * staging_.channelSize() + begin_[at.tile],
                       .xStride = staging_.channelSize(),
                       .channels = groupChannels_,
                       .offsets = staging_.offsets(),
                       .y = out,
                       .yStride = kTileColumns},
                      at.rows, end_[at.tile] - begin_[at.tile]);
      write(at, out, y);
    }
  }

  // Whether limbs are worth their tiles, which are a quarter full at least.
  bool suitsBytes() const {
    const std::int64_t taken = divideUp(groupRows_, kByteRows) * kByteRows * limbs().blocks * kByteDepth;
    return staging_.columns() >= kByteColumns && 4 * groupRows_ * groupChannels_ >= taken;
  }

  // Of `planes`, all channels' limbs, as packLimbs() writes them.
  void runBytes(ByteKernel *kernel, std::int64_t begin, std::int64_t end, const R *planes, R *y) const {
    const Limbs layout = limbs();
    const std::int64_t taps = static_cast<std::int64_t>(staging_.offsets().size());
    const auto w = std::make_unique_for_overwrite<std::uint8_t[]>(
        byteWeightsSize(std::min(groupRows_, kRowChunk), groupChannels_, taps));
    std::int64_t packed = -1; // the first of the rows that are
    alignas(64) R out[kRowChunk * kTileColumns];
    for (std::int64_t task = begin; task < end; ++task) {
      const Task at = taskOf(task, true);
      if (packed != at.firstRow)
        packByteWeights(w_.data() + at.firstRow * depth_, depth_, at.rows, groupChannels_, taps, w.get());
      packed = at.firstRow;
      kernel({.w = w.get(),
              .x = planes + at.group * layout.size() + begin_[at.tile],
              .quadStride = layout.quadStride,
              .limbStride = layout.limbStride(),
              .blocks = layout.blocks,
              .offsets = staging_.offsets(),
              .y = out,
              .yStride = kTileColumns},
             at.rows, end_[at.tile] - begin_[at.tile]);
      write(at, out, y);
    }
  }

  // Columns are read 16 at a time, hence some words beyond the last plane.
  std::int64_t limbWords() const { return shape_.groups * limbs().size() + kByteColumns; }
  void packLimbs(ThreadPool &pool, const R *planes, R *out) const {
    const Limbs layout = limbs();
    const std::int64_t quads = layout.blocks * (kByteDepth / 4), size = staging_.channelSize();
    pool.parallelRanges(shape_.groups * quads, divideUp(kStageWork, 4 * size),
                        [&](std::int64_t begin, std::int64_t end) {
                          for (std::int64_t i = begin; i < end; ++i) {
                            const std::int64_t group = i / quads, channel = i % quads * 4;
                            R *to = out + group * layout.size() + i % quads * layout.quadStride;
                            if (channel < groupChannels_)
                              packByteQuad(planes + (group * groupChannels_ + channel) * size, size,
                                           groupChannels_ - channel, size, to, layout.limbStride());
                            else
                              for (int limb = 0; limb < kLimbs; ++limb)
                                std::fill_n(to + limb * layout.limbStride(), size, 0);
                          }
                        });
  }

private:
  struct Task {
    std::int64_t group, tile, firstRow, rows;
  };
  Task taskOf(std::int64_t task, bool weightsOutside) const {
    const std::int64_t group = task / (chunks_ * tiles_), rest = task % (chunks_ * tiles_);
    const std::int64_t chunk = weightsOutside ? rest / tiles_ : rest % chunks_;
    return {group, weightsOutside ? rest % tiles_ : rest / chunks_, group * groupRows_ + chunk * kRowChunk,
            std::min(kRowChunk, groupRows_ - chunk * kRowChunk)};
  }

  void write(const Task &at, const R *out, R *y) const {
    for (std::int64_t row = 0; row < at.rows; ++row) {
      const R add = bias_.empty() ? 0 : bias_[at.firstRow + row];
      R *to = y + (at.firstRow + row) * outputSize_;
      for (const Staging::Segment &segment : segments_[at.tile]) {
        const R *from = out + row * kTileColumns + segment.column;
        for (std::int64_t i = 0; i < segment.length; ++i)
          to[segment.output + i] = from[i] + add;
      }
    }
  }

  // A group's planes of limbs. Their distance is an odd number of cache lines: a tile's rows are one from each plane.
  struct Limbs {
    std::int64_t blocks, quadStride;
    std::int64_t limbStride() const { return blocks * (kByteDepth / 4) * quadStride; }
    std::int64_t size() const { return kLimbs * limbStride(); }
  };
  Limbs limbs() const {
    constexpr std::int64_t kLine = 64 / sizeof(Ring32);
    return {divideUp(groupChannels_, kByteDepth), (divideUp(staging_.channelSize(), kLine) | 1) * kLine};
  }

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
void convolveBy(ByteKernel *bytes, ThreadPool &pool, const ConvShape &shape, std::span<const std::type_identity_t<R>> x,
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
  std::unique_ptr<R[]> limbs;                         // if by bytes
  if (kBitsOf<R> == 32 && bytes && product.suitsBytes())
    limbs = std::make_unique_for_overwrite<R[]>(product.limbWords());

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
    if constexpr (kBitsOf<R> == 32)
      if (limbs) product.packLimbs(pool, planes, limbs.get());
    pool.parallelRanges(product.tasks(), product.grain(), [&](std::int64_t begin, std::int64_t end) {
      if constexpr (kBitsOf<R> == 32)
        if (limbs) return product.runBytes(bytes, begin, end, limbs.get(), out);
      product.run(begin, end, planes, out);
    });
  }
}

template <RingWord R>
void convolve(ThreadPool &pool, const ConvShape &shape, std::span<const std::type_identity_t<R>> x,
              std::span<const std::type_identity_t<R>> w, std::span<const std::type_identity_t<R>> bias,
              std::span<R> y) {
  convolveBy<R>(byteKernel(), pool, shape, x, w, bias, y);
}

template void convolveBy(ByteKernel *, ThreadPool &, const ConvShape &, std::span<const Ring32>,
                         std::span<const Ring32>, std::span<const Ring32>, std::span<Ring32>);
template void convolve(ThreadPool &, const ConvShape &, std::span<const Ring32>, std::span<const Ring32>,
                       std::span<const Ring32>, std::span<Ring32>);
template void convolve(ThreadPool &, const ConvShape &, std::span<const Ring64>, std::span<const Ring64>,
                       std::span<const Ring64>, std::span<Ring64>);

} // namespace sd
