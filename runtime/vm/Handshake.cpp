#include "runtime/vm/Handshake.h"

#include <algorithm>

#include "ir/bytecode/Digest.h"

namespace sd {

namespace {

constexpr std::array<std::uint8_t, 8> kMagic{'s', 'd', '-', 'h', 'e', 'l', 'l', 'o'};
constexpr std::size_t kMaxHelloBytes = 4096;

struct Hello {
  std::uint16_t version = kProtocolVersion;
  std::uint8_t party = 0, mode = 0, purpose = 0;
  Digest program{};
  SessionId nonce{};
  std::uint64_t records = 0;
  std::array<std::uint8_t, 16> store{};
};

std::vector<std::uint8_t> encode(const Hello &hello, Bytes channelBinding) {
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

Expected<Hello> decode(Bytes bytes, Bytes channelBinding) {
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

std::string_view describe(Purpose purpose) {
  switch (purpose) {
  case Purpose::Fresh:
    return "makes correlations as it runs (no --store)";
  case Purpose::Prepare:
    return "prepares inferences (--prepare N --store DIR)";
  case Purpose::Stored:
    break;
  }
  return "uses prepared inferences (--store DIR)";
}

// Of what the service wants and what the hospital does; the messages read the same on both sides.
Expected<void> compareWants(const Hello &service, const Hello &hospital) {
  if (service.program != hospital.program)
    return fail("the parties have different programs (digests {:.16}... and {:.16}...); give both sides the same .sdb "
                "file",
                toHex(service.program), toHex(hospital.program));
  const auto known = [](const Hello &hello) {
    return hello.purpose <= static_cast<std::uint8_t>(Purpose::Stored) &&
           hello.mode <= static_cast<std::uint8_t>(PreprocessMode::Dealer);
  };
  if (!known(service) || !known(hospital)) return fail("one party wants something that the other does not know");
  const auto purpose = static_cast<Purpose>(service.purpose);
  if (service.purpose != hospital.purpose)
    return fail("party 0 {}, party 1 {}; start both sides alike", describe(purpose),
                describe(static_cast<Purpose>(hospital.purpose)));
  if (purpose != Purpose::Fresh && service.store == hospital.store)
    return fail("both sides use the same store; each side needs a --store of its own");
  if (purpose == Purpose::Prepare && service.records != hospital.records)
    return fail("party 0 prepares {} inference(s), party 1 {}; give both sides the same --prepare N", service.records,
                hospital.records);
  if (service.mode != hospital.mode)
    return fail("party 0's offline phase is {}, party 1's {}; give both sides the same --preprocess",
                toString(static_cast<PreprocessMode>(service.mode)),
                toString(static_cast<PreprocessMode>(hospital.mode)));
  return {};
}

Expected<void> compare(const Hello &mine, const Hello &theirs) {
  if (mine.party == theirs.party) return fail("both sides run as party {}; one must be 0 and one 1", mine.party);
  if (theirs.party > 1) return fail("the peer says that it is party {}", theirs.party);
  return mine.party == 0 ? compareWants(mine, theirs) : compareWants(theirs, mine);
}

} // namespace

std::string_view toString(PreprocessMode mode) {
  return mode == PreprocessMode::TwoParty ? "between the two parties" : "with a dealer";
}

Expected<HandshakeResult> shakeHands(Channel &control, const HandshakeOptions &options, Prg &nonce) {
  Hello mine;
  mine.party = static_cast<std::uint8_t>(options.party), mine.mode = static_cast<std::uint8_t>(options.mode);
  mine.purpose = static_cast<std::uint8_t>(options.purpose);
  mine.program = options.program, mine.store = options.store;
  mine.records = options.party == 1 || options.purpose == Purpose::Prepare ? options.records : 0;
  nonce.fill(std::span(mine.nonce));
  const Bytes binding = options.channelBinding;
  if (options.party == 1) SD_TRY(control.send(kHelloTag, encode(mine, binding)));
  SD_ASSIGN(const std::vector<std::uint8_t> bytes, control.receiveUpTo(kHelloTag, kMaxHelloBytes));
  SD_ASSIGN(const Hello theirs, decode(bytes, binding));
  if (auto same = compare(mine, theirs); !same) return fail(ErrorKind::Refused, "{}", same.error().message);
  HandshakeResult result;
  result.peerStore = theirs.store;
  result.records = options.party == 1 ? mine.records : theirs.records;
  if (result.records == 0 || result.records > kMaxRecords) return fail("the peer announces {} records", result.records);
  if (options.party == 0) SD_TRY(control.send(kHelloTag, encode(mine, binding)));
  const bool first = options.party == 0;
  const Digest digest =
      sha256({first ? mine.nonce : theirs.nonce, first ? theirs.nonce : mine.nonce, mine.program, binding});
  std::copy_n(digest.begin(), result.session.size(), result.session.begin());
  return result;
}

Expected<void> meet(Channel &control, std::uint16_t tag) {
  SD_TRY(control.send(tag, {}));
  return control.receive(tag, {});
}

} // namespace sd
