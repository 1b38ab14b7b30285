#include "runtime/he/LinearCorrelation.h"

#include <algorithm>
#include <atomic>
#include <cassert>
#include <cstring>

#include "runtime/he/PackingLayout.h"

namespace sd {

namespace {

constexpr std::uint16_t kTagSetup = 0x300, kTagUpload = 0x301, kTagReply = 0x302;

std::int64_t uploadCount(const LinearLayer &layer) { return layer.packing.tileCount() * layer.packing.inBlocks(); }

std::size_t wantedBytes(const LinearLayer &layer, std::int64_t outBlock, std::int64_t tile) {
  return packedBytes(layer.packing.wanted(layer.geometry, outBlock, tile), kWantedBits);
}

std::size_t replyBytes(const LinearLayer &layer, std::int64_t outBlock) {
  std::size_t bytes = 0;
  for (std::int64_t t = 0; t < layer.packing.tileCount(); ++t)
    bytes += kPackedReplyBytes + wantedBytes(layer, outBlock, t);
  return bytes;
}

} // namespace

LinearHospital::LinearHospital(Channel &channel, const Seed &seed)
    : channel_(&channel), seed_(seed), publicStream_(seed.derive("rlwe public")), secret_([&] {
        Prg randomness(seed.derive("rlwe secret"));
        return RlweSecretKey(randomness);
      }()) {}

Expected<LinearHospital> LinearHospital::setUp(Channel &channel, const Seed &seed) {
  LinearHospital hospital(channel, seed);
  RlwePoly k1 = makeRlwePoly(), k0 = makeRlwePoly();
  uniformPoly(hospital.publicStream_, k1);
  Prg randomness(seed.derive("rlwe public key errors"));
  hospital.secret_.makePublicKey(k1, randomness, k0);
  std::vector<std::uint8_t> message(kLinearSetupBytes);
  const Seed publicSeed = seed.derive("rlwe public");
  std::ranges::copy(publicSeed.bytes(), message.begin());
  packPoly(k0, std::span(message).subspan(Seed::kBytes));
  SD_TRY(channel.send(kTagSetup, message));
  return hospital;
}

Expected<void> LinearHospital::upload(const LinearLayer &layer, std::span<const Ring> r, ThreadPool &threads) {
  const std::int64_t count = uploadCount(layer), blocks = layer.packing.inBlocks();
  for (std::int64_t first = 0; first < count; first += kUploadsPerMessage) {
    const std::int64_t batch = std::min(kUploadsPerMessage, count - first);
    std::vector<RlwePoly> c1;
    for (std::int64_t i = 0; i < batch; ++i) {
      c1.push_back(makeRlwePoly());
      uniformPoly(publicStream_, c1.back());
    }
    std::vector<std::uint8_t> message(batch * kPackedUploadBytes);
    const std::uint64_t number = uploads_;
    threads.parallelFor(batch, [&](std::int64_t i) {
      Prg randomness(seed_.derive(fmt::format("rlwe upload {}", number + i)));
      SecretVector<Ring> coefficients(kRlweDegree);
      packInput(layer.geometry, layer.packing, (first + i) / blocks, (first + i) % blocks, r, coefficients.span());
      RlwePoly c0 = makeRlwePoly();
      secret_.encrypt(coefficients.span(), c1[i], randomness, c0);
      packPoly(c0, std::span(message).subspan(i * kPackedUploadBytes, kPackedUploadBytes));
    });
    uploads_ += batch;
    SD_TRY(channel_->send(kTagUpload, message));
  }
  return {};
}

Expected<void> LinearHospital::collect(const LinearLayer &layer, std::span<Ring> v, ThreadPool &threads) const {
  const std::int64_t tiles = layer.packing.tileCount();
  for (std::int64_t o = 0; o < layer.packing.outBlocks(layer.geometry); ++o) {
    std::vector<std::uint8_t> message(replyBytes(layer, o));
    SD_TRY(channel_->receive(kTagReply, message));
    threads.parallelFor(tiles, [&](std::int64_t t) {
      std::size_t at = 0;
      for (std::int64_t before = 0; before < t; ++before)
        at += kPackedReplyBytes + wantedBytes(layer, o, before);
      const WantedOutputs outputs = wantedOutputs(layer.geometry, layer.packing, o, t);
      std::vector<std::uint64_t> c1(kRlweDegree), wanted(outputs.positions.size());
      unpackBits(std::span(message).subspan(at, kPackedReplyBytes), kReplyBits, c1);
      unpackBits(std::span(message).subspan(at + kPackedReplyBytes, wantedBytes(layer, o, t)), kWantedBits, wanted);
      SecretVector<Ring> opened(wanted.size());
      secret_.decrypt(c1, wanted, outputs.positions, opened.span());
      for (std::size_t i = 0; i < wanted.size(); ++i)
        v[outputs.elements[i]] = opened[i];
    });
  }
  return {};
}

LinearService::LinearService(Channel &channel, const Seed &seed, const Seed &publicSeed)
    : channel_(&channel), seed_(seed), publicStream_(publicSeed), key_{makeRlwePoly(), makeRlwePoly()} {}

Expected<LinearService> LinearService::setUp(Channel &channel, const Seed &seed) {
  std::vector<std::uint8_t> message(kLinearSetupBytes);
  SD_TRY(channel.receive(kTagSetup, message));
  LinearService service(channel, seed, Seed(std::span(message).first<Seed::kBytes>()));
  uniformPoly(service.publicStream_, service.key_.k1);
  SD_TRY(unpackPoly(std::span(message).subspan(Seed::kBytes), service.key_.k0));
  return service;
}

Expected<void> LinearService::answer(const LinearLayer &layer, std::span<const std::int32_t> weights, std::span<Ring> u,
                                     ThreadPool &threads) {
  const LinearGeometry &geometry = layer.geometry;
  const Packing &packing = layer.packing;
  if (noiseBound(geometry, packing, weights) > kMaxNoise)
    return fail("the weights of a linear layer are too large to be hidden; compile with a smaller --scale");
  if (packing.inBlocks() > kMaxProducts)
    return fail("a linear layer has more input than the linear protocol takes: {} polynomials, at most {}",
                packing.inBlocks(), kMaxProducts);
  const std::int64_t count = uploadCount(layer), blocks = packing.inBlocks(), tiles = packing.tileCount();
  std::vector<RlwePoly> c0(count), c1(count);
  std::vector<std::uint8_t> message;
  for (std::int64_t first = 0; first < count; first += kUploadsPerMessage) {
    const std::int64_t batch = std::min(kUploadsPerMessage, count - first);
    message.resize(batch * kPackedUploadBytes);
    SD_TRY(channel_->receive(kTagUpload, message));
    for (std::int64_t i = 0; i < batch; ++i) {
      c0[first + i] = makeRlwePoly();
      c1[first + i] = makeRlwePoly();
      SD_TRY(unpackPoly(std::span(message).subspan(i * kPackedUploadBytes, kPackedUploadBytes), c0[first + i]));
      uniformPoly(publicStream_, c1[first + i]);
    }
  }
  Prg masks(seed_.derive(fmt::format("rlwe masks {}", layers_)));
  masks.fill(u);
  const std::int64_t outBlocks = packing.outBlocks(geometry);
  const bool constant = constantWeights(packing);
  const auto width = static_cast<std::int64_t>(threads.threads());
  std::vector<std::vector<std::uint8_t>> replies(width);
  for (std::int64_t first = 0; first < outBlocks; first += width) {
    const std::int64_t batch = std::min(width, outBlocks - first);
    threads.parallelFor(batch, [&](std::int64_t i) {
      const std::int64_t o = first + i;
      std::vector<ReplySums> sums(tiles);
      SecretVector<std::int32_t> coefficients(kRlweDegree);
      std::vector<RlwePoly> weightPolys;
      std::vector<std::int64_t> pending; // blocks whose weights are transformed
      const auto multiply = [&] {
        for (std::int64_t t = 0; t < tiles; ++t) {
          std::vector<RlweTerm> terms;
          for (std::size_t k = 0; k < pending.size(); ++k)
            terms.push_back({&weightPolys[k], &c0[t * blocks + pending[k]], &c1[t * blocks + pending[k]]});
          sums[t].add(terms);
        }
        pending.clear();
      };
      for (std::int64_t b = 0; b < blocks; ++b) {
        if (!packing.connected(geometry, o, b)) continue;
        packWeights(geometry, packing, o, b, weights, coefficients.span());
        if (weightPolys.size() == pending.size()) weightPolys.push_back(makeRlwePoly());
        RlwePoly &weightPoly = weightPolys[pending.size()];
        if (constant)
          transformConstant(coefficients[0], weightPoly);
        else
          transformSigned(coefficients.span(), weightPoly);
        pending.push_back(b);
        if (pending.size() == kTermsAtOnce) multiply();
      }
      if (!pending.empty()) multiply();
      Prg randomness(seed_.derive(fmt::format("rlwe reply {} {}", layers_, o)));
      replies[i].resize(replyBytes(layer, o));
      std::size_t at = 0;
      for (std::int64_t t = 0; t < tiles; ++t) {
        const WantedOutputs outputs = wantedOutputs(geometry, packing, o, t);
        SecretVector<Ring> mask(outputs.elements.size());
        for (std::size_t j = 0; j < mask.size(); ++j)
          mask[j] = u[outputs.elements[j]];
        std::vector<std::uint64_t> reply1(kRlweDegree), wanted(mask.size());
        makeReply(sums[t], key_, {outputs.positions, mask.span()}, randomness, reply1, wanted);
        packBits(reply1, kReplyBits, std::span(replies[i]).subspan(at, kPackedReplyBytes));
        at += kPackedReplyBytes;
        packBits(wanted, kWantedBits, std::span(replies[i]).subspan(at, packedBytes(wanted.size(), kWantedBits)));
        at += packedBytes(wanted.size(), kWantedBits);
      }
    });
    for (std::int64_t i = 0; i < batch; ++i)
      SD_TRY(channel_->send(kTagReply, replies[i]));
  }
  ++layers_;
  return {};
}

} // namespace sd
