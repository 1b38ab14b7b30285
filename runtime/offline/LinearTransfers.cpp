#include "runtime/offline/LinearTransfers.h"

#include <algorithm>
#include <cassert>
#include <cstring>

#include "runtime/crypto/Random.h"
#include "runtime/kernels/BitPlanes.h"
#include "runtime/offline/TwoPartyTags.h"

namespace sd {

namespace {

constexpr std::uint64_t kInputsPerTile = kPadTile / kRingBits;

// The pad that an OT's block stands for: the block itself where it is long enough, else its AES-128-CTR stream.
void expand(const Block &seed, std::span<Ring> pad) {
  if (pad.size_bytes() <= sizeof(Block)) {
    std::memcpy(pad.data(), &seed, pad.size_bytes());
    return;
  }
  std::array<std::uint8_t, Seed::kBytes> key;
  std::memcpy(key.data(), &seed, key.size());
  Prg(Seed(key)).fill(pad);
  OPENSSL_cleanse(key.data(), key.size());
}

std::size_t largestDegree(const LinearTaps &taps) {
  std::size_t most = 0;
  for (std::size_t j = 0; j < taps.inputs(); ++j)
    most = std::max(most, taps.of(j).size());
  return most;
}

std::vector<std::uint8_t> correctionMessage(const LinearTaps &taps) {
  return std::vector<std::uint8_t>(TransferCost{taps.inputs(), taps.taps.size()}.bytesDown());
}

} // namespace

Expected<SenderSeeds> gatherSeeds(PadSender &ots, std::uint64_t inputs) {
  SenderSeeds seeds{SecretVector<Block>(kRingBits * inputs), SecretVector<Block>(kRingBits * inputs)};
  for (std::uint64_t first = 0; first < inputs; first += kInputsPerTile) {
    const std::uint64_t at = kRingBits * first, n = kRingBits * std::min(kInputsPerTile, inputs - first);
    SD_TRY(ots.blocks(seeds.zero.span().subspan(at, n), seeds.one.span().subspan(at, n)));
  }
  return seeds;
}

Expected<ReceiverSeeds> gatherSeeds(PadReceiver &ots, std::uint64_t inputs) {
  ReceiverSeeds seeds{SecretVector<Block>(kRingBits * inputs), SecretVector<Ring>(inputs)};
  SecretVector<std::uint64_t> choices(kPadTile / 64);
  for (std::uint64_t first = 0; first < inputs; first += kInputsPerTile) {
    const std::uint64_t count = std::min(kInputsPerTile, inputs - first);
    SD_TRY(ots.blocks(choices.data(), seeds.seeds.span().subspan(kRingBits * first, kRingBits * count)));
    for (std::uint64_t j = 0; j < count; ++j)
      seeds.choices[first + j] = static_cast<Ring>(choices[j / 2] >> (32 * (j % 2)));
  }
  return seeds;
}

Expected<void> sendTransferChoices(Channel &channel, std::span<const Ring> r, ReceiverSeeds &seeds) {
  assert(r.size() == seeds.choices.size());
  std::vector<std::uint8_t> message(4 * r.size());
  SecretVector<Ring> flips(r.size());
  for (std::size_t j = 0; j < r.size(); ++j)
    flips[j] = r[j] ^ seeds.choices[j];
  std::ranges::copy(r, seeds.choices.span().begin());
  std::memcpy(message.data(), flips.data(), message.size());
  return channel.send(tag::kTransferChoices, message);
}

Expected<void> answerTransfers(Channel &channel, const LinearTaps &taps, std::span<const std::int32_t> weights,
                               SenderSeeds seeds, std::span<Ring> u) {
  std::vector<Ring> flips(taps.inputs());
  SD_TRY(channel.receive(tag::kTransferChoices,
                         std::span(reinterpret_cast<std::uint8_t *>(flips.data()), 4 * flips.size())));
  std::ranges::fill(u, 0);
  std::vector<std::uint8_t> message = correctionMessage(taps);
  BitWriter out(message);
  const std::size_t most = largestDegree(taps);
  SecretVector<Ring> zero(most), one(most), corrections(most);
  for (std::size_t j = 0; j < taps.inputs(); ++j) {
    const auto own = taps.of(j);
    if (own.empty()) continue;
    for (int k = 0; k < kRingBits; ++k) {
      Block &a = seeds.zero[kRingBits * j + k], &b = seeds.one[kRingBits * j + k];
      const Block swap = (a ^ b) & Block::mask(flips[j] >> k & 1);
      a ^= swap;
      b ^= swap;
      expand(a, zero.span().first(own.size()));
      expand(b, one.span().first(own.size()));
      for (std::size_t i = 0; i < own.size(); ++i) {
        corrections[i] = zero[i] + static_cast<Ring>(weights[own[i].weight]) - one[i];
        u[own[i].output] -= zero[i] << k;
      }
      out.fields(corrections.span().first(own.size()), kRingBits - k);
    }
  }
  out.finish();
  return channel.send(tag::kTransferCorrections, message);
}

Expected<void> collectTransfers(Channel &channel, const LinearTaps &taps, const ReceiverSeeds &seeds,
                                std::span<Ring> v) {
  std::vector<std::uint8_t> message = correctionMessage(taps);
  SD_TRY(channel.receive(tag::kTransferCorrections, message));
  std::ranges::fill(v, 0);
  BitReader in(message); // ends with a whole byte: 528 bits a tap
  const std::size_t most = largestDegree(taps);
  SecretVector<Ring> pad(most), corrections(most);
  for (std::size_t j = 0; j < taps.inputs(); ++j) {
    const auto own = taps.of(j);
    if (own.empty()) continue;
    for (int k = 0; k < kRingBits; ++k) {
      const Ring chosen = Ring{0} - (seeds.choices[j] >> k & 1);
      expand(seeds.seeds[kRingBits * j + k], pad.span().first(own.size()));
      in.fields(corrections.span().first(own.size()), kRingBits - k);
      for (std::size_t i = 0; i < own.size(); ++i)
        v[own[i].output] += (pad[i] + (chosen & corrections[i])) << k;
    }
  }
  return {};
}

} // namespace sd
