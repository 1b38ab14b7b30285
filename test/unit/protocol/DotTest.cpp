// Products of matrices: exact in the ring, at the declared cost, and uniform to each party.
#include "test/unit/protocol/ProtocolFixture.h"

namespace sd {
namespace {

using namespace test;

template <RingWord R>
PlanEntry dotEntry(std::int64_t batch, std::int64_t rows, std::int64_t columns, std::int64_t length) {
  PlanEntry entry;
  entry.kind = EntryKind::Dot;
  entry.dot = {batch, rows, columns, length, kBitsOf<R>};
  entry.elements = static_cast<std::uint64_t>(entry.dot.result());
  return entry;
}

template <RingWord R>
std::vector<R> randomWords(std::size_t n, std::uint64_t seed) {
  std::mt19937_64 generator(seed);
  std::vector<R> words(n);
  for (R &word : words)
    word = static_cast<R>(generator());
  return words;
}

template <RingWord R>
std::vector<R> expected(const DotShape &shape, const std::vector<R> &x, const std::vector<R> &y) {
  std::vector<R> result(static_cast<std::size_t>(shape.result()));
  for (std::int64_t b = 0; b < shape.batch; ++b)
    for (std::int64_t m = 0; m < shape.rows; ++m)
      for (std::int64_t n = 0; n < shape.columns; ++n)
        for (std::int64_t k = 0; k < shape.length; ++k)
          result[(b * shape.rows + m) * shape.columns + n] +=
              x[(b * shape.rows + m) * shape.length + k] * y[(b * shape.columns + n) * shape.length + k];
  return result;
}

template <class R>
class Dot : public testing::Test {};
TYPED_TEST_SUITE(Dot, Rings);

TYPED_TEST(Dot, isExactInTheRing) {
  using R = TypeParam;
  ThreadPool pool(2);
  for (const PlanEntry &entry : {dotEntry<R>(1, 1, 1, 1), dotEntry<R>(3, 2, 5, 4), dotEntry<R>(1, 17, 9, 33),
                                 dotEntry<R>(2, 1, 70, 3), dotEntry<R>(1, 70, 1, 129)}) {
    auto x = randomWords<R>(entry.left(), 1), y = randomWords<R>(entry.right(), 2);
    x[0] = R{1} << (kBitsOf<R> - 1);
    y[0] = ~R{0};
    for (ThreadPool *threads : {static_cast<ThreadPool *>(nullptr), &pool}) {
      const auto run = runEntry<R>(entry, {x, y}, 700, threads);
      EXPECT_EQ(run.result, expected(entry.dot, x, y));
      EXPECT_EQ(run.messages[0].size(), sizeof(R) * (x.size() + y.size()));
      EXPECT_EQ(run.messages[1].size(), sizeof(R) * entry.elements);
    }
  }
}

TYPED_TEST(Dot, materialOfAnotherShapeIsRefused) {
  using R = TypeParam;
  const PlanEntry entry = dotEntry<R>(1, 4, 6, 5), other = dotEntry<R>(1, 6, 4, 5);
  const std::vector<R> r(entry.left(), 1), s(entry.right(), 2);
  const Plan plan = planOf<R>({other});
  const Dealt<R> dealt = deal<R>(entry, {r, s}, 4);
  EXPECT_FALSE(fits(dealt.service, other));
  EXPECT_FALSE(fits(dealt.client, other));
  ServiceBundle<R> bundle(plan);
  EXPECT_FALSE(bundle.put(0, deal<R>(entry, {r, s}, 4).service));
}

TYPED_TEST(Dot, spentMaterialIsRefused) {
  using R = TypeParam;
  const PlanEntry entry = dotEntry<R>(1, 2, 2, 2);
  const Plan plan = planOf<R>({entry});
  const std::vector<R> r(4, 1);
  Dealt<R> dealt = deal<R>(entry, {r, r}, 4);
  ServiceBundle<R> bundle(plan);
  ASSERT_TRUE(bundle.put(0, std::move(dealt.service)));
  const auto x = masked(r, r);
  const std::vector<const MaskedTensor<R> *> operands{&x, &x};
  ASSERT_TRUE(makeServiceOp<R>(plan, 0, bundle, operands, nullptr));
  EXPECT_FALSE(makeServiceOp<R>(plan, 0, bundle, operands, nullptr));
}

TYPED_TEST(Dot, materialPacksToTheBit) {
  using R = TypeParam;
  const PlanEntry entry = dotEntry<R>(2, 3, 5, 7);
  const Dealt<R> dealt = deal<R>(entry, {std::vector<R>(entry.left(), 7), std::vector<R>(entry.right(), 9)}, 3);
  const auto service = pack(dealt.service, entry);
  const auto client = pack(dealt.client, entry);
  EXPECT_EQ(service.size(), sizeof(R) * (entry.left() + entry.right() + entry.elements));
  EXPECT_EQ(client.size(), sizeof(R) * (entry.left() + entry.right() + 2 * entry.elements));
  const auto again = unpack<ClientMaterial<R>>(client.span(), entry);
  ASSERT_TRUE(again && fits(*again, entry));
  EXPECT_TRUE(std::ranges::equal(pack(*again, entry).span(), client.span()));
}

// Ones of each bit of the words of a message, in deviations: more than 7 has odds of 2^-38 for each.
template <RingWord R>
void expectUniform(std::span<const std::uint8_t> message, const std::string &where) {
  const std::size_t n = message.size() / sizeof(R);
  for (std::size_t bit = 0; bit < 8 * sizeof(R); ++bit) {
    double ones = 0;
    for (std::size_t i = 0; i < n; ++i)
      ones += message[i * sizeof(R) + bit / 8] >> (bit % 8) & 1;
    EXPECT_LT(std::abs(ones - static_cast<double>(n) / 2), 7 * std::sqrt(static_cast<double>(n)) / 2)
        << where << ", bit " << bit;
  }
}

// The masks of the operands are all zero, so P0 holds the plain values, and they are constant: a message has no
// randomness but its own.
TYPED_TEST(Dot, messagesAreUniformToWhoKnowsTheOperands) {
  using R = TypeParam;
  const PlanEntry entry = dotEntry<R>(2, 40, 50, 30);
  const std::vector<R> r(entry.left(), 0), s(entry.right(), 0);
  for (const R value : {R{0}, R{1} << 20, R{0} - 1}) {
    const auto run = [&](std::uint64_t seed) {
      Dealt<R> dealt = deal<R>(entry, {r, s}, seed);
      const Plan plan = planOf<R>({entry});
      ServiceBundle<R> serviceBundle(plan);
      ClientBundle<R> clientBundle(plan);
      EXPECT_TRUE(serviceBundle.put(0, std::move(dealt.service)));
      EXPECT_TRUE(clientBundle.put(0, std::move(dealt.client)));
      const auto x = masked(std::vector<R>(r.size(), value), r), y = masked(std::vector<R>(s.size(), value), s);
      auto service = makeServiceOp<R>(plan, 0, serviceBundle, std::vector<const MaskedTensor<R> *>{&x, &y}, nullptr);
      auto client = makeClientOp<R>(plan, 0, clientBundle, {}, nullptr);
      Messages messages = passMessages(**service, **client);
      const MaskedTensor<R> result = (*service)->takeResult();
      const auto *bytes = reinterpret_cast<const std::uint8_t *>(result.span().data());
      messages.emplace_back(bytes, bytes + result.span().size_bytes());
      return messages;
    };
    const Messages one = run(5), other = run(6);
    const std::size_t left = sizeof(R) * entry.left();
    expectUniform<R>(std::span(one[0]).first(left), "X + alpha");
    expectUniform<R>(std::span(one[0]).subspan(left), "Y + beta");
    expectUniform<R>(one[1], "the hospital's answer");
    expectUniform<R>(one[2], "the service's result");
    for (std::size_t k = 0; k < one.size(); ++k) {
      std::size_t equal = 0;
      for (std::size_t i = 0; i + sizeof(R) <= one[k].size(); i += sizeof(R))
        equal += std::equal(&one[k][i], &one[k][i] + sizeof(R), &other[k][i]);
      EXPECT_LE(equal, 2U) << k; // of 5400 words: more than 2 equal ones by chance has odds below 2^-60
    }
  }
}

} // namespace
} // namespace sd
