#include "runtime/vm/Stats.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "test/unit/vm/Programs.h"

namespace sd {
namespace {

TEST(Stats, JsonHasThePromisedKeys) {
  test::ProgramBuilder<Ring32> builder;
  builder.add(OpKind::ShareOutput,
              {builder.add(OpKind::ShareInput, {builder.input("x", {1})}, {}, Type::share({1}, 0))});
  builder.mutableProgram().name = "tiny";
  SessionStats stats;
  stats.party = 1, stats.records = 3;
  stats.online.seconds = 0.5, stats.online.traffic = {10, 20, 1, 2};
  stats.online.ops.resize(builder.program().instructions.size());
  stats.online.ops[2] = {0.25, 4, 8};

  const auto one = nlohmann::json::parse(toJson(builder.program(), {&stats, 1}));
  EXPECT_EQ(one["program"], "tiny");
  EXPECT_EQ(one["party"], 1);
  EXPECT_EQ(one["records"], 3);
  const auto &online = one["online"];
  EXPECT_EQ(online["seconds"], 0.5);
  EXPECT_EQ(online["bytes_sent"], 10);
  EXPECT_EQ(online["bytes_received"], 20);
  EXPECT_EQ(online["messages_sent"], 1);
  ASSERT_EQ(online["ops"].size(), 1u);
  EXPECT_EQ(
      online["ops"][0],
      (nlohmann::json{
          {"name", "node2"}, {"op", "share.output"}, {"seconds", 0.25}, {"bytes_sent", 4}, {"bytes_received", 8}}));
  EXPECT_EQ(one["offline"]["ops"].size(), 0u);

  const SessionStats both[] = {stats, stats};
  EXPECT_EQ(nlohmann::json::parse(toJson(builder.program(), both))["parties"].size(), 2u);
}

// A service that runs for long: sums, and no lists.
TEST(Stats, TotalsAreSums) {
  SessionStats session;
  session.records = 3, session.online.seconds = 0.5, session.online.traffic = {10, 20, 1, 2};
  session.online.recordSeconds = {0.1, 0.2, 0.2}, session.stored = {"a", "b", "c"};
  session.online.ops = {{0.25, 4, 8}, {0.125, 1, 2}};
  SessionStats totals;
  totals.sessions = 0;
  totals += session;
  totals += session;
  EXPECT_EQ(totals.sessions, 2u);
  EXPECT_EQ(totals.records, 6u);
  EXPECT_EQ(totals.online.seconds, 1.0);
  EXPECT_EQ(totals.online.traffic, (Traffic{20, 40, 2, 4}));
  ASSERT_EQ(totals.online.ops.size(), 2u);
  EXPECT_EQ(totals.online.ops[0].bytesReceived, 16u);
  EXPECT_EQ(totals.online.ops[1].seconds, 0.25);
  EXPECT_TRUE(totals.online.recordSeconds.empty() && totals.stored.empty());
}

} // namespace
} // namespace sd
