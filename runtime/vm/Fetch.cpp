#include "runtime/vm/Fetch.h"

#include "ir/bytecode/Digest.h"
#include "runtime/net/ChannelBinding.h"

namespace sd {

namespace {

constexpr std::size_t kMostProgramBytes = std::size_t{256} << 20;

} // namespace

Digest digestOfName(std::string_view model) {
  return sha256({Bytes(reinterpret_cast<const std::uint8_t *>(model.data()), model.size())});
}

Expected<std::vector<std::uint8_t>> fetchProgram(Connection &peer, std::string_view model, Prg &nonce) {
  Hello hello;
  hello.party = 1;
  hello.purpose = static_cast<std::uint8_t>(Purpose::Fetch);
  hello.program = digestOfName(model);
  hello.records = 1;
  nonce.fill(std::span(hello.nonce));
  SD_ASSIGN(const std::vector<std::uint8_t> binding, channelBinding(peer));
  Channel &control = peer.stream(kSessionStream);
  SD_TRY(control.send(kHelloTag, encodeHello(hello, binding)));
  SD_ASSIGN(std::vector<std::uint8_t> program, control.receiveUpTo(kProgramTag, kMostProgramBytes));
  SD_TRY(control.send(kDoneTag, {}));
  return program;
}

Expected<void> giveProgram(Connection &peer, Bytes program) {
  SD_TRY(peer.stream(kSessionStream).send(kProgramTag, program));
  return peer.stream(kSessionStream).receive(kDoneTag, {});
}

} // namespace sd
