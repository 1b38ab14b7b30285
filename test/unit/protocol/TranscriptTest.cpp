// What each party sees is uniform, whatever the values: inputs, masks' consequences and results are fixed at extremes,
// and only the randomness of the correlations varies.
//
// Monobit: z = |ones - n/2| / sqrt(n/4) over n bits; chi-square over the 256 bytes of all messages to a party, and
// over every bit position of an element. A fair source passes kZ = 6 but for odds of 2e-9 a test and 3e-4 in all;
// chi-square with 255 degrees of freedom exceeds 400 at odds of 1e-8. Seeds are fixed: a run that passes always does.
#include <bit>
#include <cmath>

#include "test/unit/protocol/ProtocolFixture.h"

namespace sd {
namespace {

using namespace test;

constexpr double kZ = 6, kChiSquare = 400;

double deviationOf(std::uint64_t ones, std::uint64_t bits) {
  return std::abs(static_cast<double>(ones) - 0.5 * static_cast<double>(bits)) /
         std::sqrt(0.25 * static_cast<double>(bits));
}

double chiSquare(const std::vector<std::uint8_t> &bytes) {
  std::array<double, 256> counts{};
  for (const std::uint8_t byte : bytes)
    ++counts[byte];
  const double expected = static_cast<double>(bytes.size()) / 256;
  double sum = 0;
  for (const double count : counts)
    sum += (count - expected) * (count - expected) / expected;
  return sum;
}

// Each bit of each message as a stream of its own over the elements: planes one by one, words bit by bit.
template <RingWord R>
void checkMessage(const std::vector<std::uint8_t> &message, std::size_t n, std::size_t words,
                  const std::string &where) {
  for (std::size_t w = 0; w < words; ++w)
    for (int bit = 0; bit < kBitsOf<R>; ++bit) {
      std::uint64_t ones = 0;
      for (std::size_t i = 0; i < n; ++i)
        ones += message[sizeof(R) * (w * n + i) + bit / 8] >> (bit % 8) & 1;
      EXPECT_LT(deviationOf(ones, n), kZ) << where << ", word " << w << ", bit " << bit;
    }
  const std::size_t first = sizeof(R) * n * words, planes = (message.size() - first) * 8 / n;
  for (std::size_t plane = 0; plane < planes; ++plane) {
    std::uint64_t ones = 0;
    for (std::size_t k = plane * n; k < (plane + 1) * n; ++k)
      ones += message[first + k / 8] >> (k % 8) & 1;
    EXPECT_LT(deviationOf(ones, n), kZ) << where << ", plane " << plane;
  }
  if (message.size() >= 4096) {
    EXPECT_LT(chiSquare(message), kChiSquare) << where;
  }
}

constexpr std::size_t kCount = 1 << 14; // a multiple of 8: planes begin at bytes

struct View {
  EntryKind kind;
  CompareShape shape;
  std::vector<std::size_t> words; // leading words an element of each message
};

// The messages of one entry on values under masks of the test's choice; none if it could not be made.
template <class R>
Messages messagesUnder(const PlanEntry &entry, const std::vector<R> &values, const std::vector<R> &masks,
                       std::uint64_t seed) {
  Dealt<R> dealt = deal<R>(entry, {masks}, seed);
  const auto y = masked(values, masks);
  const Plan plan = planOf<R>({entry});
  ServiceBundle<R> serviceBundle(plan);
  ClientBundle<R> clientBundle(plan);
  if (!serviceBundle.put(0, std::move(dealt.service)) || !clientBundle.put(0, std::move(dealt.client))) return {};
  auto service = makeServiceOp<R>(plan, 0, serviceBundle, std::vector<const MaskedTensor<R> *>{&y}, nullptr);
  auto client = makeClientOp<R>(plan, 0, clientBundle, {}, nullptr);
  if (!service || !client) return {};
  return passMessages(**service, **client);
}

template <class R>
class Transcripts : public testing::Test {};
TYPED_TEST_SUITE(Transcripts, Rings);

TYPED_TEST(Transcripts, areUniform) {
  using R = TypeParam;
  constexpr int kBound = kBoundBitsOf<R>;
  constexpr R kEdge = (R{1} << kBound) - 1024;
  for (const R extreme : {R{0}, R{1}, ~R{0}, kEdge, R{0} - kEdge})
    for (const View &view :
         {View{EntryKind::Compare, evenShape(10, 30, 3, 3), {1, 0, 0, 1}},
          View{EntryKind::Compare, evenShape(10, 30, 4, 3), {1, 0, 0, 1}},
          View{EntryKind::Compare, evenShape(0, 30, 2, 4), {1, 0, 0, 1}},
          View{EntryKind::Compare, evenShape(10, 30, 1, 2), {1, 0, 0, 0, 0, 1}},
          View{EntryKind::Truncate, standardShape(10, kBound, false), {0, 0, 0, 1}},
          View{EntryKind::Truncate, standardShape(3, kBound, false), {0, 1}},
          View{EntryKind::Maximum, evenShape(0, 30, 3, 4), {1, 0, 0, 1}}, View{EntryKind::Product, {}, {2, 1}}}) {
      const PlanEntry entry = entryOf(view.kind, kCount, view.shape);
      std::vector operands{std::vector<R>(kCount, extreme), std::vector<R>(kCount, 0)};
      operands.resize(static_cast<std::size_t>(entry.operands()));
      const auto run = runEntry<R>(entry, operands, 4242);
      ASSERT_EQ(run.messages.size(), view.words.size()) << view.shape.truncation;
      for (std::size_t k = 0; k < run.messages.size(); ++k)
        checkMessage<R>(
            run.messages[k], kCount, view.words[k],
            fmt::format("kind {}, t {}, message {}", static_cast<int>(view.kind), view.shape.truncation, k));
    }
}

// P1's messages say nothing about its masks either: here all of them are zero, so that P0 holds the plain values.
TYPED_TEST(Transcripts, hideTheMasks) {
  using R = TypeParam;
  const PlanEntry entry = entryOf(EntryKind::Compare, kCount, evenShape(10, 30, 3, 3));
  const std::vector<R> zero(kCount, 0), values(kCount, 1 << 20);
  const Messages messages = messagesUnder<R>(entry, values, zero, 5);
  ASSERT_EQ(messages.size(), 4u);
  checkMessage<R>(messages[1], kCount, 0, "message 1");
  checkMessage<R>(messages[3], kCount, 1, "message 3");
}

// A plane of the first `n` elements' bits for each bit of a message.
template <RingWord R>
std::vector<std::vector<std::uint64_t>> planesOf(const std::vector<std::uint8_t> &message, std::size_t n,
                                                 std::size_t words) {
  std::vector<std::vector<std::uint64_t>> planes;
  const auto add = [&](auto bitOf) {
    auto &plane = planes.emplace_back(n / 64);
    for (std::size_t i = 0; i < n; ++i)
      plane[i / 64] |= std::uint64_t{bitOf(i)} << (i % 64);
  };
  for (std::size_t bit = 0; bit < words * kBitsOf<R>; ++bit)
    add([&](std::size_t i) { return message[sizeof(R) * i + bit / 8] >> (bit % 8) & 1u; });
  const std::size_t first = sizeof(R) * n * words, count = (message.size() - first) * 8 / n;
  for (std::size_t plane = 0; plane < count; ++plane)
    add([&](std::size_t i) {
      const std::size_t at = plane * n + i;
      return message[first + at / 8] >> (at % 8) & 1u;
    });
  return planes;
}

// The hospital knows its masks, and how y + r carries below bit t would tell it y's low bits. What it sees does not:
// no bit that the service sends, by itself or added to one of its own, agrees with the carry, nor with whether y was
// rounded up, nor with its sign, more often than a coin.
TYPED_TEST(Transcripts, doNotShowHowAValueIsRounded) {
  using R = TypeParam;
  constexpr int kT = 10;
  for (const EntryKind kind : {EntryKind::Compare, EntryKind::Truncate}) {
    const PlanEntry entry = entryOf(kind, kCount, standardShape(kT, 30, kind == EntryKind::Compare));
    std::vector<R> values(kCount), r(kCount);
    std::mt19937_64 generator(77);
    for (std::size_t i = 0; i < kCount; ++i) {
      values[i] = static_cast<R>(static_cast<std::int64_t>(generator() % (1u << 25)) - (1 << 24));
      r[i] = static_cast<R>(generator());
    }
    std::vector<std::vector<std::uint64_t>> secrets(3, std::vector<std::uint64_t>(kCount / 64));
    for (std::size_t i = 0; i < kCount; ++i) {
      const R low = (R{1} << kT) - 1, own = (values[i] - r[i] + (R{1} << (kT - 1))) & low;
      const bool bits[] = {own + (r[i] & low) > low, (values[i] >> (kT - 1) & 1) != 0,
                           static_cast<SignedOf<R>>(values[i]) < 0};
      for (std::size_t k = 0; k < 3; ++k)
        secrets[k][i / 64] |= std::uint64_t{bits[k]} << (i % 64);
    }
    const Messages messages = messagesUnder<R>(entry, values, r, 6);
    ASSERT_EQ(messages.size(), 4u);
    std::vector<std::vector<std::uint64_t>> seen, own{std::vector<std::uint64_t>(kCount / 64)};
    for (std::size_t k = 0; k < messages.size(); ++k) {
      const bool words = k + 1 == messages.size() || (k == 0 && kind == EntryKind::Compare);
      auto planes = planesOf<R>(messages[k], kCount, words ? 1 : 0);
      std::ranges::move(planes, std::back_inserter(k % 2 ? own : seen));
    }
    for (std::size_t s = 0; s < seen.size(); ++s)
      for (std::size_t o = 0; o < own.size(); ++o)
        for (std::size_t k = 0; k < secrets.size(); ++k) {
          std::uint64_t agreeing = 0;
          for (std::size_t w = 0; w < kCount / 64; ++w)
            agreeing += static_cast<std::uint64_t>(std::popcount(~(seen[s][w] ^ own[o][w] ^ secrets[k][w])));
          ASSERT_LT(deviationOf(agreeing, kCount), kZ) << "bit " << s << " seen, " << o << " own, secret " << k;
        }
  }
}

// The test itself sees what it should: a masked bit stuck at 3 in 4, and a byte that comes too often.
TEST(TranscriptTests, biasWouldBeSeen) {
  EXPECT_GT(deviationOf(3 * kCount / 4, kCount), kZ);
  std::mt19937 generator(1);
  std::vector<std::uint8_t> bytes(1 << 16);
  for (auto &byte : bytes)
    byte = static_cast<std::uint8_t>(generator() % 9 ? generator() : 0);
  EXPECT_GT(chiSquare(bytes), kChiSquare);
}

} // namespace
} // namespace sd
