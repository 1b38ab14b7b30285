// The dealer's offline phase: each correlation against its definition, declared traffic, sessions, and faulty parties.
#include "runtime/offline/DealerProvider.h"
#include "runtime/offline/LocalDealer.h"

#include <bit>
#include <future>
#include <numeric>
#include <set>

#include "ir/bytecode/Writer.h"
#include "ir/core/ScheduleAttr.h"
#include "runtime/net/MemoryChannel.h"
#include "runtime/vm/MaskWalk.h"
#include "runtime/vm/Providers.h"
#include "test/unit/ot/TamperingConnection.h"
#include "test/unit/protocol/ProtocolFixture.h"
#include "test/unit/vm/Programs.h"

namespace sd {
namespace {

using namespace test;
using testing::HasSubstr;

DealerOptions shortDealerOptions() { return dealerOptions(std::chrono::milliseconds(200)); }

// x -> matmul -> relu (t = 10) -> max with itself shifted by a second matmul -> products -> truncate -> output: every
// kind of entry, and two linear ops in a row through a subtraction.
template <RingWord R>
ProgramBuilder<R> everyKind() {
  ProgramBuilder<R> b;
  const SlotId record = b.input("x", {1, 30});
  const SlotId w1 = b.weights({30, 67}, 10, 1), w2 = b.weights({67, 67}, 0, 2), w3 = b.weights({67, 67}, 0, 3);
  const SlotId x = b.add(OpKind::ShareInput, {record}, {}, Type::share({1, 30}, 10));
  const SlotId y = b.add(OpKind::ShareMatMul, {x, w1});
  const SlotId h =
      b.add(OpKind::ShareRelu, {y}, withSchedule(OpKind::ShareRelu, {{Attr::Bits, 10}, {Attr::Bound, 30}}));
  const SlotId twice = b.add(OpKind::ShareMatMul, {b.add(OpKind::ShareMatMul, {h, w2}), w3});
  const SlotId m = b.add(OpKind::ShareMax, {h, b.add(OpKind::ShareSub, {h, twice})},
                         withSchedule(OpKind::ShareMax, {{Attr::Bound, 20}}));
  SlotId p = b.add(OpKind::ShareMul, {m, h});
  const SlotId rows = b.add(OpKind::ShareReshape, {h}, {{Attr::Dims, std::vector<std::int64_t>{1, 67, 1}}});
  const SlotId outer = b.add(OpKind::ShareDot, {rows, rows}); // [1, 67, 67]
  const SlotId first = b.add(OpKind::ShareGather, {outer},
                             {{Attr::Axis, std::int64_t{1}}, {Attr::Indices, std::vector<std::int64_t>{66}}});
  p = b.add(OpKind::ShareAdd,
            {p, b.add(OpKind::ShareReshape, {first}, {{Attr::Dims, std::vector<std::int64_t>{1, 67}}})});
  const SlotId t =
      b.add(OpKind::ShareTruncate, {p}, withSchedule(OpKind::ShareTruncate, {{Attr::Bits, 10}, {Attr::Bound, 30}}));
  b.add(OpKind::Return, {b.add(OpKind::ShareOutput, {t})}, {{Attr::Names, std::vector<std::string>{"y"}}});
  return b;
}

template <RingWord R>
struct Parties {
  Program program;
  WeightSet<R> weights;
  Plan plan;
  ThreadPool pool{1};
  std::unique_ptr<Connection> service, client;

