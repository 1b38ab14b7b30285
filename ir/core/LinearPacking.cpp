#include "ir/core/LinearPacking.h"

#include <algorithm>
#include <cassert>
#include <numeric>

namespace sd {

namespace {

using Dims = std::array<std::int64_t, kSpatialDims>;

std::int64_t ceilDiv(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }
std::int64_t floorDiv(std::int64_t a, std::int64_t b) { return a >= 0 ? a / b : -ceilDiv(-a, b); }

std::vector<std::int64_t> arithmetic(std::int64_t count, std::int64_t step) {
  std::vector<std::int64_t> v(count);
  for (std::int64_t i = 0; i < count; ++i)
    v[i] = i * step;
  return v;
}

LinearGeometry convGeometry(const Shape &x, const Shape &w, const Shape &y, const Attrs &attrs) {
  LinearGeometry g;
  const std::size_t spatial = x.size() - 2;
  assert(spatial + 1 <= kSpatialDims);
  const Shape xs = rowMajorStrides(x), ws = rowMajorStrides(w), ys = rowMajorStrides(y);
  g.group = attrs.i(Attr::Group);
  g.inPerGroup = w[1];
  g.outPerGroup = w[0] / g.group;
  g.inChannelOffset = arithmetic(x[1], xs[1]);
  g.outChannelOffset = arithmetic(y[1], ys[1]);
  g.weightOutStride = ws[0];
  g.weightInStride = ws[1];
  g.dims[0] = {.in = x[0], .out = x[0], .inOffset = arithmetic(x[0], xs[0]), .outOffset = arithmetic(x[0], ys[0])};
  for (std::size_t d = 1; d < kSpatialDims; ++d) {
    auto &dim = g.dims[d];
    // The axes are aligned to the end, so that the last one is always the innermost.
    const std::size_t unused = kSpatialDims - 1 - spatial;
    if (d <= unused) {
      dim.inOffset = dim.outOffset = {0};
      continue;
    }
    const std::size_t axis = d - 1 - unused;
    dim.in = x[axis + 2];
    dim.out = y[axis + 2];
    dim.kernel = w[axis + 2];
    dim.stride = attrs.ints(Attr::Strides)[axis];
    dim.dilation = attrs.ints(Attr::Dilations)[axis];
    dim.padBegin = attrs.ints(Attr::Pads)[axis];
    dim.weightStride = ws[axis + 2];
    dim.inOffset = arithmetic(dim.in, xs[axis + 2]);
    dim.outOffset = arithmetic(dim.out, ys[axis + 2]);
  }
  return g;
}

// Rows of a matrix, or the elements that share one weight: one spatial axis without taps.
LinearGeometry::Dim flatDim(std::vector<std::int64_t> inOffset, std::vector<std::int64_t> outOffset) {
  const auto size = static_cast<std::int64_t>(inOffset.size());
  return {.in = size, .out = size, .inOffset = std::move(inOffset), .outOffset = std::move(outOffset)};
}

void clearUnusedDims(LinearGeometry &g) {
  for (auto &dim : g.dims)
    if (dim.inOffset.empty()) dim.inOffset = dim.outOffset = {0};
}

LinearGeometry matMulGeometry(const Shape &x, const Shape &w) {
  LinearGeometry g;
  const std::int64_t rows = elementCount(x) / x.back();
  g.inPerGroup = w[0];
  g.outPerGroup = w[1];
  g.inChannelOffset = arithmetic(w[0], 1);
  g.outChannelOffset = arithmetic(w[1], 1);
  g.weightInStride = w[1];
  g.weightOutStride = 1;
  g.dims.back() = flatDim(arithmetic(rows, w[0]), arithmetic(rows, w[1]));
  clearUnusedDims(g);
  return g;
}

// x times w, broadcast: the axes along which w varies number the groups, the others are positions.
LinearGeometry scaleGeometry(const Shape &x, const Shape &w) {
  LinearGeometry g;
  const Shape xs = rowMajorStrides(x);
  std::vector<std::int64_t> channels{0}, positions{0};
  for (std::size_t axis = 0; axis < x.size(); ++axis) {
    const std::size_t lead = x.size() - w.size();
    auto &offsets = axis >= lead && w[axis - lead] != 1 ? channels : positions;
    std::vector<std::int64_t> grown;
    for (auto base : offsets)
      for (std::int64_t i = 0; i < x[axis]; ++i)
        grown.push_back(base + i * xs[axis]);
    offsets = std::move(grown);
  }
  // The weight of channel c is element c: w's non-unit axes stand in the same order.
  g.group = static_cast<std::int64_t>(channels.size());
  g.weightOutStride = 1;
  g.inChannelOffset = g.outChannelOffset = std::move(channels);
  g.dims.back() = flatDim(positions, positions);
  clearUnusedDims(g);
  return g;
}

// The phases of one axis for a given tile. With a single tile, padding before the data is not stored: reading before
// a row's data finds the zeros at the end of the row before it.
struct AxisLayout {
  std::vector<Phase> phases;
  std::int64_t extent = 0;
};

AxisLayout layoutAxis(const LinearGeometry::Dim &dim, std::int64_t tile, bool perTap) {
  AxisLayout layout;
  const bool single = tile == dim.out;
  std::int64_t maxData = 0, maxLead = 0, maxRead = tile;
  auto addPhase = [&](std::int64_t offset, std::vector<std::int64_t> taps, std::vector<std::int64_t> ys) {
    const auto [least, most] = std::ranges::minmax(ys);
    std::int64_t first = least, last = tile - 1 + most;
    if (single) {
      // Data are where 0 <= offset + stride * y - padBegin < in.
      first = std::max(first, ceilDiv(std::max<std::int64_t>(dim.padBegin - offset, 0), dim.stride));
      last = std::min(last, floorDiv(dim.in - 1 + dim.padBegin - offset, dim.stride));
    }
    if (first > last) return; // reads padding only
    Phase phase{.offset = offset, .taps = std::move(taps), .shifts = std::move(ys), .base = first};
    for (auto &y : phase.shifts)
      y -= first;
    maxData = std::max(maxData, last - first + 1);
    maxLead = std::max(maxLead, first - least);
    maxRead = std::max(maxRead, tile - 1 + most - first + 1);
    layout.phases.push_back(std::move(phase));
  };
  if (perTap) {
    for (std::int64_t a = 0; a < dim.kernel; ++a)
      addPhase(a * dim.dilation, {a}, {0});
  } else {
    for (std::int64_t p = 0; p < std::min(dim.stride, dim.kernel * dim.dilation); ++p) {
      std::vector<std::int64_t> taps, ys;
      for (std::int64_t a = 0; a < dim.kernel; ++a)
        if (a * dim.dilation % dim.stride == p) {
          taps.push_back(a);
          ys.push_back(a * dim.dilation / dim.stride);
        }
      if (!taps.empty()) addPhase(p, std::move(taps), std::move(ys));
    }
  }
  layout.extent = std::max({maxData + maxLead, maxRead, std::int64_t{1}});
  return layout;
}

std::vector<std::int64_t> tileSizes(std::int64_t out) {
  std::vector<std::int64_t> sizes;
  for (std::int64_t parts :
       {1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 28, 32, 48, 64, 128, 256, 512, 1024, 4096}) {
    const std::int64_t size = ceilDiv(out, std::min(parts, out));
    if (sizes.empty() || sizes.back() != size) sizes.push_back(size);
  }
  if (sizes.back() != 1) sizes.push_back(1);
  return sizes;
}

// Of the fewest possible, what a packing may take for less work.
constexpr std::int64_t kMostBytesPercent = 108;

std::int64_t product(const Dims &d) {
  return std::accumulate(d.begin(), d.end(), std::int64_t{1}, std::multiplies<>());
}

// Three times the bytes, with a polynomial operation worth the bytes that the link carries in its time, which grows
// with the polynomials: three times the residues in Z_2^64. An upload takes 7/3 of a product with a dense weight
// polynomial, a reply twice that, and two thirds of such a product are the transform.
std::int64_t weigh(const PackingCost &cost, const RlweSizes &sizes, std::int64_t balance) {
  const std::int64_t size = sizes.uploadBytes() / rlweSizes(kBitsOf<Ring32>).uploadBytes();
  const std::int64_t work = size * (7 * (cost.uploads + 2 * cost.replies) + cost.products + 2 * cost.denseWeights);
  return 3 * (cost.bytesUp + cost.bytesDown) + balance * work;
}

// The greatest common divisor of the places of one channel's taps; 0 if there is only one, at 0. phasesOf(d): of axis
// d.
template <class PhasesOf>
std::int64_t shiftStep(const PhasesOf &phasesOf, const Dims &strides) {
  std::int64_t step = 0;
  for (int d = 0; d < kSpatialDims; ++d)
    for (const Phase &phase : phasesOf(d))
      for (const std::int64_t shift : phase.shifts)
        step = std::gcd(step, shift * strides[d]);
  return step;
}

WeightForm formOf(std::int64_t shiftStep, const Packing &p) {
  const bool single = p.inBlock == 1 && p.outBlock == 1;
  if (single && shiftStep == 0) return WeightForm::Constant;
  return std::gcd(shiftStep, single ? 0 : p.area) % kSparseStep == 0 ? WeightForm::Sparse : WeightForm::Dense;
}

// For the packing of least weight of those with at most `mostBytes`.
struct Search {
  const LinearGeometry &geometry;
  std::int64_t balance = 0;
  std::int64_t mostBytes = std::numeric_limits<std::int64_t>::max();
  RlweSizes sizes = geometry.sizes();
  Packing best = {};
  std::int64_t bestBytes = 0;
  std::int64_t bestWeight = std::numeric_limits<std::int64_t>::max();

