#include "runtime/offline/DealerMessages.h"

#include <algorithm>
#include <cstring>

#include "runtime/offline/SecretPlanes.h"

namespace sd {
namespace {

constexpr std::array<std::uint8_t, 4> kMagic = {'S', 'D', 'D', 'L'};
constexpr std::uint16_t kVersion = 2;

} // namespace

std::array<std::uint8_t, kDealerHelloBytes> encode(const DealerHello &hello) {
  std::array<std::uint8_t, kDealerHelloBytes> bytes{};
  auto at = std::copy(kMagic.begin(), kMagic.end(), bytes.begin());
  *at++ = kVersion & 0xff;
  *at++ = kVersion >> 8;
  *at++ = static_cast<std::uint8_t>(hello.party);
  *at++ = 0;
  at = std::copy(hello.session.begin(), hello.session.end(), at);
  std::copy(hello.program.begin(), hello.program.end(), at);
  return bytes;
}

Expected<DealerHello> decodeHello(std::span<const std::uint8_t, kDealerHelloBytes> bytes) {
  if (!std::equal(kMagic.begin(), kMagic.end(), bytes.begin())) return fail("not a party that wants a dealer");
  if (const int version = bytes[4] | bytes[5] << 8; version != kVersion)
    return fail("version {} of the dealer's messages, this is version {}", version, kVersion);
  if (bytes[6] > 1 || bytes[7] != 0) return fail("party {} of two", bytes[6]);
  DealerHello hello;
  hello.party = bytes[6];
  std::copy_n(bytes.begin() + 8, hello.session.size(), hello.session.begin());
  std::copy_n(bytes.begin() + 24, hello.program.size(), hello.program.begin());
  return hello;
}

Expected<void> sendDraw(Channel &channel, const DealerDraw &draw) {
  SecretVector<std::uint8_t> bytes(kDealerDrawBytes);
  std::memcpy(bytes.data(), &draw.number, 8);
  std::memcpy(bytes.data() + 8, draw.seed.bytes().data(), Seed::kBytes);
  return channel.send(tag::kDealerDraw, bytes.span());
}

Expected<DealerDraw> receiveDraw(Channel &channel) {
  SecretVector<std::uint8_t> bytes(kDealerDrawBytes);
  SD_TRY(channel.receive(tag::kDealerDraw, bytes.span()));
  DealerDraw draw;
  std::memcpy(&draw.number, bytes.data(), 8);
  draw.seed = Seed(bytes.span().subspan<8, Seed::kBytes>());
  return draw;
}

Prg entryStream(const Seed &seed, std::size_t entry) { return Prg(seed.derive(fmt::format("entry {}", entry))); }

template <RingWord R>
SecretVector<R> matrixMask(const Seed &matrixSeed, std::size_t weights, std::size_t elements) {
  Prg prg(matrixSeed.derive(fmt::format("matrix {}", weights)));
  return randomRing<R>(elements, prg);
}

template <RingWord R>
Expected<void> sendWords(Channel &channel, std::uint16_t tag, std::span<const R> words) {
  return channel.send(tag, {reinterpret_cast<const std::uint8_t *>(words.data()), words.size_bytes()});
}

template <RingWord R>
Expected<SecretVector<R>> receiveWords(Channel &channel, std::uint16_t tag, std::size_t count) {
  SecretVector<R> words(count);
  SD_TRY(channel.receive(tag, {reinterpret_cast<std::uint8_t *>(words.data()), count * sizeof(R)}));
  return words;
}

#define SD_DEALER_MESSAGES(R)                                                                                          \
  template SecretVector<R> matrixMask(const Seed &, std::size_t, std::size_t);                                         \
  template Expected<void> sendWords(Channel &, std::uint16_t, std::span<const R>);                                     \
  template Expected<SecretVector<R>> receiveWords(Channel &, std::uint16_t, std::size_t);
SD_DEALER_MESSAGES(Ring32)
SD_DEALER_MESSAGES(Ring64)
#undef SD_DEALER_MESSAGES

} // namespace sd
