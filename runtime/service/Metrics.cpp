#include "runtime/service/Metrics.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <numeric>

#include <fmt/format.h>

namespace sd::service {
namespace {

constexpr std::array<double, 15> kBuckets = {0.001, 0.003, 0.01, 0.03, 0.1,  0.3,  1,    3,
                                             10,    30,    100,  300,  1000, 3000, 10000};

// Every metric that there is, and what it means.
struct Meaning {
  std::string_view name, help;
};
constexpr Meaning kMeanings[] = {
    {"sdc_sessions_total", "Sessions that have ended, by outcome: served, failed or refused."},
    {"sdc_refused_connections_total", "Connections that were turned away before a session."},
    {"sdc_records_total", "Records whose sessions have been served."},
    {"sdc_offline_phases_total", "Offline phases that have begun."},
    {"sdc_bytes_total", "Bytes of frames, by direction."},
    {"sdc_session_seconds", "Seconds of a session that was served, by phase."},
    {"sdc_errors_total", "Sessions that failed, by kind of error."},
    {"sdc_reloads_total", "Reloads of the settings, by outcome."},
    {"sdc_active_sessions", "Sessions that have room now."},
    {"sdc_admitted_bytes", "Memory that those are reckoned to take."},
    {"sdc_resident_bytes", "Memory of the process."},
    {"sdc_certificate_expiry_seconds", "When the service's certificate ends, in seconds since 1970."},
    {"sdc_ready", "1 while new sessions are taken."},
};

std::string labelsText(const Labels &labels) {
  std::string text;
  for (const auto &[key, value] : labels) {
    text += fmt::format("{}{}=\"", text.empty() ? "" : ",", key);
    for (const char c : value)
      text += c == '\n' ? std::string("\\n") : c == '"' || c == '\\' ? std::string{'\\', c} : std::string(1, c);
    text += '"';
  }
  return text;
}

std::string braced(const std::string &labels) { return labels.empty() ? "" : "{" + labels + "}"; }

void describe(std::string &text, std::string_view name, std::string_view type) {
  const auto *meaning =
      std::find_if(std::begin(kMeanings), std::end(kMeanings), [&](const Meaning &one) { return one.name == name; });
  if (meaning != std::end(kMeanings)) text += fmt::format("# HELP {} {}\n", name, meaning->help);
  text += fmt::format("# TYPE {} {}\n", name, type);
}

} // namespace

void Metrics::add(std::string_view name, const Labels &labels, double value) {
  const std::lock_guard lock(mutex_);
  counters_[std::string(name)][labelsText(labels)] += value;
}

void Metrics::set(std::string_view name, const Labels &labels, double value) {
  const std::lock_guard lock(mutex_);
  gauges_[std::string(name)][labelsText(labels)] = value;
}

void Metrics::observe(std::string_view name, const Labels &labels, double seconds) {
  const std::lock_guard lock(mutex_);
  Histogram &histogram = histograms_[std::string(name)][labelsText(labels)];
  histogram.counts.resize(kBuckets.size() + 1);
  ++histogram.counts[static_cast<std::size_t>(std::lower_bound(kBuckets.begin(), kBuckets.end(), seconds) -
                                              kBuckets.begin())];
  histogram.sum += seconds;
}

std::string Metrics::text() const {
  const std::lock_guard lock(mutex_);
  std::string text;
  for (const auto &[type, all] : {std::pair("counter", &counters_), std::pair("gauge", &gauges_)}) {
    for (const auto &[name, values] : *all) {
      describe(text, name, type);
      for (const auto &[labels, value] : values)
        text += fmt::format("{}{} {}\n", name, braced(labels), value);
    }
  }
  for (const auto &[name, values] : histograms_) {
    describe(text, name, "histogram");
    for (const auto &[labels, histogram] : values) {
      const std::string before = labels.empty() ? "" : labels + ",";
      std::uint64_t count = 0;
      for (std::size_t i = 0; i < kBuckets.size(); ++i) {
        count += histogram.counts[i];
        text += fmt::format("{}_bucket{{{}le=\"{}\"}} {}\n", name, before, kBuckets[i], count);
      }
      count += histogram.counts.back();
      text += fmt::format("{}_bucket{{{}le=\"+Inf\"}} {}\n", name, before, count);
      text +=
          fmt::format("{}_sum{} {}\n{}_count{} {}\n", name, braced(labels), histogram.sum, name, braced(labels), count);
    }
  }
  return text;
}

} // namespace sd::service