  void run() {
    for (bool perTap : {false, true}) {
      std::array<std::vector<std::pair<std::int64_t, AxisLayout>>, kSpatialDims> options;
      for (int d = 0; d < kSpatialDims; ++d)
        for (auto tile : tileSizes(geometry.dims[d].out)) {
          AxisLayout layout = layoutAxis(geometry.dims[d], tile, perTap);
          if (layout.phases.empty()) layout.phases.push_back({.offset = 0, .taps = {}, .shifts = {}, .base = 0});
          if (layout.extent <= sizes.degree) options[d].emplace_back(tile, std::move(layout));
        }
      for (auto &[t0, l0] : options[0])
        for (auto &[t1, l1] : options[1])
          for (auto &[t2, l2] : options[2])
            for (auto &[t3, l3] : options[3])
              if (l0.extent * l1.extent * l2.extent * l3.extent <= sizes.degree)
                tryTile({t0, t1, t2, t3}, {l0, l1, l2, l3});
    }
    assert(best.area > 0);
  }

  void tryTile(const Dims &tile, const std::array<AxisLayout, kSpatialDims> &layouts) {
    Packing p;
    p.tile = tile;
    std::int64_t virtualPerChannel = 1;
    p.area = 1;
    for (int d = 0; d < kSpatialDims; ++d) {
      p.tiles[d] = ceilDiv(geometry.dims[d].out, tile[d]);
      p.extent[d] = layouts[d].extent;
      if (p.extent[d] > sizes.degree / p.area) return;
      p.area *= p.extent[d];
      virtualPerChannel *= static_cast<std::int64_t>(layouts[d].phases.size());
    }
    const std::int64_t step = shiftStep(
        [&](int d) -> const auto & { return layouts[d].phases; }, p.strides());
    tryBlocks(p, virtualPerChannel, step, layouts);
    const std::int64_t sparseArea = ceilDiv(p.area, kSparseStep) * kSparseStep;
    if (step % kSparseStep != 0 || sparseArea == p.area) return;
    p.area = sparseArea;
    tryBlocks(p, virtualPerChannel, step, layouts);
  }

