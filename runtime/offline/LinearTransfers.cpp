#include "runtime/offline/LinearTransfers.h"

#include <algorithm>
#include <cassert>
#include <cstring>

#include "runtime/crypto/Random.h"
#include "runtime/kernels/BitPlanes.h"
#include "runtime/offline/TwoPartyTags.h"

namespace sd {

namespace {

template <RingWord R>
constexpr std::uint64_t kInputsPerTile = kPadTile / kBitsOf<R>;

// The pad that an OT's block stands for: the block itself where it is long enough, else its AES-128-CTR stream.
template <RingWord R>
void expand(const Block &seed, std::uint64_t ot, std::span<R> pad) {
  if (pad.size_bytes() <= sizeof(Block)) {
    std::memcpy(pad.data(), &seed, pad.size_bytes());
    return;
  }
  std::array<std::uint8_t, Seed::kBytes> key;
  std::memcpy(key.data(), &seed, key.size());
  Prg(Seed(key), ot).fill(pad);
  OPENSSL_cleanse(key.data(), key.size());
}

std::size_t largestDegree(const LinearTaps &taps) {
  std::size_t most = 0;
  for (std::size_t j = 0; j < taps.inputs(); ++j)
    most = std::max(most, taps.of(j).size());
  return most;
}

template <RingWord R>
std::vector<std::uint8_t> correctionMessage(const LinearTaps &taps) {
  return std::vector<std::uint8_t>(TransferCost{taps.inputs(), taps.taps.size(), kBitsOf<R>}.bytesDown());
}

} // namespace

template <RingWord R>
Expected<SenderSeeds> gatherSeeds(PadSender &ots, std::uint64_t inputs) {
  SenderSeeds seeds{SecretVector<Block>(kBitsOf<R> * inputs), SecretVector<Block>(kBitsOf<R> * inputs)};
  for (std::uint64_t first = 0; first < inputs; first += kInputsPerTile<R>) {
    const std::uint64_t at = kBitsOf<R> * first, n = kBitsOf<R> * std::min(kInputsPerTile<R>, inputs - first);
    SD_TRY(ots.blocks(seeds.zero.span().subspan(at, n), seeds.one.span().subspan(at, n)));
  }
  return seeds;
}

template <RingWord R>
Expected<ReceiverSeeds<R>> gatherSeeds(PadReceiver &ots, std::uint64_t inputs) {
  ReceiverSeeds<R> seeds{SecretVector<Block>(kBitsOf<R> * inputs), SecretVector<R>(inputs)};
  SecretVector<std::uint64_t> choices(kPadTile / 64);
  for (std::uint64_t first = 0; first < inputs; first += kInputsPerTile<R>) {
    const std::uint64_t count = std::min(kInputsPerTile<R>, inputs - first);
    SD_TRY(ots.blocks(choices.data(), seeds.seeds.span().subspan(kBitsOf<R> * first, kBitsOf<R> * count)));
    for (std::uint64_t j = 0; j < count; ++j)
      seeds.choices[first + j] = static_cast<R>(choices[j * kBitsOf<R> / 64] >> (j * kBitsOf<R> % 64));
  }
  return seeds;
}

template <RingWord R>
Expected<void> sendTransferChoices(Channel &channel, std::span<const R> r, ReceiverSeeds<R> &seeds) {
  assert(r.size() == seeds.choices.size());
  std::vector<std::uint8_t> message(sizeof(R) * r.size());
  SecretVector<R> flips(r.size());
  for (std::size_t j = 0; j < r.size(); ++j)
    flips[j] = r[j] ^ seeds.choices[j];
  std::ranges::copy(r, seeds.choices.span().begin());
  std::memcpy(message.data(), flips.data(), message.size());
  return channel.send(tag::kTransferChoices, message);
}

template <RingWord R>
Expected<void> answerTransfers(Channel &channel, const LinearTaps &taps, std::span<const SignedOf<R>> weights,
                               SenderSeeds seeds, std::span<R> u) {
  std::vector<R> flips(taps.inputs());
  SD_TRY(channel.receive(tag::kTransferChoices,
                         std::span(reinterpret_cast<std::uint8_t *>(flips.data()), sizeof(R) * flips.size())));
  std::ranges::fill(u, 0);
  std::vector<std::uint8_t> message = correctionMessage<R>(taps);
  BitWriter out(message);
  const std::size_t most = largestDegree(taps);
  SecretVector<R> zero(most), one(most), corrections(most);
  for (std::size_t j = 0; j < taps.inputs(); ++j) {
    const auto own = taps.of(j);
    if (own.empty()) continue;
    for (int k = 0; k < kBitsOf<R>; ++k) {
      const std::size_t ot = kBitsOf<R> * j + k;
      Block &a = seeds.zero[ot], &b = seeds.one[ot];
      const Block swap = (a ^ b) & Block::mask(flips[j] >> k & 1);
      a ^= swap;
      b ^= swap;
      expand(a, ot, zero.span().first(own.size()));
      expand(b, ot, one.span().first(own.size()));
      for (std::size_t i = 0; i < own.size(); ++i) {
        corrections[i] = zero[i] + static_cast<R>(weights[own[i].weight]) - one[i];
        u[own[i].output] -= zero[i] << k;
      }
      out.fields(corrections.span().first(own.size()), kBitsOf<R> - k);
    }
  }
  out.finish();
  return channel.send(tag::kTransferCorrections, message);
}

template <RingWord R>
Expected<void> collectTransfers(Channel &channel, const LinearTaps &taps, const ReceiverSeeds<R> &seeds,
                                std::span<R> v) {
  std::vector<std::uint8_t> message = correctionMessage<R>(taps);
  SD_TRY(channel.receive(tag::kTransferCorrections, message));
  std::ranges::fill(v, 0);
  BitReader in(message); // ends with a whole byte: 528 or 2080 bits a tap
  const std::size_t most = largestDegree(taps);
  SecretVector<R> pad(most), corrections(most);
  for (std::size_t j = 0; j < taps.inputs(); ++j) {
    const auto own = taps.of(j);
    if (own.empty()) continue;
    for (int k = 0; k < kBitsOf<R>; ++k) {
      const R chosen = R{0} - (seeds.choices[j] >> k & 1);
      const std::size_t ot = kBitsOf<R> * j + k;
      expand(seeds.seeds[ot], ot, pad.span().first(own.size()));
      in.fields(corrections.span().first(own.size()), kBitsOf<R> - k);
      for (std::size_t i = 0; i < own.size(); ++i)
        v[own[i].output] += (pad[i] + (chosen & corrections[i])) << k;
    }
  }
  return {};
}

#define SD_INSTANTIATE(R)                                                                                              \
  template Expected<SenderSeeds> gatherSeeds<R>(PadSender &, std::uint64_t);                                           \
  template Expected<ReceiverSeeds<R>> gatherSeeds<R>(PadReceiver &, std::uint64_t);                                    \
  template Expected<void> sendTransferChoices<R>(Channel &, std::span<const R>, ReceiverSeeds<R> &);                   \
  template Expected<void> answerTransfers<R>(Channel &, const LinearTaps &, std::span<const SignedOf<R>>, SenderSeeds, \
                                             std::span<R>);                                                            \
  template Expected<void> collectTransfers<R>(Channel &, const LinearTaps &, const ReceiverSeeds<R> &, std::span<R>);
SD_INSTANTIATE(Ring32)
SD_INSTANTIATE(Ring64)
#undef SD_INSTANTIATE

} // namespace sd