  explicit Parties(const ProgramBuilder<R> &builder) : program(builder.program()), weights(builder.weightSet()) {
    plan = makePlan(program).value();
    std::tie(service, client) = makeMemoryConnections();
  }
};

// Runs a comparison or truncation on its dealt material, at values of its own under the mask that the walk says.
template <RingWord R>
void checkInteractive(const Parties<R> &parties, std::size_t i, MaskWalk<R> &walk, ServiceBundle<R> &service,
                      ClientBundle<R> &client, std::span<const R> mask) {
  const PlanEntry &entry = parties.plan.entries[i];
  const int t = entry.compare.truncation;
  const auto values = boundaryValues<R>(entry.elements, t, entry.compare.bound, 77);
  const std::vector<R> zero(entry.elements, 0);
  std::vector<MaskedTensor<R>> operands;
  std::vector<const MaskedTensor<R> *> pointers;
  for (int which = 0; which < entry.operands(); ++which) {
    const auto r = walk.operand(i, which).value();
    operands.push_back(masked<R>(which ? zero : values, {r.data(), r.data() + r.size()}));
  }
  for (const auto &operand : operands)
    pointers.push_back(&operand);
  auto serviceOp = makeServiceOp<R>(parties.plan, i, service, pointers, nullptr);
  auto clientOp = makeClientOp<R>(parties.plan, i, client, {}, nullptr);
  ASSERT_TRUE(serviceOp && clientOp);
  passMessages(**serviceOp, **clientOp);
  const MaskedTensor<R> result = (*serviceOp)->takeResult();
  for (std::size_t k = 0; k < values.size(); ++k) {
    ASSERT_EQ(result.span()[k] + mask[k], expectedOf(entry.kind, values[k], t)) << "entry " << i;
  }
}

// Both parties' materials against the definitions of Material.h, given P1's masks.
template <RingWord R>
void checkEntry(const Parties<R> &parties, std::size_t i, MaskWalk<R> &walk, LinearMaps<R> &maps,
                ServiceBundle<R> &service, ClientBundle<R> &client, std::span<const R> mask) {
  const PlanEntry &entry = parties.plan.entries[i];
  if (entry.kind == EntryKind::Linear) {
    const auto u = service.template take<LinearMaterial<R>>(i).value();
    const auto r = walk.operand(i, 0).value();
    std::vector<R> w(parties.weights.tensors[entry.weights].data.begin(),
                     parties.weights.tensors[entry.weights].data.end());
    std::vector<R> y(entry.elements);
    maps.apply(i, w, r.span(), y);
    for (std::size_t k = 0; k < y.size(); ++k)
      ASSERT_EQ(u.u[k] + mask[k], y[k]) << "entry " << i;
  }
  if (entry.kind == EntryKind::Output) {
    const auto output = client.template take<OutputMaterial<R>>(i).value();
    const auto r = walk.operand(i, 0).value();
    ASSERT_TRUE(std::equal(r.span().begin(), r.span().end(), output.r.data()));
  }
  if (compares(entry.kind)) checkInteractive(parties, i, walk, service, client, mask);
  if (entry.kind == EntryKind::Dot) {
    const auto s = service.template take<ProductService<R>>(i).value();
    const auto c = client.template take<ProductClient<R>>(i).value();
    for (std::size_t k = 0; k < entry.elements; ++k) { // columns of length 1
      const std::size_t row = k / 67, column = k % 67;
      ASSERT_EQ(s.product[k] + c.product[k], s.alpha[row] * c.s[column] + c.r[row] * s.beta[column]);
    }
  }
  if (entry.kind == EntryKind::Product) {
    const auto s = service.template take<ProductService<R>>(i).value();
    const auto c = client.template take<ProductClient<R>>(i).value();
    for (std::size_t k = 0; k < entry.elements; ++k)
      ASSERT_EQ(s.product[k] + c.product[k], s.alpha[k] * c.s[k] + s.beta[k] * c.r[k]);
  }
}

template <RingWord R>
struct Prepared {
  std::optional<ServiceBundle<R>> service;
  std::optional<ClientBundle<R>> client;
};

// Prepares one inference with both parties as threads.
template <RingWord R>
Prepared<R> prepareBoth(Parties<R> &parties, DealerService<R> &service, DealerClient<R> &client, std::uint64_t number) {
  Prepared<R> prepared;
  auto serviceSide = std::async(std::launch::async, [&]() -> Expected<void> {
    const OfflineJob job{parties.program, parties.plan, seedOf(1000 + number)};
    SD_ASSIGN(prepared.service, prepareService(service, job, parties.weights));
    return {};
  });
  ProgramMaskWalk<R> walk(parties.program, parties.plan, parties.pool);
  const OfflineJob job{parties.program, parties.plan, seedOf(2000 + number)};
  auto clientSide = prepareClient(client, job, walk);
  EXPECT_TRUE(clientSide) << clientSide.error().message;
  if (clientSide) prepared.client = std::move(*clientSide);
  auto done = serviceSide.get();
  EXPECT_TRUE(done) << done.error().message;
  return prepared;
}

template <class R>
class DealerRings : public testing::Test {};
TYPED_TEST_SUITE(DealerRings, ProgramRings);

TYPED_TEST(DealerRings, dealsWhatTheDefinitionsSayAndSendsWhatThePlanDeclares) {
  using R = TypeParam;
  Parties<R> parties(everyKind<R>());
  ThreadPool pool(2);
  LocalDealer dealer(dealerOptions(std::chrono::seconds(60)), pool);
  ProgramLinearMaps<R> maps(parties.program, parties.plan, parties.pool);
  DealerService<R> service({dealer.service(), *parties.service, {1}, seedOf(1)});
  DealerClient<R> client({dealer.client(), *parties.client, {1}, seedOf(2)}, maps);
  for (std::uint64_t number = 0; number < 3; ++number) {
    const Traffic before = dealer.client().traffic();
    Prepared<R> prepared = prepareBoth(parties, service, client, number);
    ASSERT_TRUE(prepared.service && prepared.client);
    ProgramMaskWalk<R> walk(parties.program, parties.plan, parties.pool);
    auto masks = dealtMasks(parties.plan, seedOf(2000 + number).derive("dealer draw"), walk);
    ASSERT_TRUE(masks);
    for (std::size_t i = 0; i < parties.plan.entries.size(); ++i)
      checkEntry<R>(parties, i, walk, maps, *prepared.service, *prepared.client, (*masks)[i].span());

    const Plan::Totals totals = parties.plan.totals();
    const Traffic dealt = dealer.client().traffic() - before;
    const std::uint64_t ready = number == 0 ? 1 : 0;
    EXPECT_EQ(dealt.bytesReceived, totals.dealerBytes + sizeof(R) * totals.linearElements +
                                       dealt.messagesReceived * kFrameHeaderBytes + ready);
  }
}

// What is sent of weights that are all zero is as uniform as of any others: the matrices of the first inference, and
// nothing of another's entry. A bit of some 10^5 is off by 6 deviations at odds of 2e-9; equal words of 64 bits come at
// odds of 2^-60.
TYPED_TEST(DealerRings, publishesMaskedWeightsAndGivesEachEntryItsOwnStream) {
  using R = TypeParam;
  Parties<R> parties(everyKind<R>());
  for (auto &tensor : parties.weights.tensors)
    std::ranges::fill(tensor.data, 0);
  ThreadPool pool(2);
  LocalDealer dealer(dealerOptions(std::chrono::seconds(60)), pool);
  ProgramLinearMaps<R> maps(parties.program, parties.plan, parties.pool);
  TamperingConnection seen(*parties.client);
  DealerService<R> service({dealer.service(), *parties.service, {1}, seedOf(1)});
  DealerClient<R> client({dealer.client(), seen, {1}, seedOf(2)}, maps);
  std::set<std::uint64_t> starts;
  std::size_t entries = 0;
  for (std::uint64_t number = 0; number < 2; ++number) {
    Prepared<R> prepared = prepareBoth(parties, service, client, number);
    ASSERT_TRUE(prepared.service && prepared.client);
    for (std::size_t i = 0; i < parties.plan.entries.size(); ++i) {
      if (!compares(parties.plan.entries[i].kind)) continue;
      starts.insert(prepared.service->template take<CompareService<R>>(i).value().c[0][0]);
      starts.insert(prepared.client->template take<CompareClient<R>>(i).value().masks[0][0]);
      ++entries;
    }
  }
  EXPECT_GE(entries, 6u);
  EXPECT_EQ(starts.size(), 2 * entries);
  double bits = 0, ones = 0;
  for (const SeenMessage &message : seen.seen()) {
    if (message.tag != tag::kDealerMatrix) continue;
    bits += 8.0 * static_cast<double>(message.payload.size());
    for (const std::uint8_t byte : message.payload)
      ones += std::popcount(byte);
  }
  EXPECT_GT(bits, 10000);
  EXPECT_NEAR(ones, bits / 2, 6 * std::sqrt(bits) / 2);
}

TEST(Dealer, correctionsOfAReluAreSmall) {
  const PlanEntry entry = entryOf(EntryKind::Compare, 1000, evenShape(10, 30, 3, 3));
  EXPECT_LE(correctionBytes(entry, 32) + 4 * entry.elements, 45 * entry.elements) << "with its linear layer's";
}

// A party that is driven by hand.
struct Guest {
  std::unique_ptr<Connection> end;
  std::future<bool> served;
  std::string reason; // what receive() says

