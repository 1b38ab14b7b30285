// Truncation, products, input and output; and round groups over a connection.
#include <future>
#include <thread>

#include "runtime/net/MemoryChannel.h"
#include "test/unit/protocol/ProtocolFixture.h"

namespace sd {
namespace {

using namespace test;

TEST(Truncate, isOffByLessThanAUnitAndUnbiased) {
  for (const int t : {0, 1, 6, 10, 12, 15, 24})
    for (const std::size_t n : {std::size_t{1}, std::size_t{7}, std::size_t{64}, std::size_t{65}, std::size_t{40000}}) {
      const PlanEntry entry = entryOf(EntryKind::Truncate, n, {t, 30, {}});
      const auto values = boundaryValues(n, t, 30, 20);
      const Trial run = runEntry(entry, {values}, 600);
      double sum = 0;
      for (std::size_t i = 0; i < n; ++i) {
        const double error =
            static_cast<SignedRing>(run.result[i]) - std::ldexp(static_cast<SignedRing>(values[i]), -t);
        ASSERT_LT(std::abs(error), t ? 1.0 : 1e-9) << t << ' ' << static_cast<SignedRing>(values[i]);
        sum += error;
      }
      // Five standard deviations of at most 1/sqrt(2): false alarm at odds of 6e-7.
      if (n == 40000) {
        EXPECT_LT(std::abs(sum / n), 0.018) << t;
      }
      EXPECT_EQ(run.messages[0].size() + run.messages[1].size(), (n + 7) / 8 + 4 * n);
    }
}

TEST(Product, isExactModTwoToThe32) {
  for (const std::size_t n : {std::size_t{1}, std::size_t{65}, std::size_t{1000}}) {
    const PlanEntry entry = entryOf(EntryKind::Product, n);
    std::mt19937 generator(21);
    std::vector<Ring> x(n), y(n);
    for (std::size_t i = 0; i < n; ++i)
      x[i] = generator(), y[i] = generator();
    x[0] = 0x80000000u;
    y[0] = 0xFFFFFFFFu;
    const Trial run = runEntry(entry, {x, y}, 700);
    for (std::size_t i = 0; i < n; ++i)
      ASSERT_EQ(run.result[i], x[i] * y[i]);
    EXPECT_EQ(run.messages[0].size(), 8 * n);
    EXPECT_EQ(run.messages[1].size(), 4 * n);
  }
}

TEST(Product, spentMaterialIsRefused) {
  const PlanEntry entry = entryOf(EntryKind::Product, 3);
  const Plan plan{{entry}};
  const std::vector<Ring> r(3, 1);
  Dealt dealt = deal(entry, {r, r}, 4);
  ServiceBundle bundle(plan);
  ASSERT_TRUE(bundle.put(0, std::move(dealt.service)));
  const MaskedTensor x = masked(r, r);
  const std::vector<const MaskedTensor *> operands{&x, &x};
  ASSERT_TRUE(makeServiceOp(plan, 0, bundle, operands, nullptr));
  auto again = makeServiceOp(plan, 0, bundle, operands, nullptr);
  ASSERT_FALSE(again);
  EXPECT_THAT(again.error().message, testing::HasSubstr("used already"));
}

// A plan of input -> two comparisons of different depth, a truncation and a maximum in one group -> output.
class GroupTest : public testing::Test {
protected:
  static constexpr std::size_t kCount = 129;
  Plan plan_{{entryOf(EntryKind::Input, kCount), entryOf(EntryKind::Compare, kCount, {10, 30, {3, 3}}),
              entryOf(EntryKind::Compare, kCount, {0, 4, {4, 2}}), entryOf(EntryKind::Truncate, kCount, {6, 30, {}}),
              entryOf(EntryKind::Maximum, kCount, {0, 30, {1, 2}}), entryOf(EntryKind::Output, kCount)}};
  std::vector<Ring> r_ = boundaryValues(kCount, 0, 30, 31); // any mask will do
  std::vector<Ring> x_ = boundaryValues(kCount, 0, 3, 32);
  ServiceBundle service_{plan_};
  ClientBundle client_{plan_};
  std::vector<std::vector<Ring>> outMasks_{plan_.entries.size()};

  void SetUp() override {
    for (std::size_t i = 0; i < plan_.entries.size(); ++i) {
      Dealt dealt = deal(plan_.entries[i], {r_, r_}, 800 + i);
      if (i == 0) std::copy(r_.begin(), r_.end(), std::get<InputMaterial>(dealt.client).mask.data());
      outMasks_[i] = dealt.mask;
      EXPECT_TRUE(service_.put(i, std::move(dealt.service)));
      EXPECT_TRUE(client_.put(i, std::move(dealt.client)));
    }
  }

