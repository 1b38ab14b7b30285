// Truncation, products, input and output; and round groups over a connection.
#include <future>
#include <thread>

#include "runtime/net/MemoryChannel.h"
#include "test/unit/protocol/ProtocolFixture.h"

namespace sd {
namespace {

using namespace test;

template <class R>
class Truncate : public testing::Test {};
TYPED_TEST_SUITE(Truncate, Rings);

TYPED_TEST(Truncate, roundsHalfUpWhateverTheSize) {
  using R = TypeParam;
  for (const int t : {1, 6, 10, 12, 15, maxTruncation(kBitsOf<R>)})
    for (const std::size_t n : {std::size_t{1}, std::size_t{7}, std::size_t{64}, std::size_t{65}, std::size_t{4000}}) {
      const PlanEntry entry = entryOf(EntryKind::Truncate, n, standardShape(t, kBoundBitsOf<R>, false));
      const auto values = boundaryValues<R>(n, t, kBoundBitsOf<R>, 20);
      const auto run = runEntry<R>(entry, {values}, 600);
      for (std::size_t i = 0; i < n; ++i)
        ASSERT_EQ(run.result[i], expectedOf(entry.kind, values[i], t))
            << t << ' ' << static_cast<SignedOf<R>>(values[i]);
      for (int k = 0; k < entry.cost(kBitsOf<R>).messages(); ++k)
        EXPECT_EQ(run.messages[k].size(), entry.cost(kBitsOf<R>).messageBytes(k, n));
    }
}

template <class R>
class Product : public testing::Test {};
TYPED_TEST_SUITE(Product, Rings);

TYPED_TEST(Product, isExactInTheRing) {
  using R = TypeParam;
  for (const std::size_t n : {std::size_t{1}, std::size_t{65}, std::size_t{1000}}) {
    const PlanEntry entry = entryOf(EntryKind::Product, n);
    std::mt19937_64 generator(21);
    std::vector<R> x(n), y(n);
    for (std::size_t i = 0; i < n; ++i)
      x[i] = static_cast<R>(generator()), y[i] = static_cast<R>(generator());
    x[0] = R{1} << (kBitsOf<R> - 1);
    y[0] = ~R{0};
    const auto run = runEntry<R>(entry, {x, y}, 700);
    for (std::size_t i = 0; i < n; ++i)
      ASSERT_EQ(run.result[i], x[i] * y[i]);
    EXPECT_EQ(run.messages[0].size(), 2 * sizeof(R) * n);
    EXPECT_EQ(run.messages[1].size(), sizeof(R) * n);
  }
}

TYPED_TEST(Product, spentMaterialIsRefused) {
  using R = TypeParam;
  const PlanEntry entry = entryOf(EntryKind::Product, 3);
  const Plan plan = planOf<R>({entry});
  const std::vector<R> r(3, 1);
  Dealt<R> dealt = deal<R>(entry, {r, r}, 4);
  ServiceBundle<R> bundle(plan);
  ASSERT_TRUE(bundle.put(0, std::move(dealt.service)));
  const auto x = masked(r, r);
  const std::vector<const MaskedTensor<R> *> operands{&x, &x};
  ASSERT_TRUE(makeServiceOp<R>(plan, 0, bundle, operands, nullptr));
  auto again = makeServiceOp<R>(plan, 0, bundle, operands, nullptr);
  ASSERT_FALSE(again);
  EXPECT_THAT(again.error().message, testing::HasSubstr("used already"));
}

// A plan of input -> two comparisons of different depth, a truncation and a maximum in one group -> output.
template <class R>
class GroupTest : public testing::Test {
protected:
  static constexpr std::size_t kCount = 129;
  Plan plan_ =
      planOf<R>({entryOf(EntryKind::Input, kCount), entryOf(EntryKind::Compare, kCount, evenShape(10, 30, 3, 3)),
                 entryOf(EntryKind::Compare, kCount, evenShape(0, 4, 4, 2)),
                 entryOf(EntryKind::Truncate, kCount, standardShape(6, 30, false)),
                 entryOf(EntryKind::Maximum, kCount, evenShape(0, 30, 1, 2)), entryOf(EntryKind::Output, kCount)});
  std::vector<R> r_ = boundaryValues<R>(kCount, 0, 30, 31); // any mask will do
  std::vector<R> x_ = boundaryValues<R>(kCount, 0, 3, 32);
  ServiceBundle<R> service_{plan_};
  ClientBundle<R> client_{plan_};
  std::vector<std::vector<R>> outMasks_{plan_.entries.size()};

