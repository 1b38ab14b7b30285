// Figures for a monitor, in the text format of Prometheus.
#pragma once

#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace sd::service {

using Labels = std::vector<std::pair<std::string_view, std::string>>;

// From any thread. Labels hold names of the service's own file only: a stranger adds no line.
class Metrics {
public:
  void add(std::string_view name, const Labels &labels, double value = 1);   // a counter
  void set(std::string_view name, const Labels &labels, double value);       // a gauge
  void observe(std::string_view name, const Labels &labels, double seconds); // a histogram

  std::string text() const;

private:
  struct Histogram {
    std::vector<std::uint64_t> counts; // by bucket, and those beyond the last
    double sum = 0;
  };
  mutable std::mutex mutex_;                                               // guards:
  std::map<std::string, std::map<std::string, double>> counters_, gauges_; // by name, then by labels
  std::map<std::string, std::map<std::string, Histogram>> histograms_;
};

} // namespace sd::service
