// The two-party provider over whole programs, linear entries included, and what tampering does to it.
#include <bit>
#include <cmath>
#include <optional>

#include <gtest/gtest.h>

#include "ir/core/ScheduleAttr.h"
#include "runtime/offline/TwoParty.h"
#include "runtime/vm/MaskWalk.h"
#include "test/unit/ot/TamperingConnection.h"
#include "test/unit/ot/TwoParties.h"
#include "test/unit/vm/Programs.h"

namespace sd {
namespace {

// input -> (matmul -> relu) for each hidden layer -> matmul -> output: the four medical networks have this form.
template <RingWord R>
struct Perceptron {
  test::ProgramBuilder<R> builder;
  Plan plan;
  std::vector<std::int64_t> widths;

  explicit Perceptron(std::vector<std::int64_t> layerWidths, int weightBits = 10) : widths(std::move(layerWidths)) {
    const Shape in{1, widths.front()};
    SlotId x = builder.add(OpKind::ShareInput, {builder.input("x", in)}, {}, Type::share(in, 10));
    for (std::size_t i = 1; i < widths.size(); ++i) {
      const SlotId w = builder.weights({widths[i - 1], widths[i]}, 10, static_cast<std::uint32_t>(i), weightBits);
      x = builder.add(OpKind::ShareMatMul, {x, w});
      if (i + 1 == widths.size()) break;
      x = builder.add(
          OpKind::ShareRelu, {x},
          withSchedule(OpKind::ShareRelu, {{Attr::Bits, std::int64_t{10}}, {Attr::Bound, std::int64_t{30}}}));
    }
    builder.add(OpKind::ShareOutput, {x});
    auto made = makePlan(builder.program());
    EXPECT_TRUE(made);
    plan = std::move(*made);
  }
};

Seed seed(std::uint8_t first) { return Seed(std::array<std::uint8_t, 16>{first}); }

template <RingWord R>
struct Prepared {
  std::pair<Expected<void>, Expected<void>> ended;
  std::optional<ServiceBundle<R>> service;
  std::optional<ClientBundle<R>> client;
};

template <RingWord R>
Prepared<R> prepare(const Perceptron<R> &net, Connection &a, Connection &b, ProgramMaskWalk<R> &walk,
                    TwoParties &parties) {
  TwoPartyService<R> service{{a, seed(1)}};
  TwoPartyClient<R> client{{b, seed(2)}};
  Prepared<R> result;
  result.ended = parties.runBoth(
      [&](Connection &) -> Expected<void> {
        SD_ASSIGN(result.service, prepareService(service, {net.builder.program(), net.plan, seed(3), nullptr},
                                                 net.builder.weightSet()));
        return {};
      },
      [&](Connection &) -> Expected<void> {
        SD_ASSIGN(result.client, prepareClient(client, {net.builder.program(), net.plan, seed(4), nullptr}, walk));
        return {};
      });
  return result;
}

template <class R>
class Widths : public testing::Test {};
TYPED_TEST_SUITE(Widths, test::ProgramRings);

TYPED_TEST(Widths, LinearEntriesCorrelateWithTheMasksOfTheOthers) {
  using R = TypeParam;
  // By RLWE the first layer only of the third network, by OT all others.
  for (const std::vector<std::int64_t> &widths : {std::vector<std::int64_t>{30, 16, 16, 2}, {8, 20, 2}, {64, 256, 2}}) {
    const Perceptron<R> net(widths);
    EXPECT_EQ(!net.plan.entries[1].transfers, net.widths[1] == 256);
    TwoParties parties;
    ThreadPool pool(1);
    ProgramMaskWalk<R> walk(net.builder.program(), net.plan, pool);
    Prepared<R> result = prepare(net, *parties.a, *parties.b, walk, parties);
    ASSERT_TRUE(result.ended.first) << result.ended.first.error().message;
    ASSERT_TRUE(result.ended.second) << result.ended.second.error().message;
    int checked = 0;
    for (std::size_t i = 0; i < net.plan.entries.size(); ++i) {
      if (net.plan.entries[i].kind != EntryKind::Linear) continue;
      const auto u = *result.service->template take<LinearMaterial<R>>(i);
      const auto r = *walk.operand(i, 0);
      const auto v = *walk.operand(i + 1, 0); // every linear entry is read by the entry behind it
      const auto &w = net.builder.weightSet().tensors[net.plan.entries[i].weights];
      for (std::size_t o = 0; o < v.size(); ++o) {
        R sum = 0;
        for (std::size_t k = 0; k < r.size(); ++k)
          sum += static_cast<R>(w.data[k * v.size() + o]) * r[k];
        ASSERT_EQ(u.u[o] + v[o], sum) << i << ' ' << o;
      }
      ++checked;
    }
    EXPECT_EQ(checked, std::ssize(net.widths) - 1);
    // Set-up included, a medical network's goal is 1 MB.
    const Traffic used = parties.a->traffic();
    if (kBitsOf<R> == 32) {
      EXPECT_LE(used.bytesSent + used.bytesReceived, 1'000'000u);
    }
  }
}

// What the service sees of a client whose masks are all zero is as uniform as of any other: 7 standard deviations, odds
// of a false alarm below 1e-11.
TEST(TwoPartyNetwork, ServicesViewIsUniformWhateverTheMasks) {
  class ZeroWalk final : public MaskWalk<Ring32> {
  public:
    explicit ZeroWalk(const Plan &plan) : plan_(plan) {}
    Expected<void> announce(std::size_t, std::span<const Ring32>) override { return {}; }
    bool ready(std::size_t) const override { return true; }
    Expected<SecretVector<Ring32>> operand(std::size_t entry, int) override {
      return SecretVector<Ring32>(plan_.entries[entry].elements, 0);
    }

  private:
    const Plan &plan_;
  };
  Plan plan;
  PlanEntry e;
  e.kind = EntryKind::Compare;
  e.elements = 5000;
  e.compare = evenShape(10, 30, 3, 3);
  plan.entries = {e};
  TwoParties parties;
  TamperingConnection a(*parties.a), b(*parties.b);
  const Program program;
  const WeightSet<Ring32> weights;
  TwoPartyService<Ring32> service{{a, seed(1)}};
  TwoPartyClient<Ring32> client{{b, seed(2)}};
  ZeroWalk walk(plan);
  parties.run(
      [&](Connection &) {
        return service.prepare({program, plan, seed(3), nullptr}, weights,
                               [](std::size_t, ServiceMaterial<Ring32>) { return Expected<void>(); });
      },
      [&](Connection &) {
        return client.prepare({program, plan, seed(4), nullptr}, walk,
                              [](std::size_t, ClientMaterial<Ring32>) { return Expected<void>(); });
      });
  for (const TamperingConnection *side : {&a, &b}) {
    double bits = 0, ones = 0;
    for (const SeenMessage &message : side->seen()) {
      if (message.stream != kBitStream) continue;
      bits += 8.0 * static_cast<double>(message.payload.size());
      for (const std::uint8_t byte : message.payload)
        ones += std::popcount(byte);
    }
    EXPECT_GT(bits, 1000);
    EXPECT_NEAR(ones, bits / 2, 7 * std::sqrt(bits) / 2 + 8); // 8: the padding of the last bytes
  }
}

// Weights that the flood would not hide: refused before anything is answered, naming the layer and the way out.
TEST(TwoPartyNetwork, LargeWeightsAreRefusedBeforeAnyReply) {
  const auto attempt = [](int bits, Traffic &sent) {
    const Perceptron<Ring32> net({64, 256, 2}, bits);
    TwoParties parties;
    ThreadPool pool(1);
    ProgramMaskWalk<Ring32> walk(net.builder.program(), net.plan, pool);
    auto ended = prepare(net, *parties.a, *parties.b, walk, parties).ended.first;
    sent = parties.a->stream(kLinearStream).traffic();
    return ended;
  };
  Traffic sent;
  const auto refused = attempt(28, sent);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("compile with a --weight-scale at least"), std::string::npos)
      << refused.error().message;
  EXPECT_NE(refused.error().message.find("share.matmul node"), std::string::npos) << refused.error().message;
  EXPECT_EQ(sent.messagesSent, 0U);
  EXPECT_TRUE(attempt(12, sent));
  EXPECT_GT(sent.messagesSent, 0U);
}

TEST(TwoPartyNetwork, TamperedMessagesNeitherCrashNorHang) {
  const Perceptron<Ring32> net({64, 100, 2}); // both methods
  ASSERT_TRUE(!net.plan.entries[1].transfers && net.plan.entries[3].transfers);
  const auto run = [&](std::size_t target, bool atService, std::size_t *count) {
    TwoParties parties;
    const auto hook = [target](std::size_t number, SeenMessage &message) {
      if (number != target) return;
      for (std::size_t i = 0; i < message.payload.size(); i += 7)
        message.payload[i] ^= 0x55;
    };
    TamperingConnection a(*parties.a, atService ? hook : TamperingConnection::Hook{}),
        b(*parties.b, atService ? TamperingConnection::Hook{} : hook);
    ThreadPool pool(1);
    ProgramMaskWalk<Ring32> walk(net.builder.program(), net.plan, pool);
    const Prepared<Ring32> result = prepare(net, a, b, walk, parties);
    if (count) *count = atService ? a.seen().size() : b.seen().size();
    return result.ended.first && result.ended.second;
  };
  for (const bool atService : {true, false}) {
    std::size_t messages = 0;
    EXPECT_TRUE(run(~std::size_t{0}, atService, &messages));
    for (std::size_t i = 0; i < messages; ++i)
      run(i, atService, nullptr);
  }
}

TEST(TwoPartyNetwork, PeerThatLeavesEndsTheSession) {
  const Perceptron<Ring32> net({8, 20, 2});
  for (const std::size_t leaveAt : {0, 2, 5}) {
    TwoParties parties;
    TamperingConnection a(*parties.a, [&](std::size_t number, SeenMessage &) {
      if (number == leaveAt) parties.a->close("leaving");
    });
    ThreadPool pool(1);
    ProgramMaskWalk<Ring32> walk(net.builder.program(), net.plan, pool);
    const Prepared<Ring32> result = prepare(net, a, *parties.b, walk, parties);
    EXPECT_FALSE(result.ended.first) << leaveAt;
    EXPECT_FALSE(result.ended.second) << leaveAt;
  }
}

} // namespace
} // namespace sd
