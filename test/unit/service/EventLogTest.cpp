// Log lines: one an event, whatever peers put into them, and few for what strangers cause.
#include "runtime/service/EventLog.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sd::service {
namespace {

const TimePoint kTime = TimePoint(std::chrono::milliseconds(1'796'092'002'045));

TEST(EventLogTest, TextAndJson) {
  const Fields fields = {{"hospital", "St Mary"}, {"records", 3}, {"name", "a\nb"}, {"model", "ecg"}, {"none", ""}};
  EXPECT_EQ(formatEvent(kTime, Level::Warning, "session", fields, false),
            R"(2026-12-01T02:26:42.045Z warning session hospital="St Mary" records=3 name="a\nb" model=ecg none="")");
  EXPECT_EQ(formatEvent(kTime, Level::Info, "session", fields, true),
            R"({"time":"2026-12-01T02:26:42.045Z","level":"info","event":"session","hospital":"St Mary","records":3,)"
            R"("name":"a\nb","model":"ecg","none":""})");
}

TEST(EventLogTest, BytesThatAreNoTextAreReplaced) {
  EXPECT_THAT(formatEvent(kTime, Level::Error, "x", {{"name", "\xff\x1b[31m"}}, false),
              testing::EndsWith(R"(error x name="\ufffd\u001b[31m")"));
}

TEST(EventLogTest, StrangersAreFewLines) {
  std::vector<std::string> lines;
  EventLog log([&](std::string_view line) { lines.emplace_back(line); }, false);
  for (int i = 0; i < 1000; ++i)
    log.writeRarely("connection", {{"number", i}});
  EXPECT_GE(lines.size(), 10u);
  EXPECT_LT(lines.size(), 500u); // one a second beyond
}

TEST(EventLogTest, WithoutMemoryItGoesOn) {
  EventLog log([](std::string_view) { throw std::bad_alloc(); }, true);
  log.write(Level::Info, "x", {});
}

} // namespace
} // namespace sd::service
