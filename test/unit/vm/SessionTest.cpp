// Whole sessions: both parties, every op, against the interpreter's results and the declared costs.
#include "runtime/vm/Session.h"

#include <cmath>

#include <gmock/gmock.h>

#include "ir/bytecode/Digest.h"
#include "ir/bytecode/ProgramCost.h"
#include "ir/bytecode/ProgramIo.h"
#include "ir/bytecode/ProgramView.h"
#include "ir/bytecode/Writer.h"
#include "ir/core/ScheduleAttr.h"
#include "runtime/net/MemoryChannel.h"
#include "runtime/offline/LocalDealer.h"
#include "runtime/vm/Local.h"
#include "runtime/vm/Providers.h"
#include "test/unit/ot/TamperingConnection.h"
#include "test/unit/vm/Programs.h"

namespace sd {
namespace {

using testing::HasSubstr;
using Ints = std::vector<std::int64_t>;

Seed seed(std::uint8_t fill) {
  std::array<std::uint8_t, Seed::kBytes> bytes;
  bytes.fill(fill);
  return Seed(bytes);
}

Attrs compare(std::int64_t bits, std::int64_t bound) {
  return withSchedule(OpKind::ShareRelu, {{Attr::Bits, bits}, {Attr::Bound, bound}});
}

template <RingWord R>
struct Compiled {
  LoadedProgram program;
  WeightSet<R> weights;
};

template <RingWord R>
Compiled<R> finished(test::ProgramBuilder<R> &builder, SlotId output, const std::string &name = "y") {
  builder.add(OpKind::Return, {output}, {{Attr::Names, std::vector<std::string>{name}}});
  const auto bytes = writeProgram(builder.program());
  EXPECT_TRUE(bytes) << bytes.error().message;
  Compiled<R> result{{builder.program(), bytes ? digestOf(*bytes) : Digest{}}, builder.weightSet()};
  result.weights.program = result.program.digest;
  return result;
}

// Every local op, every interactive op, an input twice as long as a digit's lanes; in the wide ring values of more than
// 32 bits.
template <RingWord R>
Compiled<R> everything() {
  test::ProgramBuilder<R> b;
  constexpr int kMore = kBitsOf<R> == 64 ? 16 : 0;
  const SlotId convWeights = b.weights({3, 2, 3, 3}, 6, 1, 7), convBias = b.weights({3}, 14 + kMore, 2, 12 + kMore);
  const SlotId factors = b.weights({6, 1, 1}, 4, 3, 6), addend = b.weights({1}, 12 + kMore, 4, 10 + kMore);
  const SlotId denseWeights = b.weights({72, 4}, 2, 5, 4);
  const SlotId in = b.add(OpKind::ShareInput, {b.input("x", {1, 2, 6, 6})}, {}, Type::share({1, 2, 6, 6}, 8 + kMore));
  Attrs conv = test::square(1, 1);
  conv.set(Attr::Group, std::int64_t{1});
  SlotId v = b.add(OpKind::ShareConv, {in, convWeights, convBias}, conv);
  v = b.add(OpKind::ShareRelu, {v}, compare(6, 24 + kMore));
  Attrs pool = test::square(2, 0);
  pool.set(Attr::Kernel, Ints{2, 2}), pool.set(Attr::CeilMode, std::int64_t{0});
  SlotId sum = b.add(OpKind::ShareSumPool, {v}, pool);
  sum = b.add(OpKind::ShareRescale, {sum}, {{Attr::Shift, std::int64_t{2}}});
  sum = b.add(
      OpKind::ShareTruncate, {sum},
      withSchedule(OpKind::ShareTruncate, {{Attr::Bits, std::int64_t{2}}, {Attr::Bound, std::int64_t{26 + kMore}}}));
  const Ints evens{0, 2, 4}, odds{1, 3, 5};
  const auto take = [&](SlotId x, std::int64_t axis, const Ints &which) {
    return b.add(OpKind::ShareGather, {x}, {{Attr::Axis, axis}, {Attr::Indices, which}});
  };
  const SlotId left = take(take(v, 2, evens), 3, evens), right = take(take(v, 2, odds), 3, odds);
  const SlotId most =
      b.add(OpKind::ShareMax, {left, right}, withSchedule(OpKind::ShareMax, {{Attr::Bound, std::int64_t{24 + kMore}}}));
  const SlotId both = b.add(OpKind::ShareConcat, {sum, most}, {{Attr::Axis, std::int64_t{1}}});
  const SlotId scaled = b.add(OpKind::ShareScale, {both, factors});
  SlotId shifted = b.add(OpKind::ShareAddW, {scaled, addend});
  shifted = b.add(OpKind::ShareTruncate, {shifted},
                  withSchedule(OpKind::ShareTruncate,
                               {{Attr::Bits, std::int64_t{6 + kMore}}, {Attr::Bound, std::int64_t{28 + kMore}}}));
  const SlotId product = b.add(OpKind::ShareMul, {shifted, shifted});
  SlotId doubled = b.add(OpKind::ShareMulC, {product}, {{Attr::Factor, std::int64_t{-2}}});
  doubled = b.add(OpKind::SharePad, {doubled},
                  {{Attr::Pads, Ints{0, 0, 0, 0, 0, 0, 0, 1}}, {Attr::IntFill, std::int64_t{5}}});
  doubled = b.add(OpKind::ShareTranspose, {doubled}, {{Attr::Perm, Ints{0, 2, 3, 1}}});
  const SlotId flat = b.add(OpKind::ShareReshape, {doubled}, {{Attr::Dims, Ints{1, 72}}});
  const SlotId dense = b.add(OpKind::ShareMatMul,
                             {b.add(OpKind::ShareSub, {b.add(OpKind::ShareAdd, {flat, flat}), flat}), denseWeights});
  const auto matrices = [&](SlotId x, Ints dims) { return b.add(OpKind::ShareReshape, {x}, {{Attr::Dims, dims}}); };
  const SlotId dot = b.add(OpKind::ShareDot, {matrices(shifted, {2, 3, 9}), matrices(flat, {2, 4, 9})});
  const SlotId few = b.add(OpKind::ShareDot, {matrices(dot, {1, 6, 4}), matrices(dense, {1, 1, 4})});
  return finished(b, b.add(OpKind::ShareOutput, {few}));
}

template <RingWord R>
Compiled<R> small() {
  test::ProgramBuilder<R> b;
  const SlotId weights = b.weights({4, 3}, 8, 1, 9);
  const SlotId in = b.add(
      OpKind::ShareInput,
      {b.add(OpKind::Input, {}, {{Attr::Name, "x"}, {Attr::Dims, Ints{1, 4}}, {Attr::Low, -1.0}, {Attr::High, 1.0}})},
      {}, Type::share({1, 4}, 8));
  const SlotId v = b.add(OpKind::ShareMatMul, {in, weights});
  return finished(b, b.add(OpKind::ShareOutput, {b.add(OpKind::ShareRelu, {v}, compare(8, 20))}));
}

std::vector<NamedTensors> randomRecords(const Program &program, std::size_t count) {
  std::mt19937 rng(99);
  std::uniform_real_distribution<float> uniform(-1, 1);
  std::vector<NamedTensors> records(count);
  for (NamedTensors &record : records)
    for (const Port &port : ioOf(program).inputs) {
      Tensor<float> x(program.slots[port.slot].shape);
      for (float &v : x.data)
        v = uniform(rng);
      record.emplace(port.name, std::move(x));
    }
  return records;
}

template <RingWord R>
Expected<LocalResult> run(const Compiled<R> &compiled, std::span<const NamedTensors> records, PreprocessMode mode) {
  ThreadPool pool(2);
  LocalOptions<R> options{compiled.program,     compiled.weights,   pool, mode, seed(1), seed(2),
                          twoPartyService<R>(), twoPartyClient<R>()};
  std::optional<LocalDealer> dealer;
  if (mode == PreprocessMode::Dealer) {
    dealer.emplace(dealerOptions(std::chrono::milliseconds(5000)), pool);
    options.serviceDealer = &dealer->service(), options.clientDealer = &dealer->client();
    options.makeServiceProvider = dealerService<R>();
    options.makeClientProvider = dealerClient<R>(compiled.program.program, pool);
  }
  return runLocal(makeMemoryConnections(), options, records);
}

template <RingWord R>
void expectAsInterpreted(const Compiled<R> &compiled, std::span<const NamedTensors> records,
                         const LocalResult &result) {
  auto interpreter = Interpreter::create(viewOf(compiled.program.program, compiled.weights));
  ASSERT_TRUE(interpreter) << interpreter.error().message;
  ASSERT_EQ(result.outputs.size(), records.size());
  for (std::size_t r = 0; r < records.size(); ++r) {
    const auto expected = interpreter->run(records[r]);
    ASSERT_TRUE(expected) << expected.error().message;
    ASSERT_EQ(result.outputs[r], expected->outputs) << "record " << r;
  }
}

template <class R>
class EveryMode : public testing::Test {
protected:
  static constexpr PreprocessMode kModes[] = {PreprocessMode::TwoParty, PreprocessMode::Dealer};
};
TYPED_TEST_SUITE(EveryMode, test::ProgramRings);

TYPED_TEST(EveryMode, EveryOpGivesWhatTheInterpreterGives) {
  for (const PreprocessMode mode : this->kModes) {
    const auto compiled = everything<TypeParam>();
    const auto records = randomRecords(compiled.program.program, 2);
    const auto result = run(compiled, records, mode);
    ASSERT_TRUE(result) << result.error().message;
    expectAsInterpreted(compiled, records, *result);
  }
}

TYPED_TEST(EveryMode, OnlineTrafficIsTheDeclaredOne) {
  for (const PreprocessMode mode : this->kModes) {
    const auto compiled = everything<TypeParam>();
    const auto records = randomRecords(compiled.program.program, 2);
    const auto result = run(compiled, records, mode);
    ASSERT_TRUE(result) << result.error().message;
    const auto plan = makePlan(compiled.program.program);
    const auto cost = costOf(compiled.program.program);
    ASSERT_TRUE(plan && cost);
    const Plan::Totals totals = plan->totals();
    const Traffic &p0 = result->service.online.traffic, &p1 = result->client.online.traffic;
    EXPECT_EQ(p0.bytesSent, 2 * cost->onlineBytes[0]);
    EXPECT_EQ(p1.bytesSent, 2 * cost->onlineBytes[1]);
    EXPECT_EQ(p0.messagesSent, 2 * cost->messages[0]);
    EXPECT_EQ(p1.messagesSent, 2 * cost->messages[1]);
    EXPECT_EQ(p0.bytesSent, 2 * totals.onlineBytesFromP0 + kFrameHeaderBytes * p0.messagesSent);
    EXPECT_EQ(p1.bytesSent, 2 * totals.onlineBytesFromP1 + kFrameHeaderBytes * p1.messagesSent);
    EXPECT_EQ(p0.bytesReceived, p1.bytesSent);
    EXPECT_EQ(p1.bytesReceived, p0.bytesSent);
    EXPECT_EQ(p0.messagesReceived, p1.messagesSent);

    std::uint64_t sent = 0, received = 0;
    for (const OpStats &op : result->service.online.ops)
      sent += op.bytesSent, received += op.bytesReceived;
    EXPECT_EQ(sent, 2 * totals.onlineBytesFromP0);
    EXPECT_EQ(received, 2 * totals.onlineBytesFromP1);
    EXPECT_EQ(result->service.records, 2u);
    EXPECT_GT(result->client.offline.traffic.bytesSent, 0u);
  }
}

TEST(Session, BadRecordsStopBeforeAnythingIsSent) {
  const auto compiled = small<Ring32>();
  auto records = randomRecords(compiled.program.program, 2);
  records[1].at("x").data[2] = 1.5f;
  auto [near, far] = makeMemoryConnections();
  ThreadPool pool(1);
  const auto result = runClient<Ring32>(*near, {compiled.program, pool, PreprocessMode::TwoParty, seed(1)}, records,
                                        twoPartyClient<Ring32>());
  ASSERT_FALSE(result);
  EXPECT_THAT(result.error().message, HasSubstr("record 2: input 'x': element 2 is outside the range -1 to 1"));
  EXPECT_EQ(near->traffic().messagesSent, 0u);
  const auto seen = far->stream(kSessionStream).receiveUpTo(kHelloTag, 100);
  ASSERT_FALSE(seen);
  EXPECT_THAT(seen.error().message, Not(HasSubstr("element")));
}

// One side is as it should be; the other one misbehaves.
struct Pair {
  Compiled<Ring32> compiled = small<Ring32>();
  std::vector<NamedTensors> records = randomRecords(compiled.program.program, 1);
  ThreadPool pool{1};
  ConnectionPair link = makeMemoryConnections({.timeout = std::chrono::milliseconds(2000)});