  Guest(Dealer &dealer, const DealerHello &hello) {
    auto [mine, theirs] = makeMemoryConnections();
    end = std::move(mine);
    served = std::async(std::launch::async, [&dealer, connection = std::move(theirs)]() mutable {
      return dealer.serve(std::move(connection)).has_value();
    });
    EXPECT_TRUE(end->stream(kDealerStream).send(tag::kDealerHello, encode(hello)));
  }
  std::string hear() {
    std::uint8_t byte = 0;
    auto received = end->stream(kDealerStream).receive(tag::kDealerReady, std::span(&byte, 1));
    return received ? "ready" : received.error().message;
  }
};

class DealerFaults : public testing::Test {
protected:
  ThreadPool pool_{1};
  Dealer dealer_{shortDealerOptions(), pool_};
};

TEST_F(DealerFaults, aLonePartyIsSentAway) {
  Guest guest(dealer_, {0, {7}, {}});
  EXPECT_THAT(guest.hear(), HasSubstr("did not come"));
  EXPECT_FALSE(guest.served.get());
}

TEST_F(DealerFaults, differentProgramsAreRefused) {
  Guest service(dealer_, {0, {7}, {1}}), client(dealer_, {1, {7}, {2}});
  EXPECT_THAT(service.hear(), HasSubstr("another program"));
  EXPECT_THAT(client.hear(), HasSubstr("another program"));
}

TEST_F(DealerFaults, twoOfTheSamePartyAreRefused) {
  Guest first(dealer_, {0, {7}, {}}), second(dealer_, {0, {7}, {}});
  EXPECT_THAT(first.hear() + second.hear(), HasSubstr("is here already"));
}

TEST_F(DealerFaults, sessionsWaitForTheirOwnPartner) {
  Guest service(dealer_, {0, {7}, {}}), client(dealer_, {1, {8}, {}});
  EXPECT_THAT(service.hear(), HasSubstr("did not come"));
  EXPECT_THAT(client.hear(), HasSubstr("did not come"));
}

TEST_F(DealerFaults, aProgramThatIsNotTheOneNamedIsRefused) {
  const auto bytes = writeProgram(everyKind<Ring32>().program());
  ASSERT_TRUE(bytes);
  Guest service(dealer_, {0, {7}, {9}}), client(dealer_, {1, {7}, {9}});
  ASSERT_TRUE(service.end->stream(kDealerStream).send(tag::kDealerProgram, *bytes));
  EXPECT_THAT(client.hear(), HasSubstr("not the one that was named"));
}

TEST_F(DealerFaults, garbageIsRefused) {
  auto [mine, theirs] = makeMemoryConnections();
  auto served = std::async(std::launch::async, [this, end = std::move(theirs)]() mutable {
    return dealer_.serve(std::move(end)).has_value();
  });
  std::vector<std::uint8_t> garbage(kDealerHelloBytes, 0x5A);
  ASSERT_TRUE(mine->stream(kDealerStream).send(tag::kDealerHello, garbage));
  std::uint8_t byte = 0;
  auto received = mine->stream(kDealerStream).receive(tag::kDealerReady, std::span(&byte, 1));
  ASSERT_FALSE(received);
  EXPECT_THAT(received.error().message, HasSubstr("not a party"));
  EXPECT_FALSE(served.get());
}

TEST_F(DealerFaults, aProgramThatIsNoneIsRefused) {
  const std::vector<std::uint8_t> bytes(200, 1);
  const Digest digest = digestOf(bytes);
  Guest service(dealer_, {0, {7}, digest}), client(dealer_, {1, {7}, digest});
  ASSERT_TRUE(service.end->stream(kDealerStream).send(tag::kDealerProgram, bytes));
  ASSERT_TRUE(service.end->stream(kDealerStream).send(tag::kDealerMatrixSeed, std::array<std::uint8_t, 16>{}));
  EXPECT_THAT(client.hear(), testing::Not(testing::AnyOf("ready", "")));
  service.end->close("");
  client.end->close("");
  EXPECT_TRUE(service.served.get() != client.served.get()) << "one thread serves both, and reports the error";
}

TEST_F(DealerFaults, aProgramThatNeedsTooMuchMemoryIsRefused) {
  DealerOptions options = shortDealerOptions();
  options.sessionBytes = 10'000;
  Dealer dealer(std::move(options), pool_);
  const auto bytes = writeProgram(everyKind<Ring32>().program());
  ASSERT_TRUE(bytes);
  Guest service(dealer, {0, {7}, digestOf(*bytes)}), client(dealer, {1, {7}, digestOf(*bytes)});
  ASSERT_TRUE(service.end->stream(kDealerStream).send(tag::kDealerProgram, *bytes));
  ASSERT_TRUE(service.end->stream(kDealerStream).send(tag::kDealerMatrixSeed, std::array<std::uint8_t, 16>{}));
  EXPECT_THAT(client.hear(), HasSubstr("of the dealer's memory"));
}

// A session of which one inference has been dealt. The parties' connections to the dealer have a short timeout.
class DealerSessions : public testing::Test {
protected:
  using Served = std::future<Expected<void>>;

