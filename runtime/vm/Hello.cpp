#include "runtime/vm/Hello.h"

#include <algorithm>

#include "ir/bytecode/Digest.h"

namespace sd {

namespace {

constexpr std::array<std::uint8_t, 8> kMagic{'s', 'd', '-', 'h', 'e', 'l', 'l', 'o'};
constexpr std::size_t kMaxHelloBytes = 4096;

} // namespace

std::vector<std::uint8_t> encodeHello(const Hello &hello, Bytes channelBinding) {
  ByteWriter writer;
  writer.putBytes(kMagic);
  writer.put(hello.version), writer.put(hello.party), writer.put(hello.mode), writer.put(hello.purpose);
  writer.putBytes(hello.program), writer.putBytes(hello.nonce);
  writer.put(hello.records);
  writer.putBytes(hello.store);
  std::vector<std::uint8_t> bytes = writer.take();
  const Digest proof = sha256({channelBinding, bytes});
  bytes.insert(bytes.end(), proof.begin(), proof.end());
  return bytes;
}

Expected<Hello> decodeHello(Bytes bytes, Bytes channelBinding) {
  ByteReader reader(bytes);
  SD_ASSIGN(const Bytes magic, reader.take(kMagic.size(), "the greeting"));
  if (!std::ranges::equal(magic, kMagic)) return fail(ErrorKind::Network, "the peer is not an sd-run");
  Hello hello;
  SD_ASSIGN(hello.version, reader.get<std::uint16_t>("the greeting's version"));
  // Another version's greeting may look otherwise from here on.
  if (hello.version != kProtocolVersion)
    return fail(
        "the peer speaks version {} of the protocol, this side version {}; install the same release on both sides",
        hello.version, kProtocolVersion);
  SD_ASSIGN(hello.party, reader.get<std::uint8_t>("the greeting's party"));
  SD_ASSIGN(hello.mode, reader.get<std::uint8_t>("the greeting's preprocess mode"));
  SD_ASSIGN(hello.purpose, reader.get<std::uint8_t>("the greeting's purpose"));
  SD_ASSIGN(const Bytes program, reader.take(hello.program.size(), "the greeting's digest"));
  std::ranges::copy(program, hello.program.begin());
  SD_ASSIGN(const Bytes nonce, reader.take(hello.nonce.size(), "the greeting's nonce"));
  std::ranges::copy(nonce, hello.nonce.begin());
  SD_ASSIGN(hello.records, reader.get<std::uint64_t>("the greeting's number of records"));
  SD_ASSIGN(const Bytes store, reader.take(hello.store.size(), "the greeting's store"));
  std::ranges::copy(store, hello.store.begin());
  const Digest expected = sha256({channelBinding, bytes.first(bytes.size() - std::min(bytes.size(), Digest{}.size()))});
  SD_ASSIGN(const Bytes proof, reader.take(expected.size(), "the greeting's channel binding"));
  SD_TRY(reader.end("the greeting"));
  if (!std::ranges::equal(proof, expected))
    return fail(
        "the peer's greeting was made for another connection; nothing that opens TLS may be between the parties, "
        "and both sides use TLS or neither");
  return hello;
}

Expected<std::vector<std::uint8_t>> receiveHello(Channel &control) {
  return control.receiveUpTo(kHelloTag, kMaxHelloBytes);
}

} // namespace sd
