#include "runtime/store/Inventory.h"

#include "test/unit/store/StoreFixture.h"

namespace sd {
namespace {

using test::idOf;

TEST(Inventory, goesThroughItsWireForm) {
  const Inventory sets[] = {
      {},
      {idOf(1, 0)},
      {idOf(1, 0), idOf(1, 1), idOf(1, 2), idOf(1, 7), idOf(2, 3), idOf(9, 0xfffffffe), idOf(9, 0xffffffff)}};
  for (const Inventory &set : sets) {
    const auto back = decodeInventory(encodeInventory(set));
    ASSERT_TRUE(back) << back.error().message;
    EXPECT_EQ(*back, set);
  }
  EXPECT_EQ(encodeInventory(sets[2]).size(), 4u + 3 * 20 + 4 * 8);
}

TEST(Inventory, differencesAndCommonParts) {
  const Inventory a{idOf(1, 0), idOf(1, 1), idOf(2, 0)}, b{idOf(1, 1), idOf(3, 0)};
  EXPECT_EQ(without(a, b), (Inventory{idOf(1, 0), idOf(2, 0)}));
  EXPECT_EQ(inBoth(a, b), Inventory{idOf(1, 1)});
}

TEST(Inventory, refusesWhatIsOutOfOrderTooLongOrCut) {
  const std::vector<std::uint8_t> good = encodeInventory({idOf(1, 0), idOf(1, 5), idOf(2, 0)});
  for (std::size_t length = 0; length < good.size(); ++length)
    ASSERT_FALSE(decodeInventory(std::span(good).first(length))) << length;
  auto longer = good;
  longer.push_back(0);
  EXPECT_FALSE(decodeInventory(longer));

  const auto withRuns = [](std::vector<std::pair<std::uint32_t, std::uint32_t>> runs) {
    ByteWriter writer;
    writer.put(std::uint32_t{1});
    for (int i = 0; i < 16; ++i)
      writer.put(std::uint8_t{0});
    writer.put(static_cast<std::uint32_t>(runs.size()));
    for (const auto &[first, count] : runs)
      writer.put(first), writer.put(count);
    return decodeInventory(writer.bytes());
  };
  EXPECT_TRUE(withRuns({{0, 2}, {2, 1}}));
  EXPECT_FALSE(withRuns({}));
  EXPECT_FALSE(withRuns({{0, 0}}));
  EXPECT_FALSE(withRuns({{5, 1}, {5, 1}}));
  EXPECT_FALSE(withRuns({{0xffffffff, 2}}));
  EXPECT_FALSE(withRuns({{0, 0xffffffff}})); // a few bytes may not ask for gigabytes
  ByteWriter twice;
  twice.put(std::uint32_t{2});
  for (int i = 0; i < 2; ++i) {
    for (int j = 0; j < 16; ++j)
      twice.put(std::uint8_t{0});
    twice.put(std::uint32_t{1}), twice.put(std::uint32_t(i)), twice.put(std::uint32_t{1});
  }
  EXPECT_FALSE(decodeInventory(twice.bytes()));
}

} // namespace
} // namespace sd
