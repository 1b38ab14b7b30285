#include "runtime/offline/DealerMessages.h"

#include <algorithm>
#include <cstring>

#include "runtime/offline/SecretPlanes.h"

namespace sd {
namespace {

constexpr std::array<std::uint8_t, 4> kMagic = {'S', 'D', 'D', 'L'};
constexpr std::uint16_t kVersion = 1;

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

SecretVector<Ring> matrixMask(const Seed &matrixSeed, std::size_t weights, std::size_t elements) {
  Prg prg(matrixSeed.derive(fmt::format("matrix {}", weights)));
  return randomRing(elements, prg);
}

Expected<void> sendWords(Channel &channel, std::uint16_t tag, std::span<const Ring> words) {
  return channel.send(tag, {reinterpret_cast<const std::uint8_t *>(words.data()), words.size_bytes()});
}

Expected<SecretVector<Ring>> receiveWords(Channel &channel, std::uint16_t tag, std::size_t count) {
  SecretVector<Ring> words(count);
  SD_TRY(channel.receive(tag, {reinterpret_cast<std::uint8_t *>(words.data()), count * sizeof(Ring)}));
  return words;
}

} // namespace sd