  Expected<SessionStats> serve() {
    return runService(*link.first, {compiled.program, pool, PreprocessMode::TwoParty, seed(1)}, compiled.weights,
                      twoPartyService<Ring32>());
  }
  Expected<ClientResult> consult() {
    return runClient<Ring32>(*link.second, {compiled.program, pool, PreprocessMode::TwoParty, seed(2)}, records,
                             twoPartyClient<Ring32>());
  }
};

TEST(Session, AnotherProgramIsNamedOnBothSides) {
  Pair pair;
  Expected<SessionStats> served = fail("did not run");
  auto other = pair.compiled;
  other.program.digest[5] ^= 1;
  std::thread service([&] {
    ThreadPool pool(1);
    served = runService(*pair.link.first, {other.program, pool, PreprocessMode::TwoParty, seed(1)}, other.weights,
                        twoPartyService<Ring32>());
  });
  const auto consulted = pair.consult();
  service.join();
  ASSERT_FALSE(served || consulted);
  EXPECT_THAT(served.error().message, HasSubstr("different programs"));
  EXPECT_THAT(consulted.error().message, HasSubstr("different programs"));
}

// The first message with `tag` of number `number` is spoilt on its way to the hospital.
Expected<ClientResult> consultSpoilt(std::uint16_t tag, int number) {
  Pair pair;
  pair.records = randomRecords(pair.compiled.program.program, 2);
  std::thread service([&] { (void)pair.serve().has_value(); });
  TamperingConnection spoilt(*pair.link.second, [&](std::size_t, SeenMessage &message) {
    if (message.stream == kSessionStream && message.tag == tag && number-- == 0) message.payload.push_back(0);
  });
  auto result = runClient<Ring32>(spoilt, {pair.compiled.program, pair.pool, PreprocessMode::TwoParty, seed(2)},
                                  pair.records, twoPartyClient<Ring32>());
  service.join();
  return result;
}

TEST(Session, AFailureTakesNoOpenedResultAway) {
  EXPECT_FALSE(consultSpoilt(kReadyTag, 0));
  const auto half = consultSpoilt(kReadyTag, 1);
  ASSERT_TRUE(half) << half.error().message;
  EXPECT_EQ(half->outputs.size(), 1u);
  EXPECT_EQ(half->stats.records, 1u);
  ASSERT_TRUE(half->failure);
  EXPECT_THAT(half->failure->message, HasSubstr("wrong length"));
  const auto whole = consultSpoilt(kDoneTag, 0);
  ASSERT_TRUE(whole) << whole.error().message;
  EXPECT_EQ(whole->outputs.size(), 2u);
  EXPECT_FALSE(whole->failure);
}

TEST(Session, APeerThatLeavesGarblesOrSleepsIsAnError) {
  {
    Pair pair;
    pair.link.second.reset();
    EXPECT_FALSE(pair.serve());
  }
  {
    Pair pair;
    ASSERT_TRUE(pair.link.second->stream(kSessionStream).send(kHelloTag, std::vector<std::uint8_t>(68, 0x5a)));
    const auto served = pair.serve();
    ASSERT_FALSE(served);
    EXPECT_THAT(served.error().message, HasSubstr("not an sd-run"));
  }
  {
    Pair pair; // a right greeting, then rubbish
    Prg nonce(seed(4));
    std::thread service([&] { EXPECT_FALSE(pair.serve()); });
    ASSERT_TRUE(shakeHands(pair.link.second->stream(kSessionStream),
                           {.party = 1, .program = pair.compiled.program.digest, .records = 1}, nonce));
    for (std::uint16_t stream = 1; stream < 32; ++stream)
      (void)pair.link.second->stream(stream).send(0x77, std::vector<std::uint8_t>(100, 1)).has_value();
    service.join();
  }
  {
    Pair pair; // a right greeting, then nothing
    Prg nonce(seed(4));
    std::thread service([&] { EXPECT_FALSE(pair.serve()); });
    ASSERT_TRUE(shakeHands(pair.link.second->stream(kSessionStream),
                           {.party = 1, .program = pair.compiled.program.digest, .records = 1}, nonce));
    service.join();
  }
}

} // namespace
} // namespace sd
