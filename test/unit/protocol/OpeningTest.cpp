// What a party can make of its view and its material together. Each opened wire, without the own part of its mask, must
// still be hidden by the other's part, and two wires by two different parts; and to whoever knows all masks of the
// values the other's messages, and to P0 its results, must be uniform words.
//
// Agreement of two bit vectors of kCount elements with 7 deviations of a coin: odds of a false alarm below 3e-12 for
// each of some 60,000 comparisons. Seeds are fixed: a run that passes always does.
#include <cstring>

#include "test/unit/protocol/Planes.h"
#include "test/unit/protocol/ProtocolFixture.h"

namespace sd {
namespace {

using namespace test;

constexpr std::size_t kCount = 1 << 13, kPlane = kCount / 64;
template <class Bit>
Plane planeOf(const Bit &bit) {
  Plane plane(kPlane);
  for (std::size_t i = 0; i < kCount; ++i)
    plane[i / 64] |= std::uint64_t{bit(i)} << (i % 64);
  return plane;
}

// The planes behind the words of a message.
std::vector<Plane> planesBehind(const std::vector<std::uint8_t> &message, std::size_t wordBytes) {
  std::vector<Plane> all;
  for (std::size_t at = wordBytes; at + kCount / 8 <= message.size(); at += kCount / 8) {
    Plane &plane = all.emplace_back(kPlane);
    std::memcpy(plane.data(), message.data() + at, kCount / 8);
  }
  return all;
}

template <RingWord R>
struct Views {
  Messages messages;
  std::vector<R> result;                   // P0's
  std::array<std::vector<Plane>, 2> masks; // of either party: wires', then results'
};

template <RingWord R>
Views<R> runUnder(const PlanEntry &entry, const std::vector<std::vector<R>> &values,
                  const std::vector<std::vector<R>> &masks, std::uint64_t seed) {
  Dealt<R> dealt = deal<R>(entry, masks, seed);
  Views<R> views;
  const auto keep = [](std::vector<Plane> &to, const auto &material) {
    addPlanes(material.masks, to);
    addPlanes(material.ends, to);
  };
  if (const auto *service = std::get_if<CompareService<R>>(&dealt.service)) keep(views.masks[0], *service);
  if (const auto *client = std::get_if<CompareClient<R>>(&dealt.client)) keep(views.masks[1], *client);
  std::vector<MaskedTensor<R>> operands;
  std::vector<const MaskedTensor<R> *> pointers;
  for (std::size_t k = 0; k < values.size(); ++k)
    operands.push_back(masked(values[k], masks[k]));
  for (const auto &operand : operands)
    pointers.push_back(&operand);
  const Plan plan = planOf<R>({entry});
  ServiceBundle<R> serviceBundle(plan);
  ClientBundle<R> clientBundle(plan);
  EXPECT_TRUE(serviceBundle.put(0, std::move(dealt.service)));
  EXPECT_TRUE(clientBundle.put(0, std::move(dealt.client)));
  auto service = makeServiceOp<R>(plan, 0, serviceBundle, pointers, nullptr);
  auto client = makeClientOp<R>(plan, 0, clientBundle, {}, nullptr);
  EXPECT_TRUE(service && client);
  views.messages = passMessages(**service, **client);
  const MaskedTensor<R> result = (*service)->takeResult();
  views.result.assign(result.span().begin(), result.span().end());
  return views;
}

// What each wire and result of the tree is, in the order in which they are opened, for values y under masks r.
template <RingWord R>
std::vector<Plane> wiresInTheClear(const CompareShape &shape, const std::vector<R> &y, const std::vector<R> &r) {
  const CompareTree tree = shape.tree();
  const int bound = shape.selects ? shape.bound : kBoundBitsOf<R>;
  const R offset = (R{1} << bound) + (shape.truncation ? R{1} << (shape.truncation - 1) : 0);
  const auto own = [&](std::size_t i) { return static_cast<R>(y[i] - r[i] + offset); };
  std::vector<Plane> planes(2 * tree.digits.size());
  for (std::size_t d = 0; d < tree.digits.size(); ++d) {
    const auto &digit = tree.digits[d];
    const auto cut = [&](R word) { return word >> digit.firstBit & ((R{1} << digit.bits) - 1); };
    planes[2 * d] = planeOf([&](std::size_t i) { return cut(own(i)) > cut(static_cast<R>(~r[i])); });
    planes[2 * d + 1] = planeOf([&](std::size_t i) { return cut(own(i)) == cut(static_cast<R>(~r[i])); });
  }
  if (shape.selects) {
    Plane &highest = planes[2 * tree.digits.size() - 2];
    highest = highest ^ planeOf([&](std::size_t i) { return ((own(i) ^ r[i]) >> bound & 1) != 0; });
  }
  std::vector<Plane> opened;
  for (const auto &level : tree.levels) {
    std::vector<Plane> wires;
    for (const int wire : level.wires)
      wires.push_back(planes[static_cast<std::size_t>(wire)]);
    for (const auto &result : level.results) {
      Plane value(kPlane);
      if (result.from >= 0) value = planes[static_cast<std::size_t>(result.from)];
      for (const auto &term : result.terms) {
        Plane product(kPlane, ~std::uint64_t{0});
        for (const int wire : term.wires)
          for (std::size_t w = 0; w < kPlane; ++w)
            product[w] &= wires[static_cast<std::size_t>(wire)][w];
        value = value ^ product;
      }
      planes[static_cast<std::size_t>(result.plane)] = value;
    }
    std::ranges::move(wires, std::back_inserter(opened));
  }
  for (int k = 0; k < tree.results; ++k)
    opened.push_back(planes[static_cast<std::size_t>(k)]);
  return opened;
}

// A party's parts of all wires and results, level by level, out of its messages.
template <RingWord R>
std::vector<Plane> partsOf(const CompareShape &shape, const Messages &messages, int party) {
  const CompareTree tree = shape.tree();
  const int end = static_cast<int>(tree.levels.size()) + 1;
  std::vector<Plane> parts;
  for (int level = 1; level <= end; ++level) {
    const auto planesAt = [&](int l) {
      return l < 1 || l > end ? 0 : l == end ? tree.results : tree.levels[static_cast<std::size_t>(l) - 1].wireCount();
    };
    const int k = level % 2 == party ? level : level - 1; // message k has the parts of levels k and k + 1
    const bool words = k + 1 == static_cast<int>(messages.size()) || (k == 0 && shape.selects);
    const auto planes = planesBehind(messages[static_cast<std::size_t>(k)], words ? kCount * sizeof(R) : 0);
    const int first = k == 0 ? tree.bits + shape.wraps() : level == k ? 0 : planesAt(k);
    for (int j = 0; j < planesAt(level); ++j)
      parts.push_back(planes.at(static_cast<std::size_t>(first + j)));
  }
  return parts;
}

template <RingWord R>
std::vector<R> randomWords(std::uint64_t seed, int magnitude) {
  std::mt19937_64 generator(seed);
  std::vector<R> words(kCount);
  for (R &word : words)
    word = static_cast<R>(magnitude ? static_cast<std::int64_t>(generator() >> (64 - magnitude)) -
                                          (std::int64_t{1} << (magnitude - 1))
                                    : static_cast<std::int64_t>(generator()));
  return words;
}

template <class R>
class Openings : public testing::Test {};
TYPED_TEST_SUITE(Openings, Rings);

TYPED_TEST(Openings, keepTheOthersMask) {
  using R = TypeParam;
  for (const auto &[kind, shape] :
       {std::pair{EntryKind::Compare, standardShape(10, 30)}, std::pair{EntryKind::Compare, evenShape(10, 30, 3, 3)},
        std::pair{EntryKind::Compare, evenShape(10, 30, 1, 2)}, std::pair{EntryKind::Compare, evenShape(0, 30, 2, 4)},
        std::pair{EntryKind::Truncate, standardShape(10, kBoundBitsOf<R>, false)}}) {
    const PlanEntry entry = entryOf(kind, kCount, shape);
    const auto values = randomWords<R>(1, 30), r = randomWords<R>(2, 0);
    const Views<R> views = runUnder<R>(entry, {values}, {r}, 3);
    const auto wires = wiresInTheClear<R>(shape, values, r);
    const std::array parts{partsOf<R>(shape, views.messages, 0), partsOf<R>(shape, views.messages, 1)};
    ASSERT_EQ(parts[0].size(), wires.size());
    ASSERT_EQ(parts[1].size(), wires.size());
    for (std::size_t k = 0; k < wires.size(); ++k) // the test knows what it looks at
      ASSERT_EQ(parts[0][k] ^ parts[1][k] ^ views.masks[0][k] ^ views.masks[1][k], wires[k]) << k;
    for (int party : {0, 1}) {
      std::vector<Plane> left; // each wire under what this party does not know of its mask: that mask, if all is well
      for (std::size_t k = 0; k < wires.size(); ++k)
        left.push_back(parts[0][k] ^ parts[1][k] ^ views.masks[static_cast<std::size_t>(party)][k] ^ wires[k]);
      for (std::size_t k = 0; k < wires.size(); ++k) {
        EXPECT_LT(deviation(left[k]), 7) << "party " << party << ", wire " << k;
        EXPECT_LT(deviation(left[k] ^ wires[k]), 7) << "party " << party << ", wire " << k;
        for (std::size_t j = 0; j < k; ++j)
          EXPECT_LT(deviation(left[k] ^ left[j]), 7) << "party " << party << ", wires " << j << " and " << k;
      }
    }
  }
}

template <RingWord R>
void expectUniform(const std::uint8_t *words, std::size_t stride, const std::string &where) {
  for (std::size_t bit = 0; bit < 8 * stride; ++bit)
    EXPECT_LT(deviation(planeOf([&](std::size_t i) { return (words[stride * i + bit / 8] >> (bit % 8) & 1) != 0; })), 7)
        << where << ", bit " << bit;
}

// All masks of the operands are zero, so P0 holds the plain values: whoever knows them would see through a message that
// has no randomness of its own.
TYPED_TEST(Openings, areUniformToWhoKnowsTheMasksOfTheValues) {
  using R = TypeParam;
  struct Case {
    EntryKind kind;
    CompareShape shape;
    std::vector<std::size_t> words; // leading words an element of each message
  };
  const std::vector<R> zero(kCount, 0);
  for (const Case &one :
       {Case{EntryKind::Compare, standardShape(10, 30), {1, 0, 0, 1}},
        Case{EntryKind::Compare, evenShape(0, 30, 2, 4), {1, 0, 0, 1}},
        Case{EntryKind::Truncate, standardShape(10, kBoundBitsOf<R>, false), {0, 0, 0, 1}},
        Case{EntryKind::Maximum, evenShape(0, 30, 3, 4), {1, 0, 0, 1}}, Case{EntryKind::Product, {}, {2, 1}}})
    for (const R value : {R{0}, R{1} << 20, R{0} - (R{1} << 20)}) {
      const PlanEntry entry = entryOf(one.kind, kCount, one.shape);
      const auto operands = static_cast<std::size_t>(entry.operands());
      std::vector<std::vector<R>> values(operands, std::vector<R>(kCount, value));
      if (operands == 2) values[1] = std::vector<R>(kCount, 3);
      const Views<R> views = runUnder<R>(entry, values, std::vector(operands, zero), 4);
      ASSERT_EQ(views.messages.size(), one.words.size());
      const std::string what = fmt::format("kind {}, value {}", static_cast<int>(one.kind), value);
      for (std::size_t k = 0; k < views.messages.size(); ++k) {
        const std::string where = fmt::format("{}, message {}", what, k);
        for (std::size_t w = 0; w < one.words[k]; ++w)
          expectUniform<R>(views.messages[k].data() + w * kCount * sizeof(R), sizeof(R), where);
        for (const Plane &plane : planesBehind(views.messages[k], one.words[k] * kCount * sizeof(R)))
          EXPECT_LT(deviation(plane), 7) << where;
      }
      expectUniform<R>(reinterpret_cast<const std::uint8_t *>(views.result.data()), sizeof(R), what + ", P0's result");
    }
}

} // namespace
} // namespace sd