  void tryBlocks(Packing &p, std::int64_t virtualPerChannel, std::int64_t step,
                 const std::array<AxisLayout, kSpatialDims> &layouts) {
    const std::int64_t room = sizes.degree / p.area;
    const std::int64_t channels = geometry.inChannels() * virtualPerChannel;
    std::int64_t previousBlocks = -1;
    for (std::int64_t in = 1; in <= std::min(channels, room); ++in) {
      // Only the least block of each block count is worth a look: it leaves most room for outputs.
      const std::int64_t blocks = ceilDiv(channels, in);
      if (blocks == previousBlocks) continue;
      previousBlocks = blocks;
      p.inBlock = in;
      p.outBlock = std::min(geometry.outChannels(), room / in);
      const PackingCost cost = estimate(p, virtualPerChannel, formOf(step, p));
      const std::int64_t bytes = cost.bytesUp + cost.bytesDown;
      if (bytes > mostBytes) continue;
      if (const std::int64_t weight = weigh(cost, sizes, balance); weight < bestWeight) {
        bestWeight = weight;
        bestBytes = bytes;
        best = p;
        for (int d = 0; d < kSpatialDims; ++d)
          best.phases[d] = layouts[d].phases;
      }
    }
  }

  PackingCost estimate(const Packing &p, std::int64_t virtualPerChannel, WeightForm form) const {
    PackingCost cost;
    const std::int64_t tiles = product(p.tiles);
    const std::int64_t inBlocks = ceilDiv(geometry.inChannels() * virtualPerChannel, p.inBlock);
    const std::int64_t outBlocks = ceilDiv(geometry.outChannels(), p.outBlock);
    cost.uploads = inBlocks * tiles;
    cost.replies = outBlocks * tiles;
    cost.products = cost.uploads * outBlocks;
    if (geometry.group > 1) {
      // Each input block meets the output blocks of its groups only.
      const std::int64_t reach = ceilDiv(p.inBlock, geometry.inPerGroup * virtualPerChannel) * geometry.outPerGroup;
      cost.products = cost.uploads * std::min(outBlocks, ceilDiv(reach, p.outBlock) + 1);
    }
    if (form == WeightForm::Dense) cost.denseWeights = cost.products / tiles;
    cost.bytesUp = cost.uploads * sizes.uploadBytes();
    cost.bytesDown = cost.replies * sizes.replyBytes() + ceilDiv(geometry.outputs() * sizes.wantedBits, 8);
    return cost;
  }
};

} // namespace

std::int64_t LinearGeometry::outputs() const {
  std::int64_t count = outChannels();
  for (auto &dim : dims)
    count *= dim.out;
  return count;
}

bool isPacked(OpKind kind) {
  return kind == OpKind::ShareConv || kind == OpKind::ShareMatMul || kind == OpKind::ShareScale;
}

PackingCost &PackingCost::operator+=(const PackingCost &other) {
  uploads += other.uploads;
  replies += other.replies;
  products += other.products;
  denseWeights += other.denseWeights;
  otherWeights += other.otherWeights;
  bytesUp += other.bytesUp;
  bytesDown += other.bytesDown;
  messagesUp += other.messagesUp;
  messagesDown += other.messagesDown;
  return *this;
}

LinearGeometry linearGeometry(OpKind kind, std::span<const Type> operands, const Attrs &attrs, const Type &result,
                              int ringBits) {
  const Shape &x = operands[0].shape, &w = operands[1].shape;
  assert(isPacked(kind));
  LinearGeometry geometry = kind == OpKind::ShareConv     ? convGeometry(x, w, result.shape, attrs)
                            : kind == OpKind::ShareMatMul ? matMulGeometry(x, w)
                                                          : scaleGeometry(x, w);
  geometry.ringBits = ringBits;
  geometry.balance = attrs.i(Attr::Balance, kDefaultBalance);
  return geometry;
}

std::int64_t Packing::tileCount() const { return product(tiles); }
std::int64_t Packing::inBlocks() const { return ceilDiv(static_cast<std::int64_t>(channels.size()), inBlock); }
std::int64_t Packing::outBlocks(const LinearGeometry &geometry) const {
  return ceilDiv(geometry.outChannels(), outBlock);
}

std::array<std::int64_t, kSpatialDims> Packing::tileAt(std::int64_t index) const {
  Dims at{};
  for (int d = kSpatialDims; d-- > 0; index /= tiles[d])
    at[d] = index % tiles[d];
  return at;
}

Dims Packing::strides() const {
  Dims strides;
  std::int64_t step = 1;
  for (int d = kSpatialDims; d-- > 0; step *= extent[d])
    strides[d] = step;
  return strides;
}

WeightForm Packing::weightForm() const {
  return formOf(shiftStep(
                    [&](int d) -> const auto & { return phases[d]; }, strides()),
                *this);
}

std::int64_t Packing::tileOutputs(const LinearGeometry &geometry, int axis, std::int64_t tileIndex) const {
  return std::min(tile[axis], geometry.dims[axis].out - tileIndex * tile[axis]);
}

std::int64_t Packing::wanted(const LinearGeometry &geometry, std::int64_t outBlockIndex, std::int64_t tileIndex) const {
  std::int64_t count = std::min(outBlock, geometry.outChannels() - outBlockIndex * outBlock);
  const Dims at = tileAt(tileIndex);
  for (int d = 0; d < kSpatialDims; ++d)
    count *= tileOutputs(geometry, d, at[d]);
  return count;
}

bool Packing::connected(const LinearGeometry &geometry, std::int64_t out, std::int64_t in) const {
  const auto lastIn = std::min<std::int64_t>((in + 1) * inBlock, std::ssize(channels)) - 1;
  const auto lastOut = std::min((out + 1) * outBlock, geometry.outChannels()) - 1;
  return channels[in * inBlock].channel / geometry.inPerGroup <= lastOut / geometry.outPerGroup &&
         out * outBlock / geometry.outPerGroup <= channels[lastIn].channel / geometry.inPerGroup;
}

Packing choosePacking(const LinearGeometry &geometry) {
  Search fewestBytes{geometry};
  fewestBytes.run();
  Search leastWeight{
      .geometry = geometry, .balance = geometry.balance, .mostBytes = fewestBytes.bestBytes * kMostBytesPercent / 100};
  leastWeight.run();
  Packing &p = leastWeight.best;
  // A channel's phases stand together, so that a group's data do too.
  for (std::int64_t c = 0; c < geometry.inChannels(); ++c)
    for (std::size_t a = 0; a < p.phases[0].size(); ++a)
      for (std::size_t b = 0; b < p.phases[1].size(); ++b)
        for (std::size_t e = 0; e < p.phases[2].size(); ++e)
          for (std::size_t f = 0; f < p.phases[3].size(); ++f)
            p.channels.push_back({c, {std::int64_t(a), std::int64_t(b), std::int64_t(e), std::int64_t(f)}});
  return p;
}

PackingCost packingCost(const LinearGeometry &geometry, const Packing &packing) {
  PackingCost cost;
  const RlweSizes sizes = geometry.sizes();
  const std::int64_t tiles = packing.tileCount();
  cost.uploads = packing.inBlocks() * tiles;
  cost.replies = packing.outBlocks(geometry) * tiles;
  std::int64_t &weights = packing.weightForm() == WeightForm::Dense ? cost.denseWeights : cost.otherWeights;
  for (std::int64_t o = 0; o < packing.outBlocks(geometry); ++o)
    for (std::int64_t i = 0; i < packing.inBlocks(); ++i)
      weights += packing.connected(geometry, o, i);
  cost.products = weights * tiles;
  cost.bytesUp = cost.uploads * sizes.uploadBytes();
  for (std::int64_t o = 0; o < packing.outBlocks(geometry); ++o)
    for (std::int64_t t = 0; t < tiles; ++t)
      cost.bytesDown += sizes.replyBytes(packing.wanted(geometry, o, t));
  cost.messagesUp = ceilDiv(cost.uploads, kUploadsPerMessage);
  cost.messagesDown = packing.outBlocks(geometry);
  return cost;
}

} // namespace sd
