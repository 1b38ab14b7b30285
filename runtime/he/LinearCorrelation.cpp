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

constexpr std::uint16_t kTagSetup = 0x300, kTagUpload = 0x301, kTagReply = 0x302;

template <RingWord R>
inline constexpr std::size_t kUploadBytes = RlweParameters<R>::kSizes.uploadBytes();
template <RingWord R>
inline constexpr std::size_t kReplyBytes = RlweParameters<R>::kSizes.replyBytes();

std::int64_t uploadCount(const LinearLayer &layer) { return layer.packing.tileCount() * layer.packing.inBlocks(); }

std::size_t wantedBytes(const LinearLayer &layer, std::int64_t outBlock, std::int64_t tile) {
  return packedBytes(layer.packing.wanted(layer.geometry, outBlock, tile), layer.geometry.sizes().wantedBits);
}

std::size_t replyBytes(const LinearLayer &layer, std::int64_t outBlock) {
  std::size_t bytes = 0;
  for (std::int64_t t = 0; t < layer.packing.tileCount(); ++t)
    bytes += layer.geometry.sizes().replyBytes() + wantedBytes(layer, outBlock, t);
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
LinearHospital<R>::LinearHospital(Channel &channel, const Seed &seed)
    : channel_(&channel), seed_(seed), publicStream_(seed.derive("rlwe public")), secret_([&] {
        Prg randomness(seed.derive("rlwe secret"));
        return RlweSecretKey<R>(randomness);
      }()) {}

template <RingWord R>
Expected<LinearHospital<R>> LinearHospital<R>::setUp(Channel &channel, const Seed &seed) {
  LinearHospital<R> hospital(channel, seed);
  RlwePoly k1 = makeRlwePoly<R>(), k0 = makeRlwePoly<R>();
  uniformPoly<R>(hospital.publicStream_, k1);
  Prg randomness(seed.derive("rlwe public key errors"));
  hospital.secret_.makePublicKey(k1, randomness, k0);
  std::vector<std::uint8_t> message(kLinearSetupBytes<R>);
  const Seed publicSeed = seed.derive("rlwe public");
  std::ranges::copy(publicSeed.bytes(), message.begin());
  packPoly(k0, std::span(message).subspan(Seed::kBytes));
  SD_TRY(channel.send(kTagSetup, message));
  return hospital;
}

template <RingWord R>
Expected<void> LinearHospital<R>::upload(const LinearLayer &layer, std::span<const R> r, ThreadPool &threads) {
  const std::int64_t count = uploadCount(layer), blocks = layer.packing.inBlocks();
  for (std::int64_t first = 0; first < count; first += kUploadsPerMessage) {
    const std::int64_t batch = std::min(kUploadsPerMessage, count - first);
    std::vector<RlwePoly> c1;
    for (std::int64_t i = 0; i < batch; ++i) {
      c1.push_back(makeRlwePoly<R>());
      uniformPoly<R>(publicStream_, c1.back());
    }
    std::vector<std::uint8_t> message(batch * kUploadBytes<R>);
    const std::uint64_t number = uploads_;
    threads.parallelFor(batch, [&](std::int64_t i) {
      Prg randomness(seed_.derive(fmt::format("rlwe upload {}", number + i)));
      SecretVector<R> coefficients(RlweParameters<R>::kDegree);
      packInput<R>(layer.geometry, layer.packing, (first + i) / blocks, (first + i) % blocks, r, coefficients.span());
      RlwePoly c0 = makeRlwePoly<R>();
      secret_.encrypt(coefficients.span(), c1[i], randomness, c0);
      packPoly(c0, std::span(message).subspan(i * kUploadBytes<R>, kUploadBytes<R>));
    });
    uploads_ += batch;
    SD_TRY(channel_->send(kTagUpload, message));
  }
  return {};
}

template <RingWord R>
Expected<void> LinearHospital<R>::collect(const LinearLayer &layer, std::span<R> v, ThreadPool &threads) const {
  const std::int64_t tiles = layer.packing.tileCount();
  for (std::int64_t o = 0; o < layer.packing.outBlocks(layer.geometry); ++o) {
    std::vector<std::uint8_t> message(replyBytes(layer, o));
    SD_TRY(channel_->receive(kTagReply, message));
    threads.parallelFor(tiles, [&](std::int64_t t) {
      std::size_t at = 0;
      for (std::int64_t before = 0; before < t; ++before)
        at += kReplyBytes<R> + wantedBytes(layer, o, before);
      const WantedOutputs outputs = wantedOutputs(layer.geometry, layer.packing, o, t);
      std::vector<ReplyWord<R>> c1(RlweParameters<R>::kDegree), wanted(outputs.positions.size());
      unpackBits(std::span(message).subspan(at, kReplyBytes<R>), RlweParameters<R>::kReplyBits, std::span(c1));
      unpackBits(std::span(message).subspan(at + kReplyBytes<R>, wantedBytes(layer, o, t)),
                 RlweParameters<R>::kWantedBits, std::span(wanted));
      SecretVector<R> opened(wanted.size());
      secret_.decrypt(c1, wanted, outputs.positions, opened.span());
      for (std::size_t i = 0; i < wanted.size(); ++i)
        v[outputs.elements[i]] = opened[i];
    });
  }
  return {};
}

template <RingWord R>
LinearService<R>::LinearService(Channel &channel, const Seed &seed, const Seed &publicSeed)
    : channel_(&channel), seed_(seed), publicStream_(publicSeed), key_{makeRlwePoly<R>(), makeRlwePoly<R>()} {}

template <RingWord R>
Expected<LinearService<R>> LinearService<R>::setUp(Channel &channel, const Seed &seed) {
  std::vector<std::uint8_t> message(kLinearSetupBytes<R>);
  SD_TRY(channel.receive(kTagSetup, message));
  LinearService<R> service(channel, seed, Seed(std::span(message).template first<Seed::kBytes>()));
  uniformPoly<R>(service.publicStream_, service.key_.k1);
  SD_TRY(unpackPoly<R>(std::span(message).subspan(Seed::kBytes), service.key_.k0));
  return service;
}

template <RingWord R>
Expected<typename LinearService<R>::Uploads> LinearService<R>::receive(const LinearLayer &layer) {
  const std::int64_t count = uploadCount(layer);
  Uploads uploads{std::vector<RlwePoly>(count), std::vector<RlwePoly>(count)};
  std::vector<std::uint8_t> message;
  for (std::int64_t first = 0; first < count; first += kUploadsPerMessage) {
    const std::int64_t batch = std::min(kUploadsPerMessage, count - first);
    message.resize(batch * kUploadBytes<R>);
    SD_TRY(channel_->receive(kTagUpload, message));
    for (std::int64_t i = 0; i < batch; ++i) {
      RlwePoly &c0 = uploads.c0[first + i] = makeRlwePoly<R>(), &c1 = uploads.c1[first + i] = makeRlwePoly<R>();
      SD_TRY(unpackPoly<R>(std::span(message).subspan(i * kUploadBytes<R>, kUploadBytes<R>), c0));
      uniformPoly<R>(publicStream_, c1);
    }
  }
  return uploads;
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
  std::vector<std::uint8_t> message(replyBytes(layer, o));
  std::span<std::uint8_t> left(message);
  const auto pack = [&](std::span<const ReplyWord<R>> values, int bits) {
    const std::size_t bytes = packedBytes(values.size(), bits);
    packBits(values, bits, left.first(bytes));
    left = left.subspan(bytes);
  };
  for (std::size_t t = 0; t < sums.size(); ++t) {
    const WantedOutputs outputs = wantedOutputs(layer.geometry, layer.packing, o, static_cast<std::int64_t>(t));
    SecretVector<R> mask(outputs.elements.size());
    for (std::size_t j = 0; j < mask.size(); ++j)
      mask[j] = u[outputs.elements[j]];
    std::vector<ReplyWord<R>> reply1(RlweParameters<R>::kDegree), wanted(mask.size());
    makeReply<R>(sums[t], key_, {outputs.positions, mask.span()}, randomness, reply1, wanted);
    pack(reply1, RlweParameters<R>::kReplyBits);
    pack(wanted, RlweParameters<R>::kWantedBits);
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
  SD_ASSIGN(const Uploads uploads, receive(layer));
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
      SD_TRY(channel_->send(kTagReply, replies[i]));
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