  void SetUp() override {
    for (std::size_t i = 0; i < plan_.entries.size(); ++i) {
      Dealt<R> dealt = deal<R>(plan_.entries[i], {r_, r_}, 800 + i);
      if (i == 0) std::copy(r_.begin(), r_.end(), std::get<InputMaterial<R>>(dealt.client).mask.data());
      outMasks_[i] = dealt.mask;
      EXPECT_TRUE(service_.put(i, std::move(dealt.service)));
      EXPECT_TRUE(client_.put(i, std::move(dealt.client)));
    }
  }

  std::vector<std::unique_ptr<ServiceOp<R>>> serviceOps(const MaskedTensor<R> &x) {
    std::vector<std::unique_ptr<ServiceOp<R>>> ops;
    const std::vector<const MaskedTensor<R> *> operands{&x, &x};
    for (const std::size_t i : {1, 2, 3, 4}) {
      auto op = makeServiceOp<R>(plan_, i, service_,
                                 std::span<const MaskedTensor<R> *const>(operands).first(plan_.entries[i].operands()),
                                 nullptr);
      EXPECT_TRUE(op);
      ops.push_back(std::move(*op));
    }
    return ops;
  }
  std::vector<std::unique_ptr<ClientOp<R>>> clientOps() {
    std::vector<std::unique_ptr<ClientOp<R>>> ops;
    for (const std::size_t i : {1, 2, 3, 4}) {
      auto op = makeClientOp<R>(plan_, i, client_, {}, nullptr);
      EXPECT_TRUE(op);
      ops.push_back(std::move(*op));
    }
    return ops;
  }
};

template <class Ops>
std::vector<InteractiveOp *> pointers(const Ops &ops) {
  std::vector<InteractiveOp *> result;
  for (const auto &op : ops)
    result.push_back(&*op);
  return result;
}

TYPED_TEST_SUITE(GroupTest, Rings);

TYPED_TEST(GroupTest, opsShareMessagesFromInputToOutput) {
  using R = TypeParam;
  constexpr std::size_t n = GroupTest<R>::kCount;
  auto &plan = this->plan_;
  auto &service = this->service_;
  auto &client = this->client_;
  const auto &values = this->x_;
  auto [serviceEnd, clientEnd] = makeMemoryConnections();
  Channel &hospital = clientEnd->stream(1);
  SecretVector<R> opened;
  auto clientSide = std::async(std::launch::async, [&]() -> Expected<void> {
    SD_ASSIGN(auto input, makeClientOp<R>(plan, 0, client, values, nullptr));
    SD_TRY(runRoundGroup(hospital, Party::Client, pointers(std::vector{input.get()})));
    auto ops = this->clientOps();
    SD_TRY(runRoundGroup(hospital, Party::Client, pointers(ops)));
    SD_ASSIGN(auto output, makeClientOp<R>(plan, 5, client, {}, nullptr));
    SD_TRY(runRoundGroup(hospital, Party::Client, pointers(std::vector{output.get()})));
    opened = output->takeOpened();
    return {};
  });

  Channel &channel = serviceEnd->stream(1);
  auto input = makeServiceOp<R>(plan, 0, service, {}, nullptr);
  ASSERT_TRUE(input);
  ASSERT_TRUE(runRoundGroup(channel, Party::Service, pointers(std::vector{input->get()})));
  EXPECT_EQ(channel.traffic().bytesSent, 0u) << "an input is one message of P1's";
  const MaskedTensor<R> x = (*input)->takeResult();
  auto ops = this->serviceOps(x);
  const Traffic before = channel.traffic();
  ASSERT_TRUE(runRoundGroup(channel, Party::Service, pointers(ops)));
  const Traffic group = channel.traffic() - before;

  // The (1, 2) tree of 30 bits has five levels, six messages and more; all ops travel in them.
  std::uint64_t sent = 0, received = 0, longest = 0;
  for (const std::size_t i : {1, 2, 3, 4}) {
    const ProtocolCost cost = plan.entries[i].cost(kBitsOf<R>);
    sent += cost.onlineBytes(0, n);
    received += cost.onlineBytes(1, n);
    longest = std::max<std::uint64_t>(longest, cost.roundTrips());
  }
  EXPECT_EQ(group.messagesSent, longest);
  EXPECT_EQ(group.messagesReceived, longest);
  EXPECT_EQ(group.bytesSent, sent + longest * kFrameHeaderBytes);
  EXPECT_EQ(group.bytesReceived, received + longest * kFrameHeaderBytes);

  const MaskedTensor<R> relu = ops[0]->takeResult(), exact = ops[1]->takeResult(), halved = ops[2]->takeResult(),
                        maximum = ops[3]->takeResult();
  for (std::size_t i = 0; i < n; ++i) {
    EXPECT_EQ(relu.span()[i] + this->outMasks_[1][i], expectedOf(EntryKind::Compare, values[i], 10));
    EXPECT_EQ(exact.span()[i] + this->outMasks_[2][i], expectedOf(EntryKind::Compare, values[i], 0));
    EXPECT_EQ(halved.span()[i] + this->outMasks_[3][i], expectedOf(EntryKind::Truncate, values[i], 6));
    EXPECT_EQ(maximum.span()[i] + this->outMasks_[4][i], values[i]);
  }

  auto output = makeServiceOp<R>(plan, 5, service, std::vector<const MaskedTensor<R> *>{&x}, nullptr);
  ASSERT_TRUE(output);
  ASSERT_TRUE(runRoundGroup(channel, Party::Service, pointers(std::vector{output->get()})));
  auto ended = clientSide.get();
  ASSERT_TRUE(ended) << ended.error().message;
  EXPECT_TRUE(std::equal(values.begin(), values.end(), opened.data()));
}

// What a faulty peer may send instead of the first message of a group.
enum class Fault { WrongTag, Short, Long, Late, Gone };

class Faults : public GroupTest<Ring32>, public testing::WithParamInterface<Fault> {};

TEST_P(Faults, endTheSessionWithAClearError) {
  ConnectionOptions options;
  options.timeout = std::chrono::milliseconds(200);
  auto [serviceEnd, clientEnd] = makeMemoryConnections(options);
  auto ops = clientOps();
  std::size_t bytes = 0;
  for (const auto &op : ops)
    bytes += op->messageBytes(0);
  Channel &peer = serviceEnd->stream(1);
  std::vector<std::uint8_t> message(bytes, 0);
  std::string expected;
  switch (GetParam()) {
  case Fault::WrongTag:
    expected = "tag";
    ASSERT_TRUE(peer.send(kRoundTag + 2, message));
    break;
  case Fault::Short:
    expected = "bytes";
    message.pop_back();
    ASSERT_TRUE(peer.send(kRoundTag, message));
    break;
  case Fault::Long:
    expected = "bytes";
    message.push_back(0);
    ASSERT_TRUE(peer.send(kRoundTag, message));
    break;
  case Fault::Late:
    expected = "0.2";
    break;
  case Fault::Gone:
    expected = "no record today";
    serviceEnd->close("no record today");
    break;
  }
  auto run = runRoundGroup(clientEnd->stream(1), Party::Client, pointers(ops));
  ASSERT_FALSE(run);
  EXPECT_THAT(run.error().message, testing::HasSubstr(expected));
  std::uint8_t byte = 0;
  EXPECT_FALSE(clientEnd->stream(1).receive(kRoundTag, std::span(&byte, 1))) << "the session is over";
}

INSTANTIATE_TEST_SUITE_P(All, Faults,
                         testing::Values(Fault::WrongTag, Fault::Short, Fault::Long, Fault::Late, Fault::Gone));

} // namespace
} // namespace sd
