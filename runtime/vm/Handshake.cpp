#include "runtime/vm/Handshake.h"

#include <algorithm>

#include "ir/bytecode/Digest.h"

namespace sd {

namespace {

std::string_view describe(Purpose purpose) {
  switch (purpose) {
  case Purpose::Fresh:
    return "makes correlations as it runs (no --store)";
  case Purpose::Prepare:
    return "prepares inferences (--prepare N --store DIR)";
  case Purpose::Stored:
  case Purpose::Fetch:
    break;
  }
  return "uses prepared inferences (--store DIR)";
}

// Of what the service wants and what the hospital does; the messages read the same on both sides.
Expected<void> compareWants(const Hello &service, const Hello &hospital) {
  if (hospital.purpose == static_cast<std::uint8_t>(Purpose::Fetch))
    return fail("the hospital asks for a model by its name (--model), and this service has one program without a name; "
                "give both sides the same .sdb file");
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
  if (options.party == 1) SD_TRY(control.send(kHelloTag, encodeHello(mine, binding)));
  std::vector<std::uint8_t> bytes = options.heard;
  if (bytes.empty()) {
    SD_ASSIGN(bytes, receiveHello(control));
  }
  SD_ASSIGN(const Hello theirs, decodeHello(bytes, binding));
  if (auto same = compare(mine, theirs); !same) return fail(ErrorKind::Refused, "{}", same.error().message);
  HandshakeResult result;
  result.peerStore = theirs.store;
  result.records = options.party == 1 ? mine.records : theirs.records;
  if (options.purpose == Purpose::Prepare) result.records = std::min(mine.records, theirs.records);
  if (result.records == 0 || result.records > kMaxRecords) return fail("the peer announces {} records", result.records);
  if (result.records > options.mostRecords)
    return fail(ErrorKind::Refused, "the service takes at most {} records in a session, and {} were announced",
                options.mostRecords, result.records);
  if (options.party == 0) SD_TRY(control.send(kHelloTag, encodeHello(mine, binding)));
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