  std::vector<std::unique_ptr<ServiceOp>> serviceOps(const MaskedTensor &x) {
    std::vector<std::unique_ptr<ServiceOp>> ops;
    const std::vector<const MaskedTensor *> operands{&x, &x};
    for (const std::size_t i : {1, 2, 3, 4}) {
      auto op = makeServiceOp(plan_, i, service_, std::span(operands).first(plan_.entries[i].operands()), nullptr);
      EXPECT_TRUE(op);
      ops.push_back(std::move(*op));
    }
    return ops;
  }
  std::vector<std::unique_ptr<ClientOp>> clientOps() {
    std::vector<std::unique_ptr<ClientOp>> ops;
    for (const std::size_t i : {1, 2, 3, 4}) {
      auto op = makeClientOp(plan_, i, client_, {}, nullptr);
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

TEST_F(GroupTest, opsShareMessagesFromInputToOutput) {
  auto [serviceEnd, clientEnd] = makeMemoryConnections();
  Channel &hospital = clientEnd->stream(1);
  SecretVector<Ring> opened;
  auto clientSide = std::async(std::launch::async, [&]() -> Expected<void> {
    SD_ASSIGN(auto input, makeClientOp(plan_, 0, client_, x_, nullptr));
    SD_TRY(runRoundGroup(hospital, Party::Client, pointers(std::vector{input.get()})));
    auto ops = clientOps();
    SD_TRY(runRoundGroup(hospital, Party::Client, pointers(ops)));
    SD_ASSIGN(auto output, makeClientOp(plan_, 5, client_, {}, nullptr));
    SD_TRY(runRoundGroup(hospital, Party::Client, pointers(std::vector{output.get()})));
    opened = output->takeOpened();
    return {};
  });

  Channel &channel = serviceEnd->stream(1);
  auto input = makeServiceOp(plan_, 0, service_, {}, nullptr);
  ASSERT_TRUE(input);
  ASSERT_TRUE(runRoundGroup(channel, Party::Service, pointers(std::vector{input->get()})));
  EXPECT_EQ(channel.traffic().bytesSent, 0u) << "an input is one message of P1's";
  const MaskedTensor x = (*input)->takeResult();
  auto ops = serviceOps(x);
  const Traffic before = channel.traffic();
  ASSERT_TRUE(runRoundGroup(channel, Party::Service, pointers(ops)));
  const Traffic group = channel.traffic() - before;

  // The (1, 2) tree of 30 bits has five levels, six messages and more; all ops travel in them.
  std::uint64_t sent = 0, received = 0, longest = 0;
  for (const std::size_t i : {1, 2, 3, 4}) {
    const ProtocolCost cost = plan_.entries[i].cost();
    sent += cost.onlineBytes(0, kCount);
    received += cost.onlineBytes(1, kCount);
    longest = std::max<std::uint64_t>(longest, cost.roundTrips());
  }
  EXPECT_EQ(group.messagesSent, longest);
  EXPECT_EQ(group.messagesReceived, longest);
  EXPECT_EQ(group.bytesSent, sent + longest * kFrameHeaderBytes);
  EXPECT_EQ(group.bytesReceived, received + longest * kFrameHeaderBytes);

  const MaskedTensor relu = ops[0]->takeResult(), exact = ops[1]->takeResult(), halved = ops[2]->takeResult(),
                     maximum = ops[3]->takeResult();
  for (std::size_t i = 0; i < kCount; ++i) {
    const auto value = static_cast<SignedRing>(x_[i]);
    EXPECT_LT(std::abs(static_cast<SignedRing>(relu.span()[i] + outMasks_[1][i]) - std::max(value, 0) / 1024.0), 1.0);
    EXPECT_EQ(exact.span()[i] + outMasks_[2][i], static_cast<Ring>(std::max(value, 0)));
    EXPECT_LT(std::abs(static_cast<SignedRing>(halved.span()[i] + outMasks_[3][i]) - value / 64.0), 1.0);
    EXPECT_EQ(maximum.span()[i] + outMasks_[4][i], x_[i]);
  }

  auto output = makeServiceOp(plan_, 5, service_, std::vector<const MaskedTensor *>{&x}, nullptr);
  ASSERT_TRUE(output);
  ASSERT_TRUE(runRoundGroup(channel, Party::Service, pointers(std::vector{output->get()})));
  auto ended = clientSide.get();
  ASSERT_TRUE(ended) << ended.error().message;
  EXPECT_TRUE(std::equal(x_.begin(), x_.end(), opened.data()));
}

// What a faulty peer may send instead of the first message of a group.
enum class Fault { WrongTag, Short, Long, Late, Gone };

class Faults : public GroupTest, public testing::WithParamInterface<Fault> {};

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
