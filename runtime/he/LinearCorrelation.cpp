#include "runtime/he/LinearCorrelation.h"

#include <algorithm>
#include <atomic>
#include <cassert>
#include <cmath>
#include <cstring>

#include "runtime/he/PackBits.h"
#include "runtime/he/PackingLayout.h"

namespace sd {

namespace {

// One sparse transform makes the weights of one batch of products.
static_assert(kTermsAtOnce == kInterleaved && kSparseStep % kInterleaved == 0);

std::int64_t uploadCount(const LinearLayer &layer) { return layer.packing.tileCount() * layer.packing.inBlocks(); }

std::size_t tileBytes(const LinearLayer &layer, std::int64_t outBlock, std::int64_t tile) {
  return static_cast<std::size_t>(
      layer.geometry.sizes().replyBytes(layer.packing.wanted(layer.geometry, outBlock, tile)));
}

std::size_t blockBytes(const LinearLayer &layer, std::int64_t outBlock) {
  std::size_t bytes = 0;
  for (std::int64_t t = 0; t < layer.packing.tileCount(); ++t)
    bytes += tileBytes(layer, outBlock, t);
  return bytes;
}

// The number of each output block's first weight polynomial, and behind them how many there are in all.
std::vector<std::size_t> firstPolynomials(const LinearLayer &layer) {
  std::vector<std::size_t> first{0};
  for (std::int64_t o = 0; o < layer.packing.outBlocks(layer.geometry); ++o) {
    first.push_back(first.back());
    for (std::int64_t b = 0; b < layer.packing.inBlocks(); ++b)
      first.back() += layer.packing.connected(layer.geometry, o, b);
  }
  return first;
}

} // namespace

std::size_t keptPolynomials(const LinearLayer &layer) {
  return layer.packing.weightForm() == WeightForm::Dense ? firstPolynomials(layer).back() : 0;
}

template <RingWord R>
Expected<LinearHospital<R>> LinearHospital<R>::setUp(Channel &channel, const Seed &seed) {
  SD_ASSIGN(auto uploader, (RlweUploader<R, RlweUse::Weights>::setUp(channel, seed)));
  return LinearHospital(channel, std::move(uploader));
}

template <RingWord R>
Expected<void> LinearHospital<R>::upload(const LinearLayer &layer, std::span<const R> r, ThreadPool &threads) {
  const std::int64_t blocks = layer.packing.inBlocks();
  return uploader_.send(
      uploadCount(layer),
      [&](std::int64_t i, std::span<R> coefficients) {
        packInput<R>(layer.geometry, layer.packing, i / blocks, i % blocks, r, coefficients);
      },
      threads);
}

template <RingWord R>
Expected<void> LinearHospital<R>::collect(const LinearLayer &layer, std::span<R> v, ThreadPool &threads) const {
  const std::int64_t tiles = layer.packing.tileCount();
  for (std::int64_t o = 0; o < layer.packing.outBlocks(layer.geometry); ++o) {
    std::vector<std::uint8_t> message(blockBytes(layer, o));
    SD_TRY(channel_->receive(kRlweReplyTag, message));
    threads.parallelFor(tiles, [&](std::int64_t t) {
      std::size_t at = 0;
      for (std::int64_t before = 0; before < t; ++before)
        at += tileBytes(layer, o, before);
      const WantedOutputs outputs = wantedOutputs(layer.geometry, layer.packing, o, t);
      SecretVector<R> opened(outputs.positions.size());
      uploader_.open(std::span(message).subspan(at, tileBytes(layer, o, t)), outputs.positions, opened.span());
      for (std::size_t i = 0; i < opened.size(); ++i)
        v[outputs.elements[i]] = opened[i];
    });
  }
  return {};
}

template <RingWord R>
Expected<LinearService<R>> LinearService<R>::setUp(Channel &channel, const Seed &seed) {
  SD_ASSIGN(auto replier, (RlweReplier<R, RlweUse::Weights>::setUp(channel)));
  return LinearService(channel, seed, std::move(replier));
}

// The product sums of output block `o`, one a tile.
template <RingWord R>
std::vector<ReplySums<R>> LinearService<R>::multiply(const ServiceLayer &own, std::int64_t o) const {
  const LinearGeometry &geometry = own.layer.geometry;
  const Packing &packing = own.layer.packing;
  const std::int64_t blocks = packing.inBlocks(), tiles = packing.tileCount();
  const WeightForm form = packing.weightForm();
  std::vector<std::int64_t> inBlocks;
  for (std::int64_t b = 0; b < blocks; ++b)
    if (packing.connected(geometry, o, b)) inBlocks.push_back(b);

  std::vector<ReplySums<R>> sums(tiles);
  SecretVector<SignedOf<R>> coefficients(RlweParameters<R>::kDegree);
  const auto pack = [&](std::int64_t b, std::int64_t offset) {
    packWeights<R>(geometry, packing, o, b, own.weights, coefficients.span(), offset);
  };
  const auto transform = [&](std::int64_t b, RlwePoly &poly) {
    if (poly.empty()) poly = makeRlwePoly<R>();
    std::ranges::fill(coefficients.span(), 0);
    pack(b, 0);
    if (form == WeightForm::Constant)
      transformConstant<R>(coefficients[0], poly);
    else
      transformSigned<R>(coefficients.span(), poly);
  };
  std::array<RlwePoly, kTermsAtOnce> passing; // those that are not kept
  if (form == WeightForm::Sparse) std::ranges::generate(passing, makeRlwePoly<R>);
  for (std::size_t first = 0; first < inBlocks.size(); first += kTermsAtOnce) {
    const auto batch = std::span(inBlocks).subspan(first, std::min(kTermsAtOnce, inBlocks.size() - first));
    std::array<const RlwePoly *, kTermsAtOnce> polys{};
    if (form == WeightForm::Sparse) {
      std::ranges::fill(coefficients.span(), 0);
      for (std::size_t i = 0; i < batch.size(); ++i)
        pack(batch[i], static_cast<std::int64_t>(i));
      transformSparse<R>(coefficients.span(), passing);
    }
    for (std::size_t i = 0; i < batch.size(); ++i) {
      if (form == WeightForm::Dense && own.kept)
        polys[i] = own.kept->find(own.firstPolynomial[o] + first + i, [&] {
          RlwePoly made;
          transform(batch[i], made);
          return made;
        });
      if (polys[i]) continue;
      if (form != WeightForm::Sparse) transform(batch[i], passing[i]);
      polys[i] = &passing[i];
    }
    for (std::int64_t t = 0; t < tiles; ++t) {
      std::array<RlweTerm, kTermsAtOnce> terms;
      for (std::size_t i = 0; i < batch.size(); ++i)
        terms[i] = {polys[i], &own.uploads.c0[t * blocks + batch[i]], &own.uploads.c1[t * blocks + batch[i]]};
      sums[t].add(std::span(terms).first(batch.size()));
    }
  }
  return sums;
}

// The message about output block `o`.
template <RingWord R>
std::vector<std::uint8_t> LinearService<R>::reply(const ServiceLayer &own, std::int64_t o, std::span<const R> u) const {
  const LinearLayer &layer = own.layer;
  const std::vector<ReplySums<R>> sums = multiply(own, o);
  Prg randomness(seed_.derive(fmt::format("rlwe reply {} {}", layers_, o)));
  std::vector<std::uint8_t> message(blockBytes(layer, o));
  std::span<std::uint8_t> left(message);
  for (std::size_t t = 0; t < sums.size(); ++t) {
    const WantedOutputs outputs = wantedOutputs(layer.geometry, layer.packing, o, static_cast<std::int64_t>(t));
    SecretVector<R> mask(outputs.elements.size());
    for (std::size_t j = 0; j < mask.size(); ++j)
      mask[j] = u[outputs.elements[j]];
    const std::size_t bytes = tileBytes(layer, o, static_cast<std::int64_t>(t));
    replier_.write(sums[t], {outputs.positions, mask.span()}, randomness, left.first(bytes));
    left = left.subspan(bytes);
  }
  return message;
}

template <RingWord R>
Expected<void> LinearService<R>::answer(const LinearLayer &layer, std::span<const SignedOf<R>> weights, std::span<R> u,
                                        ThreadPool &threads, LayerTransforms *kept) {
  const Packing &packing = layer.packing;
  if (packing.inBlocks() > kMaxProducts)
    return fail("a linear layer has more input than the linear protocol takes: {} polynomials, at most {}",
                packing.inBlocks(), kMaxProducts);
  SD_ASSIGN(const RlweUploads uploads, replier_.receive(uploadCount(layer)));
  Prg masks(seed_.derive(fmt::format("rlwe masks {}", layers_)));
  masks.fill(u);
  const ServiceLayer own{layer, weights, uploads, kept, firstPolynomials(layer)};
  const std::int64_t outBlocks = packing.outBlocks(layer.geometry);
  const auto width = static_cast<std::int64_t>(threads.threads());
  std::vector<std::vector<std::uint8_t>> replies(width);
  for (std::int64_t first = 0; first < outBlocks; first += width) {
    const std::int64_t batch = std::min(width, outBlocks - first);
    threads.parallelFor(batch, [&](std::int64_t i) { replies[i] = reply(own, first + i, u); });
    for (std::int64_t i = 0; i < batch; ++i)
      SD_TRY(channel_->send(kRlweReplyTag, replies[i]));
  }
  ++layers_;
  return {};
}

template <RingWord R>
Expected<void> checkHidden(double squares) {
  if (squares <= RlweParameters<R>::kMaxSquares) return {};
  const double bits = hidingBits(squares, kBitsOf<R>);
  return fail(
      "the weights are too large to be hidden: an inference would tell of them up to 2^-{:.2f}, and 2^-{} is the "
      "most; compile with a --weight-scale at least {} times smaller, or let a dealer make the correlations "
      "(--preprocess)",
      bits, kHidingBits, std::exp2(std::ceil(kHidingBits - bits)));
}

template Expected<void> checkHidden<Ring32>(double);
template Expected<void> checkHidden<Ring64>(double);
template class LinearHospital<Ring32>;
template class LinearHospital<Ring64>;
template class LinearService<Ring32>;
template class LinearService<Ring64>;

} // namespace sd
