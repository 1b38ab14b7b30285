// The text that monitors read.
#include "runtime/service/Metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sd::service {
namespace {

using testing::HasSubstr;

TEST(MetricsTest, CountersAndGauges) {
  Metrics metrics;
  metrics.add("sdc_sessions_total", {{"hospital", "a \"b\"\\\n"}, {"model", "m"}});
  metrics.add("sdc_sessions_total", {{"hospital", "a \"b\"\\\n"}, {"model", "m"}}, 2);
  metrics.set("sdc_ready", {}, 1);
  metrics.set("sdc_ready", {}, 0);
  EXPECT_EQ(metrics.text(),
            "# HELP sdc_sessions_total Sessions that have ended, by outcome: served, failed or refused.\n"
            "# TYPE sdc_sessions_total counter\n"
            "sdc_sessions_total{hospital=\"a \\\"b\\\"\\\\\\n\",model=\"m\"} 3\n"
            "# HELP sdc_ready 1 while new sessions are taken.\n"
            "# TYPE sdc_ready gauge\n"
            "sdc_ready 0\n");
}

TEST(MetricsTest, HistogramsAreCumulative) {
  Metrics metrics;
  for (const double seconds : {0.001, 0.002, 5.0, 1e9})
    metrics.observe("sdc_session_seconds", {{"phase", "online"}}, seconds);
  const std::string text = metrics.text();
  EXPECT_THAT(text, HasSubstr("sdc_session_seconds_bucket{phase=\"online\",le=\"0.001\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("sdc_session_seconds_bucket{phase=\"online\",le=\"3\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("sdc_session_seconds_bucket{phase=\"online\",le=\"10\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("sdc_session_seconds_bucket{phase=\"online\",le=\"10000\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("sdc_session_seconds_bucket{phase=\"online\",le=\"+Inf\"} 4\n"));
  EXPECT_THAT(text, HasSubstr("sdc_session_seconds_count{phase=\"online\"} 4\n"));
}

} // namespace
} // namespace sd::service
