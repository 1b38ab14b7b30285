// Linear correlations by oblivious transfer: the choice, the correlation against the op's reference, the declared cost
// against the transport's count.
#include "runtime/offline/LinearTransfers.h"

#include <gtest/gtest.h>

#include <map>

#include "ir/core/ReferenceLinear.h"
#include "runtime/offline/TwoParty.h"
#include "test/unit/ot/TwoParties.h"
#include "test/unit/vm/Programs.h"

namespace sd {
namespace {

struct Layer {
  OpKind op;
  Shape x, w;
  Attrs attrs;
};

Layer conv(Shape x, Shape w, std::int64_t stride, std::int64_t dilation, std::int64_t pad, std::int64_t group) {
  using Ints = std::vector<std::int64_t>;
  return {OpKind::ShareConv,
          std::move(x),
          std::move(w),
          {{Attr::Strides, Ints{stride, stride}},
           {Attr::Pads, Ints{pad, 0, pad, pad}},
           {Attr::Dilations, Ints{dilation, dilation}},
           {Attr::Group, group}}};
}

// One linear layer between input and output.
struct Network {
  test::ProgramBuilder<Ring32> builder;
  Plan plan;
  std::size_t entry = 0; // the linear one

  explicit Network(const Layer &layer, int weightBits = 31) {
    const SlotId x = builder.add(OpKind::ShareInput, {builder.input("x", layer.x)}, {}, Type::share(layer.x, 10));
    const SlotId w = builder.weights(layer.w, 10, 7, weightBits);
    builder.add(OpKind::ShareOutput, {builder.add(layer.op, {x, w}, layer.attrs)});
    auto made = makePlan(builder.program());
    EXPECT_TRUE(made);
    plan = std::move(*made);
    while (plan.entries[entry].kind != EntryKind::Linear)
      ++entry;
  }
  const Instruction &instruction() const { return builder.program().instructions[plan.entries[entry].instruction]; }
};

// Gives the linear entry a mask of the test's making.
class GivenWalk final : public MaskWalk<Ring32> {
public:
  GivenWalk(std::size_t linear, std::span<const Ring32> r) : linear_(linear), r_(r) {}
  Expected<void> announce(std::size_t entry, std::span<const Ring32> mask) override {
    announced[entry] = std::vector<Ring32>(mask.begin(), mask.end());
    return {};
  }
  bool ready(std::size_t) const override { return true; }
  Expected<SecretVector<Ring32>> operand(std::size_t entry, int) override {
    const std::span<const Ring32> from = entry == linear_ ? r_ : std::span<const Ring32>(announced.at(linear_));
    SecretVector<Ring32> copy(from.size());
    std::ranges::copy(from, copy.span().begin());
    return copy;
  }
  std::map<std::size_t, std::vector<Ring32>> announced;

private:
  std::size_t linear_;
  std::span<const Ring32> r_;
};

Seed seedOf(std::uint8_t first) { return Seed(std::array<std::uint8_t, 16>{first}); }

// Two inferences of one session.
void checkLayer(Network &net, bool extreme) {
  ASSERT_TRUE(net.plan.entries[net.entry].transfers);
  const Instruction &instruction = net.instruction();
  auto &weights = const_cast<WeightSet<Ring32> &>(net.builder.weightSet()).tensors[0];
  constexpr std::int32_t kExtremes[] = {INT32_MIN, INT32_MAX, -1, 0, 1};
  if (extreme)
    for (std::size_t i = 0; i < weights.data.size(); ++i)
      weights.data[i] = kExtremes[i % 5];
  Tensor<Ring32> r(net.builder.program().slots[instruction.operands[0]].shape), w(weights.shape);
  std::ranges::transform(weights.data, w.data.begin(), [](std::int32_t v) { return static_cast<Ring32>(v); });
  Prg prg = testPrg("r");
  TwoParties parties;
  TwoPartyService<Ring32> service{{*parties.a, seedOf(1)}};
  TwoPartyClient<Ring32> client{{*parties.b, seedOf(2)}};
  for (std::uint8_t inference = 0; inference < 2; ++inference) {
    prg.fill(std::span(r.data));
    if (extreme)
      for (std::size_t i = 0; i < r.data.size(); ++i)
        r.data[i] = static_cast<Ring32>(kExtremes[(i + inference) % 5]);
    GivenWalk walk(net.entry, r.data);
    const TwoPartyCost cost = service.bitCost(net.plan);
    EXPECT_EQ(cost, client.bitCost(net.plan));
    const Traffic before = parties.a->traffic();
    std::optional<ServiceBundle<Ring32>> bundle;
    parties.run(
        [&](Connection &) -> Expected<void> {
          SD_ASSIGN(bundle, prepareService(service, {net.builder.program(), net.plan, seedOf(3 + inference), nullptr},
                                           net.builder.weightSet()));
          return {};
        },
        [&](Connection &) -> Expected<void> {
          SD_TRY(prepareClient(client, {net.builder.program(), net.plan, seedOf(13 + inference), nullptr}, walk));
          return {};
        });
    ASSERT_TRUE(bundle);
    const Traffic used = parties.a->traffic() - before;
    EXPECT_EQ(used.bytesSent, cost.bytesFromP0);
    EXPECT_EQ(used.bytesReceived, cost.bytesFromP1);
    EXPECT_EQ(used.messagesSent, cost.messagesFromP0);
    EXPECT_EQ(used.messagesReceived, cost.messagesFromP1);
    const Tensor<Ring32> *operands[] = {&r, &w};
    const auto expected = reference::evaluateLinear<Ring32>(instruction.op, operands, instruction.attrs,
                                                            net.builder.program().slots[instruction.result].shape);
    const auto u = *bundle->take<LinearMaterial<Ring32>>(net.entry);
    const auto &v = walk.announced.at(net.entry);
    ASSERT_EQ(expected.data.size(), v.size());
    for (std::size_t o = 0; o < v.size(); ++o)
      ASSERT_EQ(u.u[o] + v[o], expected.data[o]) << o;
  }
}

class EveryLayer : public testing::TestWithParam<Layer> {};

TEST_P(EveryLayer, CorrelatesWithTheDeclaredTraffic) {
  Network net(GetParam());
  checkLayer(net, false);
}

TEST_P(EveryLayer, CorrelatesAtTheEdgesOfTheRing) {
  Network net(GetParam());
  checkLayer(net, true);
}

INSTANTIATE_TEST_SUITE_P(
    LinearTransfers, EveryLayer,
    testing::Values(Layer{OpKind::ShareMatMul, {1, 1}, {1, 1}, {}}, Layer{OpKind::ShareMatMul, {1, 30}, {30, 16}, {}},
                    Layer{OpKind::ShareMatMul, {3, 5}, {5, 4}, {}}, Layer{OpKind::ShareMatMul, {1, 140}, {140, 2}, {}},
                    Layer{OpKind::ShareScale, {1, 200}, {200}, {}},
                    Layer{OpKind::ShareScale, {1, 3, 4, 4}, {3, 1, 1}, {}},
                    conv({1, 2, 5, 5}, {2, 2, 3, 3}, 1, 1, 1, 1), conv({1, 4, 6, 6}, {4, 1, 3, 3}, 2, 1, 1, 4),
                    conv({2, 2, 5, 7}, {2, 1, 2, 2}, 1, 2, 0, 2), conv({1, 1, 5, 5}, {1, 1, 1, 1}, 3, 1, 0, 1)));

// The transfers themselves, over either ring: weights and masks at its edges, each message of the declared size.
template <class R>
struct Transfers : testing::Test {};
using Rings = testing::Types<Ring32, Ring64>;
TYPED_TEST_SUITE(Transfers, Rings);

TYPED_TEST(Transfers, CorrelateAtTheEdgesOfTheRing) {
  using R = TypeParam;
  using Signed = SignedOf<R>;
  constexpr Signed kEdges[] = {std::numeric_limits<Signed>::min(),      std::numeric_limits<Signed>::max(), -1, 0, 1,
                               static_cast<Signed>(0x9e3779b97f4a7c15U)};
  const Layer layer = conv({1, 2, 5, 6}, {6, 1, 3, 3}, 2, 1, 1, 2);
  const Type operands[] = {Type::share(layer.x, 10), Type::weight(layer.w, 10)};
  const Shape y{1, 6, 3, 3};
  const LinearGeometry geometry = linearGeometry(layer.op, operands, layer.attrs, Type::share(y, 20), kBitsOf<R>);
  const TransferCost cost = transferCost(geometry);
  const LinearTaps taps = linearTaps(geometry);
  std::vector<R> r(elementCount(layer.x));
  std::vector<Signed> weights(elementCount(layer.w));
  for (std::size_t i = 0; i < r.size(); ++i)
    r[i] = static_cast<R>(kEdges[i % 6]);
  for (std::size_t i = 0; i < weights.size(); ++i)
    weights[i] = kEdges[i * 5 % 6];
  std::vector<R> u(elementCount(y)), v(u.size());
  TwoParties parties;
  Traffic traffic;
  parties.run(
      [&](Connection &c) -> Expected<void> {
        SD_ASSIGN(const auto cot, CotSender::create(c.stream(1), testPrg("sender")));
        PadSender pads(*cot);
        SD_ASSIGN(SenderSeeds seeds, gatherSeeds<R>(pads, cost.inputs));
        const Traffic before = c.traffic();
        SD_TRY(answerTransfers<R>(c.stream(2), taps, weights, std::move(seeds), u));
        traffic = c.traffic() - before;
        return {};
      },
      [&](Connection &c) -> Expected<void> {
        SD_ASSIGN(const auto cot, CotReceiver::create(c.stream(1), testPrg("receiver")));
        PadReceiver pads(*cot);
        SD_ASSIGN(ReceiverSeeds<R> seeds, gatherSeeds<R>(pads, cost.inputs));
        SD_TRY(sendTransferChoices<R>(c.stream(2), r, seeds));
        return collectTransfers<R>(c.stream(2), taps, seeds, v);
      });
  std::vector<R> expected(v.size());
  for (const LinearTap &tap : taps.taps) // which EveryLayer holds against the op's reference
    expected[tap.output] += static_cast<R>(weights[tap.weight]) * r[tap.input];
  for (std::size_t o = 0; o < v.size(); ++o)
    ASSERT_EQ(static_cast<R>(u[o] + v[o]), expected[o]) << o;
  EXPECT_EQ(traffic.bytesSent, cost.bytesDown() + kFrameHeaderBytes);
  EXPECT_EQ(cost.bytesUp(), sizeof(R) * r.size());
  EXPECT_EQ(cost.ots(), kBitsOf<R> * r.size());
}

LinearGeometry matMul(std::int64_t in, std::int64_t out) {
  const Type operands[] = {Type::share({1, in}, 10), Type::weight({in, out}, 10)};
  return linearGeometry(OpKind::ShareMatMul, operands, {}, Type::share({1, out}, 20), kBitsOf<Ring32>);
}

TEST(LinearTransfers, AreChosenWhereTheyAreCheaper) {
  const std::vector<LinearGeometry> layers{matMul(30, 16), matMul(784, 128), matMul(16, 2)};
  const auto chosen = chooseTransfers(layers);
  EXPECT_EQ(chosen[0], (TransferCost{30, 480, 32}));
  EXPECT_FALSE(chosen[1]);
  EXPECT_EQ(chosen[2], (TransferCost{16, 32, 32}));
}

// Dearer than RLWE, cheaper than RLWE with its key.
TEST(LinearTransfers, SparingTheKeyMayTip) {
  const LinearGeometry middle = matMul(40, 35);
  const TransferCost cost = transferCost(middle);
  const PackingCost packed = packingCost(middle, choosePacking(middle));
  const auto rlwe = static_cast<std::uint64_t>(packed.bytesUp + packed.bytesDown);
  ASSERT_GT(cost.bytes(), rlwe);
  ASSERT_LT(cost.bytes(), rlwe + rlweKeyBytes(32));
  const std::vector<LinearGeometry> alone{middle, matMul(16, 2)}, besideALarge{middle, matMul(784, 128)};
  EXPECT_EQ(chooseTransfers(alone)[0], cost);
  EXPECT_FALSE(chooseTransfers(besideALarge)[0]);
}

} // namespace
} // namespace sd
