// What each party sees of whole sessions: every message that it receives. Equal records, different records, other ops
// on the same values, other sessions: all must look alike, and nothing may depend on results.
//
// Two messages with independent masks agree in half their bits, within 6 deviations of n bits: odds of a false alarm
// below 2^-28 for each pair, 2^-18 for the some thousand pairs of this file. Seeds are fixed: a run that passes once
// always does. Uniformity of single messages is TranscriptTest's.
#include <bit>
#include <cmath>
#include <map>

#include <gmock/gmock.h>

#include "ir/bytecode/Digest.h"
#include "ir/bytecode/ProgramView.h"
#include "ir/bytecode/Writer.h"
#include "ir/core/ScheduleAttr.h"
#include "runtime/net/MemoryChannel.h"
#include "runtime/protocol/RoundGroup.h"
#include "runtime/vm/Providers.h"
#include "runtime/vm/Session.h"
#include "test/unit/ot/TamperingConnection.h"
#include "test/unit/vm/Programs.h"

namespace sd {
namespace {

using Ints = std::vector<std::int64_t>;

Seed seed(std::uint8_t fill) {
  std::array<std::uint8_t, Seed::kBytes> bytes;
  bytes.fill(fill);
  return Seed(bytes);
}

struct Compiled {
  LoadedProgram program;
  WeightSet<Ring32> weights;
};

// relu(x) twice, by two ops of their own; then W (relu(x) - relu(x) + x) + 0, a ReLU, and out. Layers by RLWE.
Compiled twice() {
  test::ProgramBuilder<Ring32> b;
  const SlotId weights = b.weights({300, 300}, 4, 1, 5);
  const SlotId in = b.add(OpKind::ShareInput, {b.input("x", {1, 300})}, {}, Type::share({1, 300}, 8));
  const Attrs compare =
      withSchedule(OpKind::ShareRelu, {{Attr::Bits, std::int64_t{4}}, {Attr::Bound, std::int64_t{22}}});
  const Attrs exact = withSchedule(OpKind::ShareRelu, {{Attr::Bits, std::int64_t{0}}, {Attr::Bound, std::int64_t{22}}});
  const SlotId first = b.add(OpKind::ShareRelu, {in}, exact), second = b.add(OpKind::ShareRelu, {in}, exact);
  const SlotId sum = b.add(OpKind::ShareAdd, {b.add(OpKind::ShareSub, {first, second}), in});
  const SlotId product = b.add(OpKind::ShareMatMul, {sum, weights});
  const SlotId out = b.add(OpKind::ShareOutput, {b.add(OpKind::ShareRelu, {product}, compare)});
  b.add(OpKind::Return, {out}, {{Attr::Names, std::vector<std::string>{"y"}}});
  const auto bytes = writeProgram(b.program());
  EXPECT_TRUE(bytes) << bytes.error().message;
  Compiled result{{b.program(), digestOf(*bytes)}, b.weightSet()};
  result.weights.program = result.program.digest;
  return result;
}

NamedTensors record(float value, float step = 0) {
  Tensor<float> x(Shape{1, 300});
  for (std::size_t i = 0; i < x.data.size(); ++i)
    x.data[i] = value + step * static_cast<float>(i % 7);
  NamedTensors named;
  named.emplace("x", std::move(x));
  return named;
}

struct Views {
  std::vector<SeenMessage> service, client; // what each received
  std::vector<std::vector<Tensor<float>>> outputs;
  Expected<SessionStats> served = fail("did not run");
  Expected<ClientResult> consulted = fail("did not run");
};

struct Setting {
  std::uint8_t serviceSeed = 1, clientSeed = 2;
  unsigned threads = 1;
  TamperingConnection::Hook toService = {}, toClient = {};
};

Views run(const Compiled &compiled, const std::vector<NamedTensors> &records, const Setting &setting = {}) {
  auto [near, far] = makeMemoryConnections();
  TamperingConnection service(*near, setting.toService), client(*far, setting.toClient);
  Views views;
  std::thread other([&, &end = *near] {
    ThreadPool pool(setting.threads);
    views.served =
        runService<Ring32>(service, {compiled.program, pool, PreprocessMode::TwoParty, seed(setting.serviceSeed)},
                           compiled.weights, twoPartyService<Ring32>());
    if (!views.served) end.close(views.served.error().message);
  });
  ThreadPool pool(setting.threads);
  views.consulted =
      runClient<Ring32>(client, {compiled.program, pool, PreprocessMode::TwoParty, seed(setting.clientSeed)}, records,
                        twoPartyClient<Ring32>());
  far->close("the client has ended");
  other.join();
  views.service = service.seen();
  views.client = client.seen();
  if (views.consulted) views.outputs = views.consulted->outputs;
  return views;
}

using Key = std::pair<std::uint16_t, std::uint16_t>;

// Messages by stream and tag, in order: streams are read by several threads.
std::map<Key, std::vector<std::vector<std::uint8_t>>> sorted(const std::vector<SeenMessage> &messages) {
  std::map<Key, std::vector<std::vector<std::uint8_t>>> all;
  for (const SeenMessage &message : messages)
    all[{message.stream, message.tag}].push_back(message.payload);
  return all;
}

using Bytes = std::vector<std::uint8_t>;

void expectIndependent(std::span<const std::uint8_t> a, std::span<const std::uint8_t> b, const std::string &what) {
  double agree = 0;
  const std::size_t n = std::min(a.size(), b.size());
  for (std::size_t i = 0; i < n; ++i)
    agree += std::popcount(static_cast<std::uint8_t>(~(a[i] ^ b[i])));
  const double bits = 8 * static_cast<double>(n);
  EXPECT_LT(std::abs(agree - bits / 2), 6 * std::sqrt(bits) / 2 + 8) << what; // 8: the padding of a last byte
}

constexpr std::size_t kLong = 64; // shorter messages are counters and greetings

// All pairs of messages of the same stream, tag and length.
void expectAllIndependent(const std::vector<SeenMessage> &messages) {
  for (const auto &[key, same] : sorted(messages))
    for (std::size_t i = 0; i < same.size(); ++i)
      for (std::size_t j = 0; j < i; ++j)
        if (same[i].size() >= kLong && same[i].size() == same[j].size())
          expectIndependent(same[i], same[j], fmt::format("stream {}, tag {}: {} and {}", key.first, key.second, j, i));
}

constexpr Key kFirstOfRounds{kOnlineStream, kRoundTag}; // its last one to P1 is the output

// Of the last `outputs` messages nothing is expected.
void expectOtherSession(const std::vector<SeenMessage> &one, const std::vector<SeenMessage> &two,
                        std::size_t outputs = 0) {
  const auto a = sorted(one), b = sorted(two);
  for (const auto &[key, messages] : a) {
    if (key.first == kSessionStream) continue; // greetings name the same program
    const auto &others = b.at(key);
    const std::size_t count = std::min(messages.size(), others.size()) - (key == kFirstOfRounds ? outputs : 0);
    for (std::size_t i = 0; i < count; ++i)
      if (messages[i].size() >= kLong && messages[i].size() == others[i].size())
        expectIndependent(messages[i], others[i], fmt::format("stream {}, tag {}: {}", key.first, key.second, i));
  }
}

class View : public testing::Test {
protected:
  const Compiled compiled = twice();
  // Two equal records, an extreme one, its opposite.
  const std::vector<NamedTensors> records{record(3, 1), record(3, 1), record(4000), record(-4000)};
};

TEST_F(View, MessagesOfOneSessionShareNoRandomness) {
  for (const unsigned threads : {1U, 3U}) {
    const Views views = run(compiled, records, {.threads = threads});
    ASSERT_TRUE(views.consulted) << views.consulted.error().message;
    ASSERT_EQ(views.outputs.size(), 4U);
    EXPECT_EQ(views.outputs[0][0].data, views.outputs[1][0].data);
    expectAllIndependent(views.service);
    expectAllIndependent(views.client);
  }
}

// The two ReLUs have the same operand: only their correlations differ. Their messages are of equal length, one group
// each.
TEST_F(View, OpsOnTheSameValuesShareNoMasks) {
  const Views views = run(compiled, {records[0]});
  ASSERT_TRUE(views.consulted) << views.consulted.error().message;
  for (const auto &seen : {views.service, views.client}) {
    std::map<std::size_t, int> lengths;
    for (const SeenMessage &message : seen)
      if (message.stream == kOnlineStream) ++lengths[message.payload.size()];
    int pairs = 0;
    for (const auto &[length, count] : lengths)
      pairs += length >= kLong && count >= 2;
    EXPECT_GE(pairs, 2); // there is something to compare, and the test above has compared it
    std::vector<const Bytes *> online;
    for (const SeenMessage &message : seen)
      if (message.stream == kOnlineStream && message.payload.size() >= kLong) online.push_back(&message.payload);
    for (std::size_t i = 0; i < online.size(); ++i)
      for (std::size_t j = 0; j < i; ++j)
        if (online[i]->size() == online[j]->size()) expectIndependent(*online[i], *online[j], "online");
  }
}

TEST_F(View, SessionsShareNothing) {
  const Views views = run(compiled, {records[0]}), same = run(compiled, {records[0]});
  ASSERT_TRUE(views.consulted && same.consulted);
  // Equal seeds, equal messages: so what differs below differs by the seeds.
  EXPECT_TRUE(std::ranges::equal(sorted(views.service), sorted(same.service)));
  const Views service = run(compiled, {records[0]}, {.serviceSeed = 7}),
              client = run(compiled, {records[0]}, {.clientSeed = 8});
  ASSERT_TRUE(service.consulted && client.consulted);
  // Either side's seed alone hides what that side sends: all but the output, which is the result under P1's own mask.
  EXPECT_EQ(sorted(views.client).at(kFirstOfRounds).back(), sorted(service.client).at(kFirstOfRounds).back());
  expectOtherSession(views.client, service.client, 1);
  expectOtherSession(views.service, client.service);
}

std::vector<std::tuple<std::uint16_t, std::uint16_t, std::size_t>> shape(const std::vector<SeenMessage> &messages) {
  std::vector<std::tuple<std::uint16_t, std::uint16_t, std::size_t>> all;
  for (const auto &[key, same] : sorted(messages))
    for (const auto &message : same)
      all.emplace_back(key.first, key.second, message.size());
  return all;
}

// Whatever the records and their results, even one that left its bound, both see as many messages of the same lengths,
// and the session ends alike.
TEST_F(View, NothingButRandomBitsDependsOnRecordsAndResults) {
  const Views zero = run(compiled, {record(0), record(0)});
  ASSERT_TRUE(zero.served) << zero.served.error().message;
  for (const float value : {1.0F, -4000.0F, 8191.0F, 60000.0F}) { // the last two leave the bound of 2^22
    const Views views = run(compiled, {record(value), record(0)});
    ASSERT_TRUE(views.served) << views.served.error().message;
    ASSERT_TRUE(views.consulted) << views.consulted.error().message;
    EXPECT_FALSE(views.consulted->failure);
    EXPECT_EQ(shape(views.service), shape(zero.service)) << value;
    EXPECT_EQ(shape(views.client), shape(zero.client)) << value;
  }
}

// A service that spoils its replies learns nothing: whether they decrypt, and to what, shows in no message of the
// hospital's and in no close.
TEST_F(View, AServiceThatCheatsLearnsNothingFromFailures) {
  const Views honest = run(compiled, {records[0], records[0]});
  ASSERT_TRUE(honest.served);
  for (const std::uint16_t stream : {kOnlineStream, std::uint16_t{2}, std::uint16_t{3}, std::uint16_t{4}}) {
    std::size_t spoilt = 0;
    const Views views = run(compiled, {records[0], records[0]}, {.toClient = [&](std::size_t, SeenMessage &message) {
                              if (message.stream != stream || message.payload.size() < kLong) return;
                              ++spoilt;
                              for (std::size_t i = 0; i < message.payload.size(); i += 5)
                                message.payload[i] ^= 0x55;
                            }});
    if (spoilt == 0) continue;
    EXPECT_TRUE(views.served) << "stream " << stream << ": " << views.served.error().message;
    EXPECT_TRUE(views.consulted) << "stream " << stream << ": " << views.consulted.error().message;
    EXPECT_EQ(shape(views.service), shape(honest.service)) << "stream " << stream;
  }
}

} // namespace
} // namespace sd