  DealerSessions() : parties_(everyKind<Ring32>()), maps_(parties_.program, parties_.plan, parties_.pool) {
    for (int party : {0, 1}) {
      auto [mine, theirs] = makeMemoryConnections({.timeout = std::chrono::seconds(2)});
      ends_[party] = std::move(mine);
      served_[party] = std::async(std::launch::async,
                                  [this, end = std::move(theirs)]() mutable { return dealer_.serve(std::move(end)); });
    }
    service_.emplace(DealerProviderOptions{*ends_[0], *parties_.service, {1}, seedOf(1)});
    client_.emplace(DealerProviderOptions{*ends_[1], *parties_.client, {1}, seedOf(2)}, maps_);
    EXPECT_TRUE(deal(0));
  }
  bool deal(std::uint64_t number) {
    const Prepared<Ring32> prepared = prepareBoth(parties_, *service_, *client_, number);
    return prepared.service && prepared.client;
  }
  // What the thread that serves both says.
  std::string outcome() {
    std::string text;
    for (Served &each : served_)
      if (auto done = each.get(); !done) text += done.error().message;
    return text;
  }

  ThreadPool pool_{1};
  Dealer dealer_{dealerOptions(std::chrono::seconds(10)), pool_};
  Parties<Ring32> parties_;
  ProgramLinearMaps<Ring32> maps_;
  std::array<std::unique_ptr<Connection>, 2> ends_;
  std::array<Served, 2> served_;
  std::optional<DealerService<Ring32>> service_;
  std::optional<DealerClient<Ring32>> client_;
};

TEST_F(DealerSessions, mayPauseBetweenInferences) {
  std::this_thread::sleep_for(std::chrono::milliseconds(2500));
  EXPECT_TRUE(deal(1));
  ends_[0].reset();
  EXPECT_EQ(outcome(), "");
}

TEST_F(DealerSessions, endWhenEitherPartyHangsUp) {
  ends_[1].reset();
  std::uint8_t byte = 0;
  auto received = ends_[0]->stream(kDealerStream).receive(tag::kDealerDrawn, std::span(&byte, 1));
  ASSERT_FALSE(received);
  EXPECT_THAT(received.error().message, HasSubstr("the session is over"));
  EXPECT_EQ(outcome(), "");
}

TEST_F(DealerSessions, reportAnyOtherEnd) {
  ends_[0]->close("the disk is full");
  EXPECT_THAT(outcome(), HasSubstr("the disk is full"));
}

} // namespace
} // namespace sd
