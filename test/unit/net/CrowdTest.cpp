// Who has to go where strangers want more room than there is.
#include "runtime/net/Crowd.h"

#include <gtest/gtest.h>

#include <set>
#include <vector>

namespace sd {
namespace {

std::set<std::size_t> candidates(const std::vector<Newcomer> &all) {
  std::set<std::size_t> gone;
  for (std::uint64_t random = 0; random < 100; ++random)
    gone.insert(whoMustGo(all, random));
  return gone;
}

TEST(CrowdTest, WhoFillsTheRoomPushesOutHimself) {
  EXPECT_EQ(candidates({{"a"}, {"b"}, {"b"}, {"c"}, {"b"}}), (std::set<std::size_t>{1, 2, 4}));
}

TEST(CrowdTest, ProgressCounts) {
  EXPECT_EQ(candidates({{"a"}, {"b", true}, {"b"}, {"b", true}, {"b"}}), (std::set<std::size_t>{2, 4}));
  EXPECT_EQ(candidates({{"a"}, {"b", true}, {"b", true}}), (std::set<std::size_t>{1, 2}));
}

TEST(CrowdTest, FromEverywhereEachHasTheSameChance) {
  EXPECT_EQ(candidates({{"a"}, {"b"}, {"c"}}), (std::set<std::size_t>{0, 1, 2}));
}

TEST(CrowdTest, AnIPv6NetworkIsOneOrigin) {
  EXPECT_EQ(originOf({"2001:db8::1", 5}), originOf({"2001:db8::ffff:2", 6}));
  EXPECT_NE(originOf({"2001:db8::1", 5}), originOf({"2001:db8:0:1::1", 5}));
  EXPECT_EQ(originOf({"192.0.2.1", 5}), "192.0.2.1");
  EXPECT_EQ(originOf({"::ffff:192.0.2.1", 5}), "192.0.2.1");
}

} // namespace
} // namespace sd
